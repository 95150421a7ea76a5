"""Writes the cards of the models from their figures: `python -m training.cards [MODEL…]`.

With --measure the figures come first: every model on drawn chests of both kinds, on implants and
on the real CT of this machine, into `models/<name>/figures.json`. Each such run counts as one
score of each real series (`evaluation/scored.json`), and one with implants. The same figures give
the same card; figures of other weights, another configuration or another plan give none.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import ModelParameters, SegmentationParameters
from shared.imaging.model_parameters import read_parameters as checked
from training.card_text import card
from training.config import MODELS, NAMES, read_parameters, read_plan
from training.evaluation.cases import Task
from training.evaluation.measure import MODELS as REFERENCE
from training.evaluation.problem import BadInput
from training.evaluation.run import CACHE, Asked, Report, run
from training.evaluation.scored import read_scores
from training.inference import newest_weights
from training.stamp import stamped_digest

KINDS: dict[str, type[ModelParameters]] = {
    "segmentation": SegmentationParameters,
    "classification": ClassificationParameters,
}
WORDS = Path(__file__).with_name("card_words.yaml")
SOURCES: dict[Task, tuple[str, ...]] = {
    "lung": ("phantoms", "otherphantoms", "implants", "real"),
    "lesion": ("phantoms", "otherphantoms", "implants", "real"),
    "class": ("phantoms", "otherphantoms", "real"),
}
"""What each task is measured on."""
CASES: dict[Task, int] = {"lung": 50, "lesion": 50, "class": 200}
"""How many of each drawn family; probabilities take more to tell anything."""
IMPLANTS = 30
"""Among all patients."""
OF = {
    "sha256": "weights",
    "configuration": "configuration",
    "plan": "plan",
    "lungs": "lung model",
}
"""What figures were measured with, by its key in a report's `model`."""
LUNGS = MODELS / REFERENCE["lung"]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    words: dict[str, Any] = yaml.safe_load(WORDS.read_text())
    for name in options.models or NAMES:
        folder = MODELS / name
        try:
            if options.measure:
                _keep(folder, _measured(folder, words[name]["task"], options))
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
    add("--cases", type=int, metavar="N", help=f"of each drawn kind ({_counts()})")
    add("--implants", type=int, default=IMPLANTS, metavar="N", help=f"in all ({IMPLANTS})")
    add("--cache", type=Path, default=CACHE, metavar="FOLDER", help="where drawn cases are kept")
    add("--threads", type=int, default=2, metavar="N")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.models) - set(NAMES)):
        parser.error(f"no such model: {', '.join(unknown)}")
    return options


def _counts() -> str:
    return ", ".join(f"{task} {count}" for task, count in CASES.items())


def _measured(folder: Path, task: Task, options: argparse.Namespace) -> list[Report]:
    """The reports, source by source; a machine without real CT leaves out what needs it."""
    reports = []
    for data in SOURCES[task]:
        count = options.implants if data == "implants" else options.cases or CASES[task]
        asked = Asked(task, data, count, cache=options.cache, threads=options.threads)
        try:
            report = run(asked)[0]
        except BadInput as problem:
            if problem.code != "no-real-data":
                raise
            sys.stderr.write(f"{data} left out: {problem.message}\n")
            continue
        reports.append(_told(report, folder, count))
    return reports


def _told(report: Report, folder: Path, count: int) -> Report:
    """A report with what it is of, and how many cases were asked for, real ones apart."""
    asked = {} if report["data"] == "real" else {"asked": count}
    return {**report, **asked, "model": {**report["model"], **_digests(folder)}}


def _digests(folder: Path) -> dict[str, str]:
    """Of what the figures depend on besides weights: what the pipeline reads, and the plan.

    What other models find is measured within lungs that the lung model finds.
    """
    plan = json.dumps(asdict(read_plan(folder.name)), sort_keys=True)
    texts = {"configuration": _configuration(folder), "plan": plan}
    if folder.name != LUNGS.name:
        texts["lungs"] = f"{stamped_digest(LUNGS)} {_configuration(LUNGS)}"
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def _configuration(folder: Path) -> str:
    """What the pipeline reads and is no default; gate and Triton's threads move no figure."""
    parameters = read_parameters(str(folder.resolve()))
    kind = KINDS[parameters["kind"]]
    return checked(kind, folder.name, parameters).model_dump_json(exclude_defaults=True)


def _keep(folder: Path, reports: Sequence[Report]) -> None:
    """Summaries, and the real cases one by one; drawn ones can be drawn again."""
    kept = [
        report if report["data"] == "real" else {k: v for k, v in report.items() if k != "cases"}
        for report in reports
    ]
    (folder / "figures.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _card(folder: Path, words: dict[str, Any]) -> str:
    """Raises `BadInput` for figures of other weights, configuration or plan than are here."""
    path, weights = folder / "figures.json", newest_weights(folder)
    if not path.exists() or weights is None:
        raise BadInput("not-measured", f"{folder.name} has no figures: run with --measure")
    reports: list[Report] = json.loads(path.read_text())
    here = {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), **_digests(folder)}
    for key, what in OF.items():
        if any(report["model"].get(key) != here.get(key) for report in reports):
            problem = f"other-{what.replace(' ', '-')}"
            raise BadInput(problem, f"{path} is of another {what}: run with --measure")
    plan, parameters = read_plan(folder.name), read_parameters(str(folder.resolve()))
    gate, size = _gate(folder / "gate.json"), weights.stat().st_size
    return card(words, reports, plan, parameters, size, read_scores(), gate)


def _gate(path: Path) -> dict[str, Any] | None:
    """The figures of a model's input gate, where it has one."""
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


if __name__ == "__main__":
    sys.exit(main())
