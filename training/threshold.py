"""Chooses the lesion model's threshold: `python -m training.threshold`.

On phantoms that neither train nor measure it: the threshold of the highest mean Dice within the
lungs, among those that mark at most `MARKED` of healthy lungs, scars and bands left out: they
are taken for lesions by readers too. Writes it into `config.pbtxt`.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.events.models import Lane
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import ask, scaled
from shared.inference.port import Inference
from training.config import MODELS, read_phantoms, write_parameter
from training.inference import exported_models
from training.phantoms import CACHE, Case, draw_missing, load

NAME = "lesion_seg"
SEEDS = range(500_000, 500_080)
"""Phantoms for choosing alone."""
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 13))
MARKED = 0.002
"""Share of healthy lungs that may be marked: half of what is forgiven on real ones, and less."""

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """Mean Dice within the lungs with pneumonia, mean share marked of healthy lungs."""

    threshold: float
    dice: float
    marked: float


def main() -> int:
    options = _options()
    phantoms = read_phantoms()
    for done, count in draw_missing(options.cache, phantoms, SEEDS, options.threads):
        sys.stderr.write(f"\rphantom {done}/{count}   ")
    cases = (load(options.cache, phantoms, seed) for seed in SEEDS)
    judged = judge(cases, exported_models(options.threads))
    for each in judged:
        line = f"threshold {each.threshold:.2f}: Dice {each.dice:.3f}, marked {each.marked:.3%}\n"
        sys.stderr.write(line)
    write_parameter(MODELS / NAME, "threshold", f"{choose(judged).threshold:g}")
    return 0


def judge(cases: Iterable[Case], inference: Inference) -> list[Judged]:
    """Every threshold, on the same probabilities."""
    dice: list[list[float]] = []
    marked: list[list[float]] = []
    for case in cases:
        inside = case.lungs > 0
        found = _probabilities(case, inference)[inside]
        truth, plain = case.lesions[inside] > 0, case.others[inside] == 0
        if truth.any():
            dice.append([_dice(found > threshold, truth) for threshold in THRESHOLDS])
        elif case.kind == "healthy" and plain.any():
            marked.append([float((found[plain] > threshold).mean()) for threshold in THRESHOLDS])
    means = zip(THRESHOLDS, np.mean(dice, axis=0), np.mean(marked, axis=0), strict=True)
    return [Judged(threshold, float(d), float(m)) for threshold, d, m in means]


def choose(judged: Iterable[Judged]) -> Judged:
    """The best that marks little enough of healthy lungs; the strictest where none does."""
    judged = list(judged)
    modest = [each for each in judged if each.marked <= MARKED]
    return max(modest, key=lambda each: each.dice) if modest else judged[-1]


def _probabilities(case: Case, inference: Inference) -> Shares:
    """On the phantom's own grid, which is the model's."""
    expected = read_parameters(SegmentationParameters, NAME, inference.parameters(NAME))
    hu = scaled(case.hu.astype(np.float32), expected)
    margins = [(0, -length % expected.pad_multiple) for length in hu.shape]
    edge = float(scaled(np.float32(expected.pad_value), expected))
    found = ask(np.pad(hu, margins, constant_values=edge), NAME, expected, inference, Lane.ROUTINE)
    z, y, x = hu.shape
    return found[0, :z, :y, :x]


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.threshold", description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help="drawn phantoms")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
