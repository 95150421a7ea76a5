"""What the evaluation tells of a case, and how it refuses one that it can't judge."""

import json
import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from shared.imaging.volume import Volume, to_sitk
from shared.inference.fake import FakeInference, FakeModel
from training.config import read_parameters
from training.evaluate import main
from training.evaluation.cases import Case, Cases, Task
from training.evaluation.chosen import Chosen
from training.evaluation.folder import cases_in
from training.evaluation.measure import Measured, Slice, classified, measure
from training.evaluation.overlap import dice, surface_dice
from training.evaluation.pictures import draw_worst
from training.evaluation.probabilities import (
    calibration_error,
    calibration_interval,
    interval,
    roc_area,
)
from training.evaluation.problem import BadInput
from training.evaluation.run import Asked, _cases, _in_found_lungs, _measured
from training.evaluation.scored import count_scores, read_scores
from training.evaluation.summary import summary


def block(start: int = 8) -> np.ndarray:
    mask = np.zeros((24, 24, 24), np.uint8)
    mask[start : start + 8, 8:16, 8:16] = 1
    return mask


def test_dice_of_halves() -> None:
    a, b = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert (dice(a, b), dice(a, a), dice(a & b, a & ~a)) == (0.5, 1.0, 0.0)


def test_surfaces_agree_within_the_tolerance_and_not_beyond() -> None:
    near, far = (surface_dice(block(8), block(start), (1.0, 1.0, 1.0)) for start in (10, 13))
    # Of a block of 384 mm² moved by 5 mm: 5 of 8 mm of its sides are near the other's, none of
    # one end, and of the other end a rim of 2 mm.
    assert near == 1.0
    assert far == pytest.approx((5 * 32 + (64 - 16)) / 384)
    assert surface_dice(block(), block() * 0, (1.0, 1.0, 1.0)) == 0
    assert surface_dice(block() * 0, block() * 0, (1.0, 1.0, 1.0)) == 1


def test_surface_distance_is_in_millimetres_of_each_axis() -> None:
    moved = np.roll(block(), 1, axis=0)
    assert surface_dice(block(), moved, (1.0, 1.0, 2.0)) == 1
    assert surface_dice(block(), moved, (1.0, 1.0, 5.0)) < 0.9


def test_surfaces_of_coarse_voxels_agree_where_they_are_a_voxel_apart() -> None:
    near, far = (np.roll(block(), steps, axis=0) for steps in (1, 2))
    assert surface_dice(block(), near, (3.0, 3.0, 3.0)) == 1
    assert surface_dice(block(), far, (3.0, 3.0, 3.0)) < 0.9


def test_roc_area_counts_pairs_in_order() -> None:
    truth = np.array([True, True, False, False])
    assert roc_area(np.array([0.9, 0.4, 0.4, 0.1]), truth) == pytest.approx(3.5 / 4)
    assert np.isnan(roc_area(np.array([0.9, 0.4]), np.array([True, True])))


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    scores = np.full(10, 0.8)
    assert calibration_error(scores, np.arange(10) < 8) == pytest.approx(0, abs=1e-9)
    assert calibration_error(scores, np.arange(10) < 3) == pytest.approx(0.5)


def test_intervals_hold_the_figure_and_are_the_same_each_time() -> None:
    values = np.arange(40.0)
    ends = [interval(40, lambda chosen: float(values[chosen].mean())) for _ in range(2)]
    assert ends[0] == ends[1]
    assert ends[0][0] < values.mean() < ends[0][1]


def marks(where) -> FakeModel:  # type: ignore[no-untyped-def]
    """A model of one label at 3 mm that marks what `where` says of the scaled CT."""

    def answer(inputs):  # type: ignore[no-untyped-def]
        return {"probabilities": where(inputs["volume"]).astype(np.float32)}

    return FakeModel(answer, read_parameters("lesion_seg"))


def aired(volume: np.ndarray) -> np.ndarray:
    return volume < -0.5


def test_lesions_are_judged_inside_the_lungs_and_another_disease_apart() -> None:
    ct = Volume(np.full((24, 24, 24), -800, np.int16), (3.0, 3.0, 3.0))
    apart = np.zeros((24, 24, 24), bool)
    apart[8:10] = True
    ct.array[8:9] = 0  # where nothing is marked
    healthy = Case("a", ct, lungs=block(), lesions=block() * 0, apart=apart)
    figures = measure(
        healthy, "lesion", "lesion_seg", FakeInference({"lesion_seg": marks(aired)})
    ).figures
    assert figures["marked % of the lungs"] == 100 * 7 / 8
    assert figures["false ml"] == pytest.approx(7 * 8 * 8 * 0.027)
    assert figures["false % of the lungs, look-alikes left out"] == 100
    assert figures["% of look-alikes marked"] == 50
    sick = Case("b", ct, lungs=block(), lesions=block())
    everywhere = FakeInference({"lesion_seg": marks(np.ones_like)})
    assert measure(sick, "lesion", "lesion_seg", everywhere).figures["dice"] == 1


def test_a_drawn_lesion_counts_in_the_lungs_that_the_lung_model_finds() -> None:
    """Half of the lesion is so dense that its lung is not found; of the second case none is."""
    ct = Volume(np.full((24, 24, 24), 40, np.int16), (3.0, 3.0, 3.0))
    dense = Case("b", ct, lungs=block(), lesions=block())
    half = Case("a", ct.like(np.where(block() > 0, -800, 40).astype(np.int16)), block())
    half.ct.array[8:12] = 40
    half = replace(half, lesions=block())
    models = {"lung_seg": marks(aired), "lesion_seg": marks(np.ones_like)}
    chosen = Chosen("lesion_seg", "1", "ab", FakeInference(models))
    drawn = _in_found_lungs(Cases((lambda: half, lambda: dense)))
    measured, left_out = _measured(drawn, "lesion", chosen)
    assert [each.figures["dice"] for each in measured] == [pytest.approx(2 * 4 / (4 + 8))]
    assert [each["code"] for each in left_out] == ["no-lungs"]


def classifier(answer: dict[str, np.ndarray], **changed: str) -> tuple[FakeInference, list]:  # type: ignore[type-arg]
    seen = []

    def told(inputs):  # type: ignore[no-untyped-def]
        seen.append(inputs["volume"])
        return answer

    parameters = {**read_parameters("covid_classifier"), **changed}
    return FakeInference({"covid_classifier": FakeModel(told, parameters)}), seen


def chest() -> tuple[Volume, np.ndarray]:
    lungs = np.zeros((20, 40, 40), np.uint8)
    lungs[5:15, 10:30, 10:30] = 1
    return Volume(np.full((20, 40, 40), -300, np.int16), (4.0, 4.0, 4.0)), lungs


MAP = np.zeros((1, 1, 32, 48, 48), np.float32)
MAP[..., :24] = 0.7


def test_classifier_is_asked_with_a_crop_of_its_size_and_range() -> None:
    answer = {"probabilities": np.array([[0.25, 0.75]], np.float32), "saliency": MAP}
    inference, seen = classifier(answer)
    ct, lungs = chest()
    size = tuple(int(n) for n in read_parameters("covid_classifier")["size"].split())
    found = classified(ct, ct.like(lungs), inference)
    assert found.probability == pytest.approx(0.75)
    assert found.positive
    assert seen[0].shape == (1, 1, *size)
    assert seen[0] == pytest.approx(0, abs=1e-6)


def test_a_classifier_of_one_logit_is_called_by_its_own_operating_point() -> None:
    one = {"output": "logits", "activation": "sigmoid", "saliency_output": "", "threshold": "0.9"}
    inference, _ = classifier({"probabilities": np.array([[2.0]], np.float32)}, **one)
    ct, lungs = chest()
    case = Case("a", ct, lungs, covid=True)
    figures = measure(case, "class", "covid_classifier", inference).figures
    assert figures["probability"] == pytest.approx(0.8808, abs=1e-4)
    assert figures["called COVID-19"] == 0


def test_the_picture_of_a_classifier_shows_what_it_saw_under_its_map(tmp_path: Path) -> None:
    answer = {"probabilities": np.array([[0.25, 0.75]], np.float32), "saliency": MAP}
    ct, lungs = chest()
    case = Case("a", ct, lungs, covid=False)
    (path,) = draw_worst(
        [measure(case, "class", "covid_classifier", classifier(answer)[0])], tmp_path
    )
    picture = np.asarray(Image.open(path)).astype(int)
    red, blue = picture[-1, :, 0], picture[-1, :, 2]
    assert (red > blue + 50).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("sides", "wrong"), [(False, 8), (True, 10)])
def test_the_slice_that_is_kept_is_the_one_that_is_most_wrong(
    tmp_path: Path, sides: bool, wrong: int
) -> None:
    """Of slice 8 some is not found, of slice 10 all is called the other lung."""
    ct = Volume(np.full((24, 24, 24), -800, np.int16), (3.0, 3.0, 3.0))
    truth = block()
    truth[10] *= 2
    ct.array[block() == 0] = 0
    ct.array[8, 8:12] = 0
    inference = FakeInference({"lung_seg": marks(aired)})

    measured = measure(Case("a", ct, truth, sides), "lung", "lung_seg", inference)

    assert isinstance(measured.shown, Slice)
    assert measured.shown.z == wrong
    assert np.array_equal(measured.shown.hu, ct.array[wrong])
    (path,) = draw_worst([measured], tmp_path)
    assert Image.open(path).size == (640, 640)


def test_no_case_s_volume_is_kept_and_of_the_worst_what_is_drawn() -> None:
    arrays = []

    def make(number: int) -> Case:
        """So many slices of a lung are found; where it is none, nothing is known of the truth."""
        ct = Volume(np.full((24, 24, 24), 0, np.int16), (3.0, 3.0, 3.0))
        ct.array[8 : 8 + number, 8:16, 8:16] = -800
        truth = block()
        arrays.extend([weakref.ref(ct.array), weakref.ref(truth)])
        return Case(str(number), ct, truth if number else None)

    cases = Cases(tuple(partial(make, number) for number in (8, 3, 1, 5, 0, 7, 2, 6, 4)))
    chosen = Chosen("lung_seg", "1", "ab", FakeInference({"lung_seg": marks(aired)}))
    measured, left_out = _measured(cases, "lung", chosen)

    assert [each.name for each in measured] == list("12345678")
    assert [each.shown is not None for each in measured] == [True] * 6 + [False] * 2
    assert [each["code"] for each in left_out] == ["truth-missing"]
    assert not any(array() is not None for array in arrays)


def test_a_case_that_the_model_can_t_answer_is_left_out() -> None:
    def answer(inputs):  # type: ignore[no-untyped-def]
        if inputs["volume"].max() > 0:
            raise MemoryError("too large")
        return {"probabilities": np.ones_like(inputs["volume"])}

    inference = FakeInference({"lung_seg": FakeModel(answer, read_parameters("lesion_seg"))})
    cts = [Volume(np.full((24, 24, 24), hu, np.int16), (3.0, 3.0, 3.0)) for hu in (-900, 200)]
    cases = Cases(tuple(partial(Case, str(n), ct, block()) for n, ct in enumerate(cts)))

    measured, left_out = _measured(cases, "lung", Chosen("lung_seg", "1", "ab", inference))

    assert [each.name for each in measured] == ["0"]
    assert left_out == [{"code": "model-failed", "message": "1: too large"}]


def test_figures_of_calls_count_the_cases_that_they_are_of() -> None:
    figures = [
        {"probability": p, "covid": covid, "called COVID-19": called}
        for p, covid, called in ((0.9, 1.0, 1.0), (0.6, 1.0, 0.0), (0.2, 0.0, 0.0))
    ]
    told = summary([Measured("a", "", of) for of in figures], "class")
    assert (told["sensitivity"]["n"], told["sensitivity"]["value"]) == (2, 0.5)
    assert (told["specificity"]["n"], told["specificity"]["value"]) == (1, 1.0)
    assert told["called COVID-19: a case"] == {"n": 3, "value": 1}


def test_what_is_marked_without_lesions_is_told_by_kind() -> None:
    marked = {"oedema": 60.0, "healthy": 0.5}
    cases = [
        Measured("a", kind, {"marked % of the lungs": share}) for kind, share in marked.items()
    ]
    told = summary([*cases, Measured("b", "covid", {"dice": 0.8})], "lesion")
    assert {n[23:]: f["mean"] for n, f in told.items() if ": " in n} == marked


def test_the_interval_of_a_calibration_error_holds_it_and_what_a_calibrated_model_shows() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.3, 0.9, 195)
    calibrated, wrong = rng.random(195) < scores, rng.random(195) < scores - 0.2
    low, high = calibration_interval(scores, calibrated)
    assert low == 0 < calibration_error(scores, calibrated) <= high
    low, high = calibration_interval(scores, wrong)
    assert 0 < low < 0.2 < high


def test_summary_tells_the_worst_and_how_many_cases_have_a_figure() -> None:
    figures: tuple[dict[str, float], ...] = (
        {"dice": 0.9, "volume error ml": -50.0},
        {"dice": 0.7, "volume error ml": 20.0},
        {},
    )
    told = summary([Measured("a", "", of) for of in figures], "lesion")
    assert (told["dice"]["n"], told["dice"]["median"], told["dice"]["worst"]) == (2, 0.8, 0.7)
    assert told["volume error ml"]["worst"] == -50


def saved(array: np.ndarray, path: Path, spacing: float = 4.0) -> None:
    sitk.WriteImage(to_sitk(Volume(array, (spacing, spacing, spacing))), str(path))


def test_a_folder_gives_cases_with_the_labels_that_count(tmp_path: Path) -> None:
    for ending in ("nii.gz", "nrrd", "mha"):
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{ending[:3]}.{ending}")
        saved(block() * 3, tmp_path / f"{ending[:3]}-label.{ending}")
    cases = list(cases_in(tmp_path, "lung", frozenset({3})))
    assert [case.name for case in cases] == ["mha", "nii", "nrr"]
    assert all(np.array_equal(np.asarray(case.lungs), block()) for case in cases)


@pytest.mark.parametrize("task", ["lung", "lesion"])
def test_labels_that_no_mask_holds_are_refused_and_those_that_one_holds_count(
    tmp_path: Path, task: Task
) -> None:
    for name, label in (("healthy", 0), ("sick", 3)):
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{name}.nrrd")
        saved(block() * label, tmp_path / f"{name}-label.nrrd")
    with pytest.raises(BadInput, match="any of 1, 2, only 3") as refused:
        cases_in(tmp_path, task, frozenset({1, 2}))
    assert refused.value.code == "labels-not-found"
    assert len(cases_in(tmp_path, task, frozenset({1, 3}))) == 2


def test_what_is_hidden_and_a_folder_of_something_else_are_no_cases(tmp_path: Path) -> None:
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    saved(block(), tmp_path / "a.mask.nrrd")
    for name in ("._a.nrrd", "._a.mask.nrrd"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"\x89PNG")
    assert [case.name for case in cases_in(tmp_path, "lung", None)] == ["a"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "a.mask.nrrd").unlink(), "mask-missing"),
        (lambda folder: saved(block(), folder / "a.mask.nrrd", spacing=3.0), "grids-differ"),
        (lambda folder: (folder / "a.nrrd").write_text("no image"), "unreadable"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_a_code(tmp_path: Path, spoil, code: str) -> None:  # type: ignore[no-untyped-def]
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    saved(block(), tmp_path / "a.mask.nrrd")
    spoil(tmp_path)
    with pytest.raises(BadInput) as refused:
        list(cases_in(tmp_path, "lung", None))
    assert refused.value.code == code


def test_classifier_cases_need_a_row_each(tmp_path: Path) -> None:
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "a.nrrd")
    (tmp_path / "labels.csv").write_text("case,covid\nb,1\n")
    with pytest.raises(BadInput, match="a") as refused:
        cases_in(tmp_path, "class", None)
    assert refused.value.code == "label-missing"
    (tmp_path / "labels.csv").write_text("case,covid\na,yes\n")
    assert [case.covid for case in cases_in(tmp_path, "class", None)] == [True]


def test_command_tells_a_problem_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--task", "lung", "--data", str(tmp_path / "none")]) == 2
    assert "error: no-such-folder" in capsys.readouterr().err


def test_command_measures_a_folder_and_tells_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(np.full((24, 24, 24), -1000, np.int16), tmp_path / "air.nii.gz")
    saved(block() * 0, tmp_path / "air.mask.nii.gz")
    saved(np.zeros((24, 24, 24), np.int16), tmp_path / "other.nrrd")
    saved(block(), tmp_path / "other.mask.nrrd", spacing=3.0)
    assert main(["--task", "lung", "--data", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["name"] == "lung_seg"
    assert [case["case"] for case in report["cases"]] == ["air"]
    assert report["summary"]["dice"]["n"] == 1
    assert [each["code"] for each in report["left_out"]] == ["grids-differ"]


def test_every_case_of_a_folder_is_measured(tmp_path: Path) -> None:
    for name in "ab":
        saved(np.zeros((24, 24, 24), np.int16), tmp_path / f"{name}.nrrd")
        saved(block(), tmp_path / f"{name}.mask.nrrd")
    chosen = Chosen("lung_seg", "1", "ab", FakeInference({}))
    assert len(_cases(Asked("lung", str(tmp_path), cases=1), chosen)) == 2


def test_scores_of_real_series_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "scored.json"
    path.write_text('{"a": {"lung": 3}}')
    count_scores("lung", ["a", "b"], path)
    count_scores("class", ["a"], path)
    assert read_scores(path) == {"a": {"class": 1, "lung": 4}, "b": {"lung": 1}}
