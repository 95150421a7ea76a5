"""How the lesions' threshold is chosen from what the model says of phantoms."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.inference.fake import FakeInference, FakeModel
from training.config import read_parameters
from training.phantoms import Case
from training.threshold import MARKED, NAME, Judged, choose, judge

_SIZE = (16, 16, 16)


def saying(probabilities: NDArray[np.float32]) -> FakeInference:
    """A model that says the same of every volume."""
    answer = {"probabilities": probabilities[None, None]}
    return FakeInference({NAME: FakeModel(lambda _: answer, read_parameters(NAME))})


def chest(lesions: NDArray[np.uint8], others: NDArray[np.uint8]) -> Case:
    everywhere = np.ones(_SIZE, np.uint8)
    hu = np.full(_SIZE, -800, np.int16)
    return Case(hu, everywhere, lesions, others, "healthy", False, (3.0, 3.0, 3.0))


def test_a_scar_that_is_marked_is_no_healthy_lung_that_is() -> None:
    nothing, scar = np.zeros(_SIZE, np.uint8), np.zeros(_SIZE, np.uint8)
    scar[:4] = 1
    lesion = np.zeros(_SIZE, np.uint8)
    lesion[:8] = 1
    marked = np.where(lesion, np.float32(0.9), np.float32(0.0))

    judged = judge([chest(lesion, nothing), chest(nothing, scar)], saying(marked))

    assert {each.dice for each in judged} == {1.0}
    assert [each.marked for each in judged] == pytest.approx([1 / 3] * len(judged))


def test_the_best_is_chosen_among_those_that_mark_little() -> None:
    greedy, good, shy = Judged(0.1, 0.9, 2 * MARKED), Judged(0.3, 0.8, MARKED), Judged(0.6, 0.5, 0)
    assert choose([greedy, good, shy]) == good
    assert choose([greedy]) == greedy
