"""Fits the input gate of segmentation models on phantoms: `python -m training.gate [MODEL…]`.

Writes the parameter `gate` into the model's `config.pbtxt`, and `gate.json` beside it: what it was
fitted to, how often it warns of phantoms it never saw, and of images that are none. It depends on
the phantoms and on the model's grid, not on its weights. The same phantoms give the same files.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.appearance import FEATURES, measured
from shared.imaging.gate import FARTHEST, Gate, fitted, written
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import Prepared, prepare
from training import config
from training.phantoms import FIRST_HELD_OUT, Case, draw_missing, load
from training.strange import STRANGE

NAMES = ("lung_seg", "lesion_seg")
FITTED = range(300)
"""Seeds whose features the gate holds."""

LIMITING = range(300, 500)
"""Seeds that it was not fitted to, from which its limit is taken."""

HELD_OUT = range(FIRST_HELD_OUT, FIRST_HELD_OUT + 200)
"""Seeds of which only figures are made."""

SHRINKAGE = 0.02
QUANTILE = 0.99
_STRANGE_EACH = 50
_LEAST_KEPT = 0.6
_PARAMETER = re.compile(r'parameters \{ key: "gate" value: \{ string_value: "[^"]*" \} \}\n')

Rows = NDArray[np.float64]


def main() -> int:
    options = _options()
    for seeds in (FITTED, LIMITING, HELD_OUT):
        _draw(options.cache, seeds, options.processes)
    for name in options.models or NAMES:
        figures = fit(name, options.cache, config.MODELS / name)
        json.dump({name: figures}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    return 0


def fit(name: str, cache: Path, folder: Path) -> dict[str, Any]:
    """Fit the gate of one model, write it into its folder, and give the figures."""
    parameters = read_parameters(SegmentationParameters, name, config.read_parameters(name))
    phantoms = config.read_phantoms()

    def rows(seeds: range) -> Rows:
        cases = (load(cache, phantoms, seed) for seed in seeds)
        return np.array([row for case in cases for row in _rows(case, parameters)])

    training = rows(FITTED)
    whole = np.isfinite(training).all(axis=1)
    free = fitted(training[whole], SHRINKAGE)
    limit = float(np.quantile(distances(free, rows(LIMITING)), QUANTILE))
    gate = free.model_copy(update={"limit": limit})
    held = [load(cache, phantoms, seed) for seed in HELD_OUT[:_STRANGE_EACH]]
    figures = {
        "fitted to": f"{int(whole.sum())} images of {len(FITTED)} phantoms",
        "features": list(FEATURES),
        "limit": round(limit, 2),
        "warned of held-out phantoms": warned(gate, rows(HELD_OUT)),
        "warned of what is no such image": {
            kind: warned(gate, np.array(list(_strange(kind, held, parameters)))) for kind in STRANGE
        },
    }
    write(gate, figures, folder)
    return figures


def distances(gate: Gate, rows: Rows) -> NDArray[np.float64]:
    """Of images by their features (images, features)."""
    return np.array([gate.distance_of(row) for row in rows])


def warned(gate: Gate, rows: Rows) -> dict[str, Any]:
    """How many of some images lie beyond the limit, and how far off they lie (median)."""
    found = distances(gate, rows)
    return {
        "images": len(found),
        "warned": int((found > gate.limit).sum()),
        "median distance": round(min(FARTHEST, float(np.median(found))), 2),
    }


def write(gate: Gate, figures: dict[str, Any], folder: Path) -> None:
    """The parameter in `config.pbtxt`, in the place of an older one, and the figures beside it."""
    path = folder / "config.pbtxt"
    line = f'parameters {{ key: "gate" value: {{ string_value: "{written(gate)}" }} }}\n'
    path.write_text(_PARAMETER.sub("", path.read_text()).rstrip("\n") + "\n" + line)
    (folder / "gate.json").write_text(json.dumps(figures, indent=1) + "\n")


def _rows(case: Case, parameters: SegmentationParameters) -> Iterator[Rows]:
    """A phantom as it was drawn, and as training shows it: another scanner's, and cut."""
    # Needs torch, which reading and writing a gate does not.
    from training.scanner import vary

    prepared = _shown(case, parameters)
    yield _features(prepared.hu, parameters)
    rng = _chance(case)
    yield _features(vary(_cut(prepared.hu, rng), rng), parameters)


def _strange(kind: str, cases: list[Case], parameters: SegmentationParameters) -> Iterator[Rows]:
    step = float(np.mean(parameters.spacing_mm))
    for case in cases:
        hu = STRANGE[kind](_shown(case, parameters).hu, step, _chance(case))
        yield _features(hu, parameters)


def _shown(case: Case, parameters: SegmentationParameters) -> Prepared:
    """As the pipeline prepares it."""
    return prepare(case.on_grid(case.hu), parameters)


def _features(hu: NDArray[np.float32], parameters: SegmentationParameters) -> Rows:
    return measured(hu, parameters.spacing_mm)


def _chance(case: Case) -> np.random.Generator:
    """The same for the same phantom."""
    return np.random.default_rng(int(np.abs(case.hu[::7, ::7, ::7].astype(np.int64)).sum()))


def _cut(hu: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A scan that begins lower or ends higher."""
    count = round(len(hu) * rng.uniform(_LEAST_KEPT, 1))
    first = int(rng.integers(0, len(hu) - count + 1))
    return hu[first : first + count]


def _draw(cache: Path, seeds: range, processes: int) -> None:
    for done, count in draw_missing(cache, config.read_phantoms(), seeds, processes):
        sys.stderr.write(f"\rphantom {done}/{count}   ")
        sys.stderr.flush()


def _options() -> argparse.Namespace:
    scratch = Path.home() / ".cache" / "clarion-training"
    parser = argparse.ArgumentParser(prog="python -m training.gate", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--cache", type=Path, default=scratch / "phantoms", help="drawn phantoms")
    parser.add_argument("--processes", type=int, default=1, help="that draw")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
