"""What a report says, as plain values that a template sets on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from services.writers import heat as heats
from services.writers import wording
from services.writers.key_slices import LESION_COLOUR, LUNG_COLOUR, KeySlice
from services.writers.patient_study import legible
from services.writers.person_name import plain, written
from services.writers.source import Source
from services.writers.stamp import Stamp
from services.writers.typesetting import typeset
from shared.findings import Classification, Measurement, Region, Third
from shared.provenance import ModelIdentity
from shared.selection import Selection
from shared.version import CODE_VERSION

CLASSIFICATION_TITLE = "COVID-19 classification report"
RATIO_TITLE = "Lesion-to-lung ratio report"

_NOT_SAID = "–"
_SEXES = {"M": "male", "F": "female", "O": "other"}
_AGES = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
_THIRDS: tuple[Third, ...] = ("upper", "middle", "lower")


@dataclass(frozen=True)
class Study:
    """What every report tells besides its finding."""

    source: Source
    selection: Selection
    stamp: Stamp
    warnings: tuple[str, ...]


def classification_pdf(
    study: Study,
    found: Classification,
    pictures: Sequence[KeySlice],
    heat: heats.Heat | None = None,
) -> bytes:
    """The report of a classification. The last class is the one that the model looks for."""
    ranked = list(found.probabilities.items())
    subject, probability = ranked[-1]
    finding = {
        "subject": subject,
        "probability": probability,
        "text": wording.percent(probability * 100),
        "classes": [
            {"label": label, "share": share, "text": wording.percent(share * 100)}
            for label, share in reversed(ranked)
        ],
        "threshold": found.threshold,
        "threshold_text": "" if found.threshold is None else wording.percent(found.threshold * 100),
        "side": _side(probability, found.threshold),
        "training_data": plain(found.training_data),
        "heat": "untold" if heat is None else "cold" if heat.cold else "shown",
        "heat_least": "" if heat is None else wording.percent(heat.least * 100),
    }
    return _pdf("classification.typ", CLASSIFICATION_TITLE, study, finding, pictures)


def ratio_pdf(study: Study, found: Measurement, pictures: Sequence[KeySlice]) -> bytes:
    """The report of a measurement: of both lungs, of each, and of the thirds."""
    sides = sorted(found.lungs.items(), key=lambda lung: lung[0], reverse=True)
    finding = {
        "both": _group("Both lungs", found.whole, found.thirds),
        "lungs": [_group(name.capitalize(), lung.whole, lung.thirds) for name, lung in sides],
        "learned": _learned(study.stamp.models),
        "none": found.whole.lesion_ml == 0,
        "outside": found.lesion_outside_ml > 0,
        "outside_ml": wording.millilitres(found.lesion_outside_ml),
    }
    return _pdf("ratio.typ", RATIO_TITLE, study, finding, pictures)


def _learned(models: Sequence[ModelIdentity]) -> str:
    """What the models have learned from, once where it is the same; nothing where none says it."""
    told = {
        model.name: plain(model.training_data).rstrip(".")
        for model in models
        if model.training_data
    }
    if len(set(told.values())) == 1 and len(told) == len(models):
        return f"Its models have learned from: {next(iter(told.values()))}."
    return " ".join(f"{name} has learned from: {data}." for name, data in told.items())


def _pdf(
    template: str,
    title: str,
    study: Study,
    finding: Mapping[str, Any],
    pictures: Sequence[KeySlice],
) -> bytes:
    content = {
        "title": title,
        "finding": finding,
        "facts": _facts(study),
        "warnings": wording.warnings_in_words(study.warnings),
        "replaces": _replaces(study.stamp),
        "made": _made(study.stamp),
        "models": [_model(model) for model in study.stamp.models],
        "slices": [_slice(picture, study.source) for picture in pictures],
        "colours": {
            "lung": LUNG_COLOUR,
            "lesion": LESION_COLOUR,
            "heat": heats.COLOURS,
            "heat_line": heats.LINE_COLOUR,
        },
    }
    files = {f"slice-{place}.svg": picture.svg for place, picture in enumerate(pictures)}
    return typeset(template, content, files, study.stamp.moment)


def _facts(study: Study) -> dict[str, list[list[str]]]:
    """The three columns of the header: who, which study, which images."""
    header, grid = study.source.header, study.selection.geometry
    chosen = sum(stack.chosen for stack in study.selection.stacks)
    passed = len(study.selection.stacks) - chosen
    scanner = _joined(_label(header, "Manufacturer"), _label(header, "ManufacturerModelName"))
    spacing = wording.unbroken(" × ".join(f"{step:.2f}" for step in grid.spacing) + " mm")
    return {
        "Patient": [
            ["Name", "\n".join(written(legible(header, "PatientName")))],
            ["Patient ID", plain(legible(header, "PatientID")) or _NOT_SAID],
            ["Born", wording.date(legible(header, "PatientBirthDate")) or _NOT_SAID],
            ["Sex, age", _joined(_sex(header), _age(header), by=", ") or _NOT_SAID],
        ],
        "Study": [
            ["Date", _when(header, "Study") or _NOT_SAID],
            ["Description", _label(header, "StudyDescription") or _NOT_SAID],
            ["Accession no.", plain(legible(header, "AccessionNumber")) or _NOT_SAID],
            ["Referred by", "\n".join(written(legible(header, "ReferringPhysicianName")))],
        ],
        "Series analysed": [
            ["Series", _series(header)],
            ["Images", f"{grid.shape[0]} slices, {spacing}"],
            ["Scanner", _joined(scanner, _kernel(header), by=", ") or _NOT_SAID],
            ["Other stacks", f"{passed}, not analysed" if passed else "none"],
        ],
    }


def _made(stamp: Stamp) -> list[list[str]]:
    return [
        ["Received", wording.moment(stamp.moment)],
        ["Pipeline", f"{stamp.pipeline}, Clarion {CODE_VERSION}"],
        ["Job", f"{stamp.job_id}, version {stamp.version}"],
        ["Provenance", stamp.digest],
    ]


def _model(model: ModelIdentity) -> dict[str, str]:
    return {
        "name": model.name,
        "algorithm": model.algorithm or _NOT_SAID,
        "version": model.version or _NOT_SAID,
        "digest": model.digest or _NOT_SAID,
    }


def _slice(picture: KeySlice, source: Source) -> dict[str, Any]:
    z = wording.millimetres(picture.z_mm)
    return {
        "caption": f"{source.images[picture.index].name}, z = {z}",
        "lesion": wording.millilitres(picture.lesion_ml) if picture.lesion_ml else "",
        "width_mm": picture.width_mm,
    }


def _group(name: str, whole: Region, thirds: Mapping[Third, Region]) -> dict[str, Any]:
    """One lung, or both; the patient's right stands left, as in the pictures."""
    present = [third for third in _THIRDS if third in thirds]
    return {
        "name": name,
        "whole": _region("Whole", whole),
        "thirds": [_region(f"{third.capitalize()} third", thirds[third]) for third in present],
    }


def _region(name: str, region: Region) -> dict[str, Any]:
    share = None if region.ratio_percent is None else region.ratio_percent / 100
    return {
        "name": name,
        "lung": wording.millilitres(region.lung_ml),
        "lesion": wording.millilitres(region.lesion_ml),
        "ratio": wording.percent(region.ratio_percent),
        "share": share,
    }


def _replaces(stamp: Stamp) -> list[str]:
    """The title and the text of the note on a later version."""
    if stamp.version == 1:
        return []
    before = stamp.version - 1
    changed = f"The images or data of this study changed after version {before} was made."
    return [stamp.replaces, f"{changed} Use version {stamp.version} only."]


def _side(probability: float, threshold: float | None) -> str:
    if threshold is None:
        return ""
    return "at or above" if probability >= threshold else "below"


def _sex(header: Dataset) -> str:
    value = plain(legible(header, "PatientSex"))
    return _SEXES.get(value, value)


def _age(header: Dataset) -> str:
    """An age string (PS3.5 6.2) in words: 058Y is 58 years."""
    value = plain(legible(header, "PatientAge"))
    if len(value) == 4 and value[:3].isdigit() and value[3] in _AGES:
        return f"{int(value[:3])} {_AGES[value[3]]}"
    return value


def _when(header: Dataset, what: str) -> str:
    day = wording.date(legible(header, f"{what}Date"))
    return _joined(day, wording.time(legible(header, f"{what}Time")), by=", ") if day else ""


def _series(header: Dataset) -> str:
    number, said = legible(header, "SeriesNumber"), _label(header, "SeriesDescription")
    return _joined(number, said, by=": ") or _NOT_SAID


def _label(header: Dataset, keyword: str) -> str:
    """A description or a name of a device; some tools write None where they have nothing."""
    text = plain(legible(header, keyword))
    return "" if text == "None" else text


def _kernel(header: Dataset) -> str:
    kernel = legible(header, "ConvolutionKernel")
    text = plain(kernel if isinstance(kernel, str) else "/".join(kernel or ()))
    return wording.unbroken(f"kernel {text}") if text else ""


def _joined(*values: object, by: str = " ") -> str:
    return by.join(text for text in (plain(value) for value in values) if text)
