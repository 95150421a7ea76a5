"""What the evaluation tells of a case, and what it keeps to draw it."""

import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from training.config import read_parameters
from training.evaluation.cases import Case, Cases
from training.evaluation.chosen import Chosen
from training.evaluation.measure import Slice, classified, measure
from training.evaluation.pictures import draw_worst
from training.evaluation.run import _in_found_lungs, _measured
from training.tests.blocks import block


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
