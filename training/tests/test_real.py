"""What is known of the real CT of this machine lies where its images are."""

import numpy as np

from shared.imaging.volume import Volume
from training.evaluation.real import box_of, described


def test_a_box_is_in_millimetres_of_the_patient() -> None:
    ct = Volume(np.zeros((4, 5, 6), np.int16), (2.0, 3.0, 5.0), (-4.0, 10.0, 100.0))
    box = box_of({"x": [-2, 2], "y": [12, 17], "z": [104, 200]}, ct)
    expected = np.zeros((4, 5, 6), bool)
    expected[1:, 1:3, 1:4] = True
    assert np.array_equal(box, expected)


def test_each_series_is_described_with_its_ct() -> None:
    assert all("ct" in known for known in described().values())
