"""The header index against pydicom, and against senders that lie."""

import zlib

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from services.ingest.tests.instances import DATA, ct, encoded
from shared.dicom.elements import Malformed, plain
from shared.dicom.headers import index
from shared.manifest import INDEXED

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@pytest.mark.parametrize("syntax", NATIVE)
def test_values_and_pixels_are_those_of_the_data_set(syntax: str) -> None:
    dataset = ct(7, SeriesNumber=3, ContrastBolusAgent=None, PixelPaddingValue=-2000)
    data = encoded(dataset, syntax)
    found = index(data, syntax)
    assert found.pixels
    start, length = found.pixels
    assert found.defect is None
    assert data[start : start + length] == dataset.PixelData or syntax == ExplicitVRBigEndian
    assert found.values["PatientName"] == "Grün^Eva"
    assert found.values["ImagePositionPatient"] == [0.0, 0.0, 7.0]
    assert found.values["SeriesNumber"] == 3
    assert found.values["ContrastBolusAgent"] is None
    assert found.values["PixelPaddingValue"] == -2000
    assert "KVP" not in found.values


def test_a_deflated_data_set_is_read_and_has_no_native_pixels() -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflater.compress(encoded(ct(1))) + deflater.flush()
    found = index(data, DeflatedExplicitVRLittleEndian)
    assert (found.values["Modality"], found.pixels, found.defect) == ("CT", None, None)


def test_sequences_of_undefined_length_are_stepped_over() -> None:
    inner = Dataset()
    inner.PatientID = "not this one"
    inner.ReferencedImageSequence = Sequence([Dataset()])
    outer = Dataset()
    outer.ReferencedStudySequence = Sequence([inner, inner])
    outer.PatientID = "this one"
    for sequence in (outer["ReferencedStudySequence"], inner["ReferencedImageSequence"]):
        sequence.is_undefined_length = True
        for item in sequence.value:
            item.is_undefined_length_sequence_item = True
    for syntax in NATIVE:
        found = index(encoded(outer, syntax), syntax)
        assert (found.values, found.defect) == ({"PatientID": "this one"}, None)


def test_fragments_are_no_native_pixels() -> None:
    data = encoded(ct(1))
    head = data[: data.index(b"\xe0\x7f\x10\x00")]
    items = (
        b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0\4\0\0\0abcd" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )
    found = index(head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items, JPEG2000Lossless)
    assert (found.pixels, found.defect, found.values["Rows"]) == (None, None, 8)


@pytest.mark.parametrize("syntax", NATIVE)
def test_a_data_set_cut_anywhere_never_raises_and_says_so(syntax: str) -> None:
    data = encoded(ct(1), syntax)
    ends = {0}
    for length in range(len(data)):
        found = index(data[:length], syntax)
        if found.defect is None:
            ends.add(length)
    elements = len(ct(1))
    assert len(ends) == elements  # only a cut between two elements can't be seen


@given(
    st.binary(max_size=400),
    st.sampled_from([*NATIVE, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, "no syntax"]),
)
def test_any_bytes_are_answered(data: bytes, syntax: str) -> None:
    index(data, syntax)


def test_an_unknown_syntax_is_answered() -> None:
    assert index(encoded(ct(1)), "1.2.3").pixels is None


def test_what_inflates_without_end_is_not_inflated() -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(1 << 20)) + deflater.flush()
    with pytest.raises(Malformed, match="inflates-too-far"):
        plain(bomb, DeflatedExplicitVRLittleEndian, largest=1 << 16)


@given(st.integers(0, 700), st.binary(min_size=1, max_size=8), st.sampled_from(NATIVE))
def test_any_damage_is_answered(at: int, damage: bytes, syntax: str) -> None:
    data = bytearray(encoded(ct(1), syntax))
    data[at : at + len(damage)] = damage
    index(bytes(data), syntax)


def test_numbers_that_are_none_stay_text_and_json_safe() -> None:
    data = encoded(ct(1)).replace(b"1.25", b"nan ")
    assert index(data, ExplicitVRLittleEndian).values["SliceThickness"] == "nan"


@pytest.mark.skipif(not DATA.exists(), reason="real data is not at ../shared/data")
def test_real_headers_read_as_pydicom_reads_them() -> None:
    for path in sorted((DATA / "chest-ct-real").glob("*/*.dcm"))[::40]:
        dataset = pydicom.dcmread(path)
        raw = path.read_bytes()
        start = 144 + dataset.file_meta.FileMetaInformationGroupLength
        found = index(raw[start:], dataset.file_meta.TransferSyntaxUID)
        assert found.defect is None
        assert {k: _plain(dataset[k].value) for k in INDEXED if k in dataset} == found.values
        assert found.pixels
        assert raw[start:][found.pixels[0] : sum(found.pixels)] == dataset.PixelData


def _plain(value: object) -> object:
    if isinstance(value, pydicom.multival.MultiValue):
        return [_plain(item) for item in value]
    if isinstance(value, pydicom.valuerep.DSfloat | pydicom.valuerep.DSdecimal):
        return float(value)
    if isinstance(value, int):
        return int(value)
    return str(value) if value not in (None, "") else None
