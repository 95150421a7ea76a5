"""Each thing that can be wrong with a study has its code, and the code comes first."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from phantom.refusals import REFUSALS
from phantom.warned import WARNINGS
from services.reader import checks
from services.reader.tests.conftest import Read
from shared.errors import InputRejected, Number

_OF_LATER_STAGES = {"lungs-not-found", "lungs-truncated"}


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - _OF_LATER_STAGES))
def test_a_study_with_one_defect_is_refused_for_it(code: str, read: Read) -> None:
    with pytest.raises(InputRejected) as refused:
        read(REFUSALS[code](1))
    assert refused.value.reasons[0].code == code


@pytest.mark.parametrize("code", sorted(WARNINGS.keys() - _OF_LATER_STAGES))
def test_a_study_that_readers_should_know_more_of_is_read_with_a_warning(
    code: str, read: Read
) -> None:
    assert read(WARNINGS[code](1)).warnings == (code,)


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("not-axial", {"at_most": 45.0}),
        ("gantry-tilt", {"at_most": 0.5}),
        ("inconsistent-geometry", {"at_most_mm": 0.1}),
        ("spacing-too-wide", {"at_most": 10.0}),
        ("too-few-slices", {"at_least": 20}),
        ("too-large", {"at_most": 600_000_000}),
    ],
)
def test_a_refusal_tells_the_limit_after_the_number(
    code: str, limit: dict[str, Number], read: Read
) -> None:
    with pytest.raises(InputRejected) as refused:
        read(REFUSALS[code](1))
    numbers = refused.value.reasons[0].numbers
    assert dict(list(numbers.items())[-1:]) == limit
    assert len(numbers) > 1


def test_every_refusal_has_a_phantom() -> None:
    assert {row.code for row in checks.REFUSALS} == REFUSALS.keys() - _OF_LATER_STAGES


def test_all_reasons_are_told_in_their_order(read: Read) -> None:
    tilted = REFUSALS["gantry-tilt"](1)
    for dataset in tilted:
        del dataset.FrameOfReferenceUID
    with pytest.raises(InputRejected) as refused:
        read(tilted[:6] + tilted[9:])
    assert [reason.code for reason in refused.value.reasons] == [
        "no-frame-of-reference",
        "gantry-tilt",
        "missing-slices",
    ]


def test_of_several_refused_stacks_the_slices_tell_the_reasons(read: Read) -> None:
    gapped, localizer = REFUSALS["missing-slices"](1), REFUSALS["localizer"](1)
    with pytest.raises(InputRejected) as refused:
        read([*localizer, *gapped])
    assert [reason.code for reason in refused.value.reasons] == ["missing-slices"]


def test_an_empty_input_set_holds_no_image(read: Read) -> None:
    with pytest.raises(InputRejected) as refused:
        read([])
    assert refused.value.reasons[0].code == "no-image"


def test_a_real_head_scanned_with_a_tilted_gantry_is_refused(read: Read, data: Path) -> None:
    with pytest.raises(InputRejected) as refused:
        read(data / "odd/gantry_tilt")
    assert refused.value.reasons[0].code == "gantry-tilt"
    assert refused.value.reasons[0].numbers == {"degrees": 18.5, "at_most": 0.5}


def test_a_real_series_with_a_place_taken_twice_is_refused(
    read: Read, data: Path, tmp_path: Path
) -> None:
    with ZipFile(data / "odd/duplicate_positions/dupe-positions.zip") as archive:
        archive.extractall(tmp_path)
    with pytest.raises(InputRejected) as refused:
        read(tmp_path)
    assert refused.value.reasons[0].code == "duplicate-positions"
    assert refused.value.reasons[0].numbers == {"positions": 1}
