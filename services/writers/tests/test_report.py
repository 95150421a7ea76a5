"""The pages: what stands on them, and that they can always be made."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from services.writers import report, wording
from services.writers.heat import Heat, heat_of
from services.writers.key_slices import draw
from services.writers.source import Source
from services.writers.tests.studies import (
    JOB,
    LESION_MODEL,
    LUNG_MODEL,
    Study,
    classification,
    measurement,
    saliency_of,
)

SCRIPTS = {
    "Japanese": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Korean": "Hong^Gildong=洪^吉洞=홍^길동",
    "Chinese": "Wang^XiaoDong=王^小东",
    "Arabic": "قباني^لنزار",
    "Hebrew": "שרון^דבורה",
    "Thai": "สมชาย^ใจดี",
    "Cyrillic": "Люкceмбypг",
    "Greek": "Διονυσιος",
    "Turkish": "Çavuşoğlu^Şükrü",
    "very long": "Wolfeschlegelsteinhausenbergerdorff^Maximilian Alexander Johann^Sebastian",
}


def told(
    study: Study, header: Dataset | None = None, warnings: tuple[str, ...] = (), version: int = 1
) -> report.Study:
    source = Source(header or study.ordered[0], study.selection.geometry, study.source.images)
    return report.Study(source, study.selection, study.stamp(version=version), warnings)


def classified(
    study: Study, about: report.Study, probability: float = 0.837, heat: Heat | None = None
) -> bytes:
    pictures = draw(study.ct, study.lungs, heat=heat)
    return report.classification_pdf(about, classification(probability), pictures, heat)


def measured(study: Study, about: report.Study, share: float = 0.1) -> bytes:
    pictures = draw(study.ct, study.lungs, study.lesions)
    return report.ratio_pdf(about, measurement(share), pictures)


@pytest.fixture
def page(tmp_path: Path) -> "Reader":
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")
    return Reader(tmp_path)


class Reader:
    """Reads a page the way a person would search it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "report.pdf"

    def text(self, pdf: bytes) -> str:
        self._file.write_bytes(pdf)
        ran = subprocess.run(
            ["pdftotext", "-layout", self._file, "-"], capture_output=True, check=True, text=True
        )
        return " ".join(ran.stdout.split())

    def pages(self, pdf: bytes) -> int:
        self._file.write_bytes(pdf)
        ran = subprocess.run(["pdfinfo", self._file], capture_output=True, check=True, text=True)
        return int(ran.stdout.partition("Pages:")[2].split()[0])


def test_the_same_findings_give_the_same_bytes(study: Study) -> None:
    assert measured(study, told(study)) == measured(study, told(study))


def test_a_report_is_pdf_a(study: Study) -> None:
    pdf = classified(study, told(study))

    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in pdf


def test_research_is_said_at_the_top_and_at_the_bottom(study: Study, page: Reader) -> None:
    for pdf in (classified(study, told(study)), measured(study, told(study))):
        assert page.text(pdf).count("RESEARCH USE ONLY · NOT FOR DIAGNOSIS") == 2 * page.pages(pdf)


def test_the_classification_says_who_what_and_by_what(study: Study, page: Reader) -> None:
    text = page.text(classified(study, told(study)))

    shown = draw(study.ct, study.lungs)
    header = study.ordered[0]
    for said in (
        str(header.PatientName).replace("^", ", "),
        header.PatientID,
        wording.date(header.StudyDate),
        "83.7 %",
        "16.3 %",
        "operating point, 50.0 %",
        "at or above",
        "procedural chest CT phantoms only",
        LUNG_MODEL.digest,
        JOB,
        *(f"Image {study.ordered[picture.index].InstanceNumber}," for picture in shown),
    ):
        assert said in text


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        (0.8, "The colours are no outline of disease."),
        (0.04, "map of what moved it stays below 5.0 %"),
        (None, "the model does not point at them"),
    ],
    ids=["a map", "an empty one", "none"],
)
def test_the_classification_says_what_its_colours_are_and_are_not(
    study: Study, page: Reader, strength: float | None, said: str
) -> None:
    heat = None if strength is None else heat_of(saliency_of(study, strength))

    pdf = classified(study, told(study), heat=heat)

    assert said in page.text(pdf)
    assert ("faint to strong" in page.text(pdf)) == (strength == 0.8)
    assert ("encloses at least half the full strength" in page.text(pdf)) == (strength == 0.8)
    assert page.pages(pdf) == 1


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "The model found no lesion"), (1.0, "100 %"), (0.1, "10.0 %")]
)
def test_the_ratio_says_how_much(study: Study, page: Reader, share: float, said: str) -> None:
    assert said in page.text(measured(study, told(study), share))


def test_the_ratio_says_what_its_models_have_learned_from(study: Study, page: Reader) -> None:
    about = told(study)
    for data, said in (
        (("CT", "CT"), "Its models have learned from: CT."),
        (("CT", "MR"), "lesion_seg has learned from: MR."),
        (("CT.", ""), "lung_seg has learned from: CT."),
    ):
        models = (
            replace(model, training_data=each)
            for model, each in zip((LUNG_MODEL, LESION_MODEL), data, strict=True)
        )
        stamp = replace(about.stamp, models=tuple(models))
        assert said in page.text(measured(study, replace(about, stamp=stamp)))


@pytest.mark.parametrize("warnings", [(), ("under-18",)])
def test_a_report_of_a_second_version_with_a_warning_is_one_page(
    study: Study, page: Reader, warnings: tuple[str, ...]
) -> None:
    about = told(study, warnings=warnings, version=2)

    for pdf in (classified(study, about), measured(study, about)):
        assert page.pages(pdf) == 1


def test_a_label_that_a_tool_wrote_for_nothing_is_left_out(study: Study, page: Reader) -> None:
    header = study.ordered[0]
    header.SeriesNumber = 123456
    for keyword in ("Manufacturer", "StudyDescription", "SeriesDescription"):
        setattr(header, keyword, "None")
    header.ManufacturerModelName = "Scanner 7"

    text = page.text(measured(study, told(study, header)))

    assert "123456" in text
    assert "Scanner 7" in text
    assert "None" not in text


@pytest.mark.parametrize(("others", "said"), [(0, "none"), (2, "2, not analysed")])
def test_the_ratio_says_how_many_stacks_were_not_analysed(
    study: Study, page: Reader, others: int, said: str
) -> None:
    [chosen] = study.selection.stacks
    passed = chosen.model_copy(update={"chosen": False})
    selection = study.selection.model_copy(update={"stacks": (chosen, *[passed] * others)})

    text = page.text(measured(study, replace(told(study), selection=selection)))

    assert f"Other stacks {said}" in text


def test_the_patients_right_lung_stands_on_the_left(study: Study, page: Reader) -> None:
    text = page.text(measured(study, told(study)))

    assert text.index("Right lung") < text.index("Left lung")


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certainty_can_be_drawn(study: Study, page: Reader, probability: float) -> None:
    assert "100 %" in page.text(classified(study, told(study), probability))


def test_every_warning_stands_on_the_first_page_in_plain_words(study: Study, page: Reader) -> None:
    about = told(study, warnings=tuple(wording.WARNINGS), version=2)

    for pdf in (classified(study, about), measured(study, about)):
        text = page.text(pdf)
        assert f"{len(wording.WARNINGS)} warnings" in text
        assert "v2 replaces v1" in text
        for words in wording.WARNINGS.values():
            assert words[:60] in text
        assert page.pages(pdf) <= 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_of_dicom_is_set_without_a_box(
    study: Study, page: Reader, script: str
) -> None:
    header = study.ordered[0]
    header.SpecificCharacterSet, header.PatientName = "ISO_IR 192", SCRIPTS[script]

    pdf = classified(study, told(study, header))

    assert "□" not in page.text(pdf)
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf


def test_a_character_that_no_font_has_is_a_box_and_the_page_says_so(
    study: Study, page: Reader
) -> None:
    header = study.ordered[0]
    header.SpecificCharacterSet, header.PatientName = "ISO_IR 192", "Doe^😀 Jane"

    text = page.text(classified(study, told(study, header)))

    assert "Doe, □ Jane" in text
    assert "can't be shown" in text.replace("’", "'")


def test_a_name_is_never_read_as_markup(study: Study, page: Reader) -> None:
    header = study.ordered[0]
    header.PatientName = "#panic()^*Bold* $x$ [a] @b"

    assert "#panic(), *Bold* $x$ [a] @b" in page.text(classified(study, told(study, header)))


def test_a_model_without_an_operating_point_has_no_mark(study: Study, page: Reader) -> None:
    found = classification().model_copy(update={"threshold": None})

    text = page.text(report.classification_pdf(told(study), found, draw(study.ct, study.lungs)))

    assert "operating point" not in text
