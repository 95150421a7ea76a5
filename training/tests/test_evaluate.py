"""How masks are compared, and that the figures are the pipeline's own."""

import numpy as np
import pytest

from shared.imaging.volume import Volume
from shared.inference.fake import FakeInference, FakeModel
from training.config import read_parameters
from training.evaluate import covid_probability, dice


def test_dice_of_halves() -> None:
    a, b = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert (dice(a, b), dice(a, a), dice(a & b, a & ~a)) == (0.5, 1.0, 0.0)


def test_classifier_is_asked_with_a_crop_of_its_size_and_range() -> None:
    seen = []

    def answer(inputs):  # type: ignore[no-untyped-def]
        seen.append(inputs["volume"])
        return {"probabilities": np.array([[0.25, 0.75]], np.float32)}

    name = "covid_classifier"
    inference = FakeInference({name: FakeModel(answer, read_parameters(name))})
    hu = Volume(np.full((20, 40, 40), -300, np.int16), (4.0, 4.0, 4.0))
    lungs = np.zeros((20, 40, 40), np.uint8)
    lungs[5:15, 10:30, 10:30] = 1
    assert covid_probability(hu, hu.like(lungs), inference) == pytest.approx(0.75)
    assert seen[0].shape == (1, 1, 64, 96, 96)
    assert seen[0] == pytest.approx(0, abs=1e-6)
