"""`python -m phantom`: write an invented chest CT as a DICOM series."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pydicom.dataset import Dataset

from phantom.anatomy import draw
from phantom.dicom import series, write
from phantom.recipe import Recipe
from phantom.refusals import REFUSALS, STUDIES
from phantom.warned import WARNINGS

EXTENT = 330.0
"""Length of the scan, mm: a whole adult chest."""
WIDTH = 380.0
"""Width of the image, mm."""
THICKEST = 5.0
"""Slices thicker than this, in mm, few pipelines choose."""
EPILOG = f"""examples:
  python -m phantom --out chest                        64 slices with COVID-19, ready to send
  python -m phantom --out healthy --lesions 0          the same patient without it
  python -m phantom --out large --slices 300 --size 512
  python -m phantom --out tilted --refusal gantry-tilt a small study that is to be refused

The same seed gives the same patient, voxels and UIDs each time. The people are invented; nothing
in the images comes from a patient.

refusals: {", ".join(REFUSALS)}
warnings: {", ".join(WARNINGS)}
"""


def main(arguments: list[str] | None = None, say: Callable[[str], object] | None = None) -> int:
    """Run the command; returns the exit status (argparse ends with 2 on wrong usage)."""
    asked = _parser().parse_args(arguments)
    tell = say or sys.stderr.write
    datasets = _datasets(asked, tell)
    tell(f"writing {len(datasets)} files to {asked.out}\n")
    write(datasets, asked.out)
    first = datasets[0]
    tell(f"done: {first.PatientName}, {first.PatientID}, study {first.StudyInstanceUID}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m phantom",
        description="Draw an invented chest CT and write it as a DICOM series, a file a slice.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FOLDER", help="where to; made if missing")
    add("--seed", type=_count(0), default=0, help="which patient (default 0)")
    add(
        "--slices",
        type=_count(2),
        default=64,
        help="how many, over 33 cm, 5 mm at most (default 64)",
    )
    add("--size", type=_count(16), default=256, help="rows and columns (default 256)")
    add(
        "--lesions", type=_count(0), default=6, help="opacities of COVID-19; 0: healthy (default 6)"
    )
    add(
        "--refusal",
        choices=sorted(STUDIES),
        metavar="CODE",
        help="instead, a small study that is to be refused, or warned of, for this reason",
    )
    return parser


def _count(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def _datasets(asked: argparse.Namespace, tell: Callable[[str], object]) -> list[Dataset]:
    if asked.refusal:
        tell(f"making a study for {asked.refusal}\n")
        return STUDIES[asked.refusal](asked.seed)
    tell(f"drawing patient {asked.seed}: {asked.slices} slices of {asked.size} x {asked.size}\n")
    thickness = min(round(EXTENT / asked.slices, 2), THICKEST)
    pixel = round(WIDTH / asked.size, 4)
    recipe = Recipe(
        seed=asked.seed,
        shape=(asked.slices, asked.size, asked.size),
        spacing=(thickness, pixel, pixel),
        scale=0.92,
        kind="covid" if asked.lesions else "healthy",
        lesions=asked.lesions,
        blanket=True,
    )
    return series(draw(recipe))


if __name__ == "__main__":
    sys.exit(main())
