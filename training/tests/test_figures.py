"""The figures themselves: overlap, surfaces, probabilities, and their summary."""

import numpy as np
import pytest

from training.evaluation.measure import Measured
from training.evaluation.overlap import dice, surface_dice
from training.evaluation.probabilities import (
    calibration_error,
    calibration_interval,
    interval,
    roc_area,
)
from training.evaluation.summary import summary
from training.tests.blocks import block


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
