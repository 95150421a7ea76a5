"""One measurement from what was asked to the report: cases, model, figures."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from shared.imaging.model_parameters import BadModel
from shared.inference.port import ModelFailed
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
WORST = 6
"""How many cases can be drawn."""
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
        count_scores(asked.task, [each.name for each in measured])
    if asked.data == "implants":
        count_scores(with_implants(asked.task), sorted({each.kind for each in measured}))
    return _report(measured, left_out, asked, chosen), measured


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
    """Every case that can be judged, worst first, and why the others can't: one must not cost all.

    Only the worst `WORST` keep what a picture shows. Raises `BadInput` where none can be judged.
    """
    measured: list[Measured] = []
    left_out: LeftOut = []
    for number, make in enumerate(cases.makers, start=1):
        sys.stderr.write(f"\r\033[K{number} of {len(cases)}")
        sys.stderr.flush()
        try:
            measured = by_badness([*measured, _judged(make(), task, chosen)], task)
        except BadInput as problem:
            # Not the exception: what it went through would keep the case's volumes.
            left_out.append({"code": problem.code, "message": problem.message})
            sys.stderr.write(f"\r\033[Kleft out: {problem.code}: {problem.message}\n")
        measured[WORST:] = [replace(each, shown=None) for each in measured[WORST:]]
    sys.stderr.write("\r\033[K")
    if not measured:
        raise BadInput(**left_out[0])
    return measured, left_out


def _judged(case: Case, task: Task, chosen: Chosen) -> Measured:
    """Raises `BadInput` also where the model can't answer."""
    try:
        return measure(case, task, chosen.name, chosen.inference)
    except (BadModel, ModelFailed) as fault:
        raise BadInput("model-failed", f"{case.name}: {fault}") from fault


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
                "case": each.name,
                "kind": each.kind,
                "figures": {name: round(value, 4) for name, value in each.figures.items()},
            }
            for each in worst_first
        ],
    }
