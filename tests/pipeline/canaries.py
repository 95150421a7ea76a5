"""A study with values that stand nowhere else wherever a value can identify somebody: canaries.

Every attribute of the data dictionary that may hold a text, a name, a date, a time, an age or a UID
gets one, and every code, decimal and integer string but those by which an image is read. So does
an item of every sequence in the groups of patient, study, equipment, procedure, annotation, report
and signature. That is more than PS3.15's table E.1-1 names of a CT, and no list to keep up; it
leaves out what holds only a small number (US, as PregnancyStatus) or bytes (overlays, signatures).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from shared.manifest import INDEXED

ROOT = "1.2.840.99999"
"""Of every UID of the source."""
TEXT = "Canary"
PRIVATE = "CanaryPrivate"
_FIRST_DATE = date(1911, 1, 1)
_GROUPS_OF_COMMANDS_AND_FILES = (0x0000, 0x0002, 0x0004)
_TEXTS = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
_UNDERSTOOD = ("SOPClassUID", "RescaleType")
"""What says which kind of object it is, and in which units."""
_CODED = ("CS", "DS", "IS")
_READ = frozenset(INDEXED) - {"PatientSex"}
"""By which an image is read: a code or a number of these can't be any."""
_GROUPS_OF_SEQUENCES = (
    *(0x0008, 0x0010, 0x0012, 0x0018, 0x0032, 0x0038, 0x0040, 0x0070, 0x0088),
    *(0x0400, 0x4008, 0xFFFA),
)
_FOUND = re.compile(
    rf"{TEXT}(?:\d+|Private)|{re.escape(ROOT)}[.\d]*"
    r"|(?<!\d)91827364\.\d+|(?<!\d)9\.1827364\d+|-209182\d{4}(?!\d)"
    r"|(?<!\d)191\d(-?)(?:0[1-9]|1[0-2])\1(?:[0-2]\d|3[01])(?:0317\d\d)?(?!\d)"
    r"|(?<!\d)03:?1[78]:?\d\d\.9182\d*|(?<!\d)108Y",
    re.IGNORECASE,
)


def _attributes() -> Iterator[str]:
    for tag in sorted(DicomDictionary):
        keyword = dictionary_keyword(tag)
        if tag >> 16 not in _GROUPS_OF_COMMANDS_AND_FILES and keyword not in _UNDERSTOOD:
            yield keyword


def _value(number: int, keyword: str) -> str | None:
    """A value that the attribute may hold; None for one of another kind."""
    vr = dictionary_VR(keyword)
    day = f"{_FIRST_DATE + timedelta(days=number % 3000):%Y%m%d}"
    if vr in _TEXTS:
        return f"{TEXT}{number:05d}"
    if vr in _CODED and keyword in _READ:
        return None
    return {
        "CS": f"{TEXT}{number:05d}".upper(),
        "DS": f"91827364.{number:04d}",
        "IS": f"-209182{number:04d}",
        "UI": f"{ROOT}.1.{number}",
        "DA": day,
        "DT": f"{day}031759",
        "TM": f"0317{number % 60:02d}.9182{number // 60:02d}",
        "AS": "108Y",
    }.get(vr)


VALUES = {
    keyword: value
    for number, keyword in enumerate(_attributes())
    if keyword and (value := _value(number, keyword))
}
"""The canary of each attribute; that of SOPInstanceUID is another for each slice."""
SEQUENCES = tuple(
    keyword
    for keyword in _attributes()
    if keyword
    and dictionary_VR(keyword) == "SQ"
    and (tag_for_keyword(keyword) or 0) >> 16 in _GROUPS_OF_SEQUENCES
)


def marked(datasets: Iterable[Dataset]) -> list[Dataset]:
    """The study with a canary wherever one can be."""
    return [_marked(dataset, number) for number, dataset in enumerate(datasets)]


def found_in(texts: Iterable[str]) -> list[str]:
    """The canaries in any of the texts, each once."""
    return sorted({found[0] for text in texts for found in _FOUND.finditer(text)})


def _marked(dataset: Dataset, number: int) -> Dataset:
    for keyword, value in VALUES.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = f"{ROOT}.2.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword in SEQUENCES:
        setattr(dataset, keyword, [_item()])
    dataset.ReferencedImageSequence = [_reference(dataset, number)]
    block = dataset.private_block(0x0009, TEXT, create=True)
    block.add_new(0x01, "LO", PRIVATE)
    return dataset


def _reference(dataset: Dataset, number: int) -> Dataset:
    other = Dataset()
    other.ReferencedSOPClassUID = dataset.SOPClassUID
    other.ReferencedSOPInstanceUID = f"{ROOT}.3.{number}"
    return other


def _item() -> Dataset:
    """What identifies within a sequence."""
    item = Dataset()
    for keyword in ("PatientID", "AccessionNumber", "InstitutionName", "PersonName"):
        setattr(item, keyword, VALUES[keyword])
    return item
