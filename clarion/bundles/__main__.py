"""Converts a bundle where PyTorch is: `python -m clarion.bundles BUNDLE FOLDER [NAME]`."""

import sys
from pathlib import Path

from clarion.bundles.convert import convert
from deploy.modelrepo.refused import Refused


def main(arguments: list[str]) -> int:
    """Write the model's folder and its notes; 1 and the reason when it can't be converted."""
    if len(arguments) not in {2, 3}:
        print(__doc__, file=sys.stderr)  # noqa: T201 - a command's output
        return 2
    bundle, into, *name = arguments
    try:
        made = convert(Path(bundle), Path(into), name[0] if name else None)
    except Refused as refused:
        print(refused, file=sys.stderr)  # noqa: T201
        return 1
    print(made.folder, *made.notes, sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
