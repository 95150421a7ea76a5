"""Fits the input gate of segmentation models on phantoms: `python -m training.gate [MODEL…]`.

Writes the parameter `gate` into the model's `config.pbtxt`, and `gate.json` beside it: what it was
fitted to, how often it warns of phantoms it never saw, and of images that are none. It depends on
the phantoms and on the model's grid, not on its weights. The same phantoms give the same files.

With --real the gate that stands is asked about the real CT of this machine instead, and the answer
is added to `gate.json`; nothing is ever fitted to them. It counts as one score of each series.
Without real CT on this machine it says so, and leaves the file as it is.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.appearance import FEATURES, measured, measured_turned
from shared.imaging.gate import Gate, fitted, read_gate, written
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from training import config
from training.evaluation.problem import BadInput
from training.evaluation.run import CACHE as HELD_OUT_CACHE
from training.evaluation.scored import GATE, count_scores
from training.gate_figures import (
    Rows,
    chance,
    nearer,
    of_other_family,
    of_real,
    of_strange,
    shown,
    warned,
)
from training.phantoms import CACHE, Case, draw_missing, load

NAMES = ("lung_seg", "lesion_seg")
FITTED = range(240)
"""Seeds whose features the gate holds, every fifth also as training varies it."""

LIMITING = range(300, 480)
"""Seeds that it was not fitted to, from which its limit and its margin are taken."""

HELD_OUT = range(480, 600)
"""Seeds that the gate never saw; models learnt from these, which a gate doesn't ask."""

SHRINKAGE = 0.05
WIDENING = 0.2
QUANTILE = 0.995
_VARIED = 5


def main() -> int:
    options = _options()
    if not options.real:
        _draw(options.cache, range(HELD_OUT.stop), options.processes)
    for name in options.models or NAMES:
        folder = config.MODELS / name
        try:
            figures = real(name, folder) if options.real else fit(name, options, folder)
        except BadInput as problem:
            sys.stderr.write(f"left out: {problem.code}: {problem.message}\n")
            continue
        (folder / "gate.json").write_text(json.dumps(figures, indent=1) + "\n")
        json.dump({name: figures}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    return 0


def fit(name: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fit the gate of one model, write it into its configuration, and give the figures."""
    parameters = _parameters(name)

    def cases(seeds: Iterable[int]) -> Iterable[Case]:
        phantoms = config.read_phantoms()
        return (load(options.cache, phantoms, seed) for seed in seeds)

    def turned(seeds: Iterable[int]) -> Rows:
        return np.array([_turned(case, parameters) for case in cases(seeds)])

    plain = [_row(case, parameters) for case in cases(FITTED)]
    varied = [_varied(case, parameters) for case in cases(FITTED[::_VARIED])]
    gate = limited(np.array(plain + varied), turned(LIMITING))
    write(gate, folder)
    return {
        "fitted to": f"{len(plain)} phantoms, and {len(varied)} of them varied",
        "features": list(FEATURES),
        "limit": round(gate.limit, 2),
        "margin": round(gate.margin, 2),
        "warned of phantoms it never saw": warned(gate, turned(HELD_OUT)),
        "warned of what is no such image": of_strange(
            gate, list(cases(HELD_OUT[: options.strange])), parameters
        ),
        "warned of phantoms drawn another way": of_other_family(
            gate, options.others, HELD_OUT_CACHE, parameters
        ),
    }


def real(name: str, folder: Path) -> dict[str, Any]:
    """The figures that stand, and what the gate says of each real CT; one more score of each."""
    figures: dict[str, Any] = json.loads((folder / "gate.json").read_text())
    gate = read_gate(config.read_parameters(name)["gate"])
    found = of_real(gate, _parameters(name))
    count_scores(GATE, found)
    return {**figures, "real CT": found}


def limited(rows: NDArray[np.float64], limiting: Rows) -> Gate:
    """The gate of images that can be measured, its limits taken from others (with their turns).

    The ranges are those of both: how far a single feature goes takes many images to see.
    """
    whole = rows[np.isfinite(rows).all(axis=1)]
    others = limiting[np.isfinite(limiting).all(axis=(1, 2))]
    free = fitted(whole, SHRINKAGE, WIDENING)
    ranges = fitted(np.concatenate([whole, others[:, 0]]), SHRINKAGE, WIDENING)
    distances = [free.distances(each) for each in others]
    return free.model_copy(
        update={
            "low": ranges.low,
            "high": ranges.high,
            "limit": float(np.quantile([each[0] for each in distances], QUANTILE)),
            "margin": max(0.0, float(np.quantile([nearer(each) for each in distances], QUANTILE))),
        }
    )


def write(gate: Gate, folder: Path) -> None:
    """The parameter in `config.pbtxt`, in the place of an older one."""
    config.write_parameter(folder, "gate", written(gate))


def _row(case: Case, parameters: SegmentationParameters) -> NDArray[np.float64]:
    return measured(shown(case, parameters), parameters.spacing_mm)


def _turned(case: Case, parameters: SegmentationParameters) -> Rows:
    return measured_turned(shown(case, parameters), parameters.spacing_mm)


def _varied(case: Case, parameters: SegmentationParameters) -> NDArray[np.float64]:
    """As another scanner would show it."""
    # Needs torch, which reading and writing a gate does not.
    from training.scanner import vary

    hu = vary(shown(case, parameters), chance(case))
    return measured(hu, parameters.spacing_mm)


def _parameters(name: str) -> SegmentationParameters:
    return read_parameters(SegmentationParameters, name, config.read_parameters(name))


def _draw(cache: Path, seeds: range, processes: int) -> None:
    for done, count in draw_missing(cache, config.read_phantoms(), seeds, processes):
        sys.stderr.write(f"\rphantom {done}/{count}   ")
        sys.stderr.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.gate", description=__doc__)
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help=f"of {', '.join(NAMES)}; all")
    add("--real", action="store_true", help="score the real CT with the gate that stands")
    add("--strange", type=int, default=10, metavar="N", help="images of each strange kind (10)")
    add("--others", type=int, default=10, metavar="N", help="of the second family (10)")
    add("--cache", type=Path, default=CACHE, help="drawn phantoms")
    add("--processes", type=int, default=1, help="that draw")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
