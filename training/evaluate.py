"""How good a model is, measured on cases with truth by the pipeline's own code.

    python -m training.evaluate --task lung --data phantoms
    python -m training.evaluate --task lesion --data /data/covid --worst worst/ --json

DATA is a folder of your own cases, or one of
  phantoms       drawn chests of the kind that trains the models, with seeds never trained on
  otherphantoms  drawn chests by other code, never trained on
  implants       lesions drawn into real lungs
  real           the real CT of this machine; each use is counted, as scores must not choose

A folder holds, for each case NAME:
  NAME.nii.gz or .nii .nrrd .mha .mhd, or a folder NAME/ of DICOM files   the CT, in HU
  NAME.mask.nii.gz (or NAME-label, NAME_mask; any of the endings)         the truth of the task
  NAME.lungs.nii.gz                            where lesions count; else what the lung model finds
  labels.csv with the columns case,covid       the truth for --task class
A mask lies on its CT's grid, in whatever order its file holds rows and slices. Any label above 0
counts, or those of --labels.

Figures: Dice; surface Dice (share of both surfaces within 2 mm, or within the shortest side of a
voxel where that is longer, Nikolov et al. 2018); volume error; where there is no lesion, what is
marked nevertheless; for probabilities the area under the ROC curve, accuracy, sensitivity,
specificity, calibration error (10 bins) and Brier score.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from training.evaluation.cases import Task
from training.evaluation.problem import BadInput
from training.evaluation.run import CACHE, Asked, Report, run


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    names = ("task", "data", "cases", "labels", "model", "cache", "threads")
    asked = Asked(**{name: getattr(options, name) for name in names})
    try:
        report, measured = run(asked)
    except BadInput as problem:
        sys.stderr.write(f"error: {problem.code}: {problem.message}\n")
        return 2
    _tell(report, options.json)
    if options.worst:
        # Here, as the environment that trains has nothing to draw with.
        from training.evaluation.pictures import draw_worst

        for path in draw_worst(measured, options.worst):
            sys.stderr.write(f"{path}\n")
    return 0


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        json.dump(report, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    from training.evaluation.table import show

    show(report, Console())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    head, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=head,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--task", required=True, choices=get_args(Task))
    add("--data", required=True, help="a folder, or one of the names below")
    add("--cases", type=_positive, default=40, metavar="N", help="drawn ones or implants (40)")
    add("--labels", type=_numbers, metavar="1,2", help="the mask's labels that count; any above 0")
    add("--model", help="a name in models/, a Triton model or version folder")
    add("--worst", type=Path, metavar="FOLDER", help="draw the worst cases there, as PNG")
    add("--json", action="store_true", help="for machines: everything, on standard output")
    add("--cache", type=Path, default=CACHE, metavar="FOLDER", help="where drawn cases are kept")
    add("--threads", type=_positive, default=2, metavar="N")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def _numbers(text: str) -> frozenset[int]:
    try:
        return frozenset(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"numbers with commas between, not {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
