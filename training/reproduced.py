"""Whether a second training gave as good models: `python -m training.reproduced MODELS`.

MODELS is the `models/` folder of another checkout, trained and measured there with `make train`.
Reproduced means: on drawn chests that neither was trained on, the headline figure of each task lies
in the 95 % interval of the first one's. The figures beside it that lie outside are told too: of
many, some do by chance. Exit status 0 if each headline lies within; 2 where the two can't be
compared: measured on other kinds of drawn chests or on other numbers of cases, or the same weights,
which repeat themselves and were not trained again.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from training.config import MODELS, NAMES
from training.evaluation.problem import BadInput
from training.evaluation.run import Report

HEADLINES = {"lung": "dice", "lesion": "dice", "class": "area under the ROC curve"}
"""Of each task; the figures beside it follow from the same cases."""
DRAWN = ("phantoms", "otherphantoms", "implants")


@dataclass(frozen=True)
class Pair:
    """One figure of both trainings."""

    model: str
    data: str
    figure: str
    first: float
    interval: tuple[float, float]
    again: float
    headline: bool

    @property
    def within(self) -> bool:
        low, high = self.interval
        return low <= self.again <= high


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        pairs = [pair for name in NAMES for pair in compared(name, MODELS, options.models)]
    except FileNotFoundError as missing:
        sys.stderr.write(f"error: not-measured: no {missing.filename}; run `make train` there\n")
        return 2
    except BadInput as problem:
        sys.stderr.write(f"error: {problem.code}: {problem.message}\n")
        return 2
    if options.json:
        rows = [{**asdict(pair), "within": pair.within} for pair in pairs]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        _show(pairs)
    return 0 if all(pair.within for pair in pairs if pair.headline) else 1


def compared(name: str, first: Path, again: Path) -> Iterator[Pair]:
    """The figures of one model on each kind of drawn chest, the headline of each kind first.

    Raises `FileNotFoundError` where either was not measured, and `BadInput` where they can't be
    compared.
    """
    here, there = _reports(first / name), _reports(again / name)
    if not here or set(here) != set(there):
        told = " and ".join(", ".join(each) or "none" for each in (here, there))
        raise BadInput("unlike-data", f"{name} was measured on {told}; measure both on the same")
    for data, report in here.items():
        _require_other_weights(name, report, there[data])
        headline = HEADLINES[report["task"]]
        _require_like_counts(name, headline, report, there[data])
        one, other = report["summary"], there[data]["summary"]
        for figure in sorted(one, key=lambda figure: figure != headline):
            interval = one[figure].get("median_interval", one[figure].get("interval"))
            if interval and figure in other:
                values = _value(one[figure]), tuple(interval), _value(other[figure])
                yield Pair(name, data, figure, *values, figure == headline)


def _require_like_counts(name: str, figure: str, one: Report, other: Report) -> None:
    counts = [(each.get("asked"), each["summary"][figure]["n"]) for each in (one, other)]
    if counts[0] != counts[1]:
        told = " and ".join(f"{n} of {asked} asked for" for asked, n in counts)
        raise BadInput(
            "unlike-counts",
            f"{name} on {one['data']}: {figure} of {told}; measure both with the same --cases",
        )


def _require_other_weights(name: str, one: Report, other: Report) -> None:
    weights = one["model"]["sha256"]
    if weights == other["model"]["sha256"]:
        raise BadInput(
            "same-weights",
            f"{name} has the weights {weights[:12]} on both sides: nothing was trained again",
        )


def _reports(model: Path) -> dict[str, Report]:
    """By kind of drawn chest, in the order of `DRAWN`."""
    found = {each["data"]: each for each in json.loads((model / "figures.json").read_text())}
    return {data: found[data] for data in DRAWN if data in found}


def _value(figure: dict[str, float]) -> float:
    return figure.get("median", figure.get("value", float("nan")))


def _show(pairs: Sequence[Pair]) -> None:
    # Here, as the environment that trains has nothing to draw with.
    from rich.console import Console
    from rich.table import Table

    table = Table("model, data: figure", box=None)
    for column in ("first", "95 % interval", "again", "within"):
        table.add_column(column, justify="right", no_wrap=True)
    for pair in pairs:
        if pair.headline or not pair.within:
            low, high = pair.interval
            figures = (f"{pair.first:.3f}", f"{low:.3f} to {high:.3f}", f"{pair.again:.3f}")
            told = "yes" if pair.within else "no"
            table.add_row(f"{pair.model}, {pair.data}: {pair.figure}", *figures, told)
    within = sum(pair.within for pair in pairs)
    Console().print(
        table, f"{within} of {len(pairs)} figures lie within; shown: headlines, outside"
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    head, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduced", description=head, epilog=rest
    )
    parser.add_argument("models", type=Path, metavar="MODELS", help="the other models/ folder")
    parser.add_argument("--json", action="store_true", help="for machines, on standard output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
