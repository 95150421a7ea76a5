"""Writes the cards of the models from their figures: `python -m training.cards [MODEL…]`.

With --measure the figures come first: every model on drawn chests of both kinds, on implants and
on the real CT of this machine, into `models/<name>/figures.json`. Each such run counts as one
score of each real series (`evaluation/scored.json`). The same figures give the same card.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from training.card_text import card
from training.config import MODELS, NAMES, read_parameters, read_plan
from training.evaluation.cases import Task
from training.evaluation.problem import BadInput
from training.evaluation.run import CACHE, Asked, Report, run
from training.evaluation.scored import read_scores
from training.inference import newest_weights

WORDS = Path(__file__).with_name("card_words.yaml")
SOURCES: dict[Task, tuple[str, ...]] = {
    "lung": ("phantoms", "otherphantoms", "implants", "real"),
    "lesion": ("phantoms", "otherphantoms", "implants", "real"),
    "class": ("phantoms", "otherphantoms", "real"),
}
"""What each task is measured on."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    words: dict[str, Any] = yaml.safe_load(WORDS.read_text())
    for name in options.models or NAMES:
        folder = MODELS / name
        try:
            if options.measure:
                _keep(folder, _measured(words[name]["task"], options))
            (folder / "card.md").write_text(_card(folder, words[name]))
        except BadInput as problem:
            sys.stderr.write(f"error: {problem.code}: {problem.message}\n")
            return 2
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.cards", description=__doc__)
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help=f"of {', '.join(NAMES)}; all")
    add("--measure", action="store_true", help="measure first; scores the real CT once more")
    add("--cases", type=int, default=60, metavar="N", help="of each drawn kind (60)")
    add("--implants", type=int, default=30, metavar="N", help="among all patients (30)")
    add("--cache", type=Path, default=CACHE, metavar="FOLDER", help="where drawn cases are kept")
    add("--threads", type=int, default=2, metavar="N")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.models) - set(NAMES)):
        parser.error(f"no such model: {', '.join(unknown)}")
    return options


def _measured(task: Task, options: argparse.Namespace) -> list[Report]:
    """The reports, source by source; a machine without real CT leaves out what needs it."""
    reports = []
    for data in SOURCES[task]:
        count = options.implants if data == "implants" else options.cases
        asked = Asked(task, data, count, cache=options.cache, threads=options.threads)
        try:
            reports.append(run(asked)[0])
        except BadInput as problem:
            if problem.code != "no-real-data":
                raise
            sys.stderr.write(f"{data} left out: {problem.message}\n")
    return reports


def _keep(folder: Path, reports: Sequence[Report]) -> None:
    """Summaries, and the real cases one by one; drawn ones can be drawn again."""
    kept = [
        report if report["data"] == "real" else {k: v for k, v in report.items() if k != "cases"}
        for report in reports
    ]
    (folder / "figures.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _card(folder: Path, words: dict[str, Any]) -> str:
    """Raises `BadInput` for figures of other weights than those beside them."""
    path, weights = folder / "figures.json", newest_weights(folder)
    if not path.exists() or weights is None:
        raise BadInput("not-measured", f"{folder.name} has no figures: run with --measure")
    reports: list[Report] = json.loads(path.read_text())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if any(report["model"]["sha256"] != digest for report in reports):
        raise BadInput("other-weights", f"{path} is of other weights: run with --measure")
    plan, parameters = read_plan(folder.name), read_parameters(folder.name)
    return card(words, reports, plan, parameters, weights.stat().st_size, read_scores())


if __name__ == "__main__":
    sys.exit(main())
