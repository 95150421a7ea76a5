"""One measurement from what was asked to the report: cases, model, figures."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from training.evaluation.cases import Case, Cases, Task
from training.evaluation.chosen import Chosen, choose
from training.evaluation.drawn import Family, drawn_cases
from training.evaluation.folder import cases_in
from training.evaluation.measure import Measured, measure
from training.evaluation.problem import BadInput
from training.evaluation.real import real_cases
from training.evaluation.scored import count_scores, with_implants
from training.evaluation.summary import by_badness, summary
from training.implant import implanted_cases

Report = dict[str, Any]
CACHE = Path.home() / ".cache" / "clarion-training" / "held-out"


@dataclass(frozen=True)
class Asked:
    """What to measure: see `python -m training.evaluate --help`."""

    task: Task
    data: str
    cases: int = 40
    """Of what can be drawn without end; those of a folder and real ones are all measured."""
    labels: frozenset[int] | None = None
    model: str | None = None
    cache: Path = CACHE
    threads: int = 2


def run(asked: Asked) -> tuple[Report, list[Measured]]:
    """The report and the cases behind it, both worst first. Raises `BadInput`."""
    chosen = choose(asked.task, asked.model, asked.threads)
    measured, left_out = _measured(_cases(asked, chosen), asked.task, chosen)
    if asked.data == "real":
        count_scores(asked.task, [each.case.name for each in measured])
    if asked.data == "implants":
        count_scores(with_implants(asked.task), sorted({each.case.kind for each in measured}))
    worst_first = by_badness(measured, asked.task)
    return _report(worst_first, left_out, asked, chosen), worst_first


def _cases(asked: Asked, chosen: Chosen) -> Cases:
    if asked.data in get_args(Family):
        drawn = drawn_cases(cast(Family, asked.data), asked.cases, asked.cache)
        return drawn if asked.task == "lung" else _in_found_lungs(drawn)
    if asked.data == "implants":
        return implanted_cases(asked.task, asked.cases, chosen.name, chosen.inference)
    if asked.data == "real":
        return real_cases(asked.task)
    return cases_in(Path(asked.data), asked.task, asked.labels)


def _in_found_lungs(drawn: Cases) -> Cases:
    """The same cases for what leans on lungs: a study has only those that the lung model finds."""

    def unknown(make: Callable[[], Case]) -> Case:
        return replace(make(), lungs=None, sides=False)

    return Cases(tuple(partial(unknown, make) for make in drawn.makers))


LeftOut = list[dict[str, str]]


def _measured(cases: Cases, task: Task, chosen: Chosen) -> tuple[list[Measured], LeftOut]:
    """Every case that can be judged, and why the others can't: one must not cost all.

    Raises `BadInput` where none can.
    """
    measured: list[Measured] = []
    problems: list[BadInput] = []
    for number, make in enumerate(cases.makers, start=1):
        sys.stderr.write(f"\r\033[K{number} of {len(cases)}")
        sys.stderr.flush()
        try:
            measured.append(measure(make(), task, chosen.name, chosen.inference))
        except BadInput as problem:
            problems.append(problem)
            sys.stderr.write(f"\r\033[Kleft out: {problem.code}: {problem.message}\n")
    sys.stderr.write("\r\033[K")
    if not measured:
        raise problems[0]
    return measured, [{"code": each.code, "message": each.message} for each in problems]


def _report(
    worst_first: Sequence[Measured], left_out: LeftOut, asked: Asked, chosen: Chosen
) -> Report:
    return {
        "task": asked.task,
        "data": asked.data,
        "model": {"name": chosen.name, "version": chosen.version, "sha256": chosen.sha256},
        "summary": summary(worst_first, asked.task),
        "left_out": left_out,
        "cases": [
            {
                "case": each.case.name,
                "kind": each.case.kind,
                "figures": {name: round(value, 4) for name, value in each.figures.items()},
            }
            for each in worst_first
        ],
    }
