"""What came of a run, for people and for programs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.judging import LOST, TWICE, Judged
from tests.chaos.plan import Plan
from tests.chaos.running import Ran

_SHOWN = 20


def figures(plan: Plan, ran: Ran, judged: Judged, more: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, as JSON's own types; `more` is what only one scene has to tell."""
    return {
        "scene": plan.scene,
        "jobs": plan.jobs,
        "seed": plan.seed,
        "models": plan.models,
        "seconds": round(ran.seconds, 1),
        "acknowledged": len(ran.associations),
        "associations": sum(ran.associations.values()),
        "completed": judged.completed,
        "set_aside": judged.set_aside,
        "lost": judged.count(*LOST),
        "twice": judged.count(*TWICE),
        "objects_at_the_pacs": judged.objects,
        "sent_again": judged.came_again,
        "sent_again_explained": judged.explained,
        "computed_anew": judged.compared,
        **more,
        "faults": dict(sorted(Counter(each.fault for each in ran.happened).items())),
        "happened": [vars(each) for each in ran.happened],
        "findings": [vars(each) for each in judged.findings],
    }


def as_json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1)


def show(found: dict[str, Any], console: Console) -> None:
    """A table of figures, one of faults, and the first findings."""
    table = Table("what", "how many", box=None)
    plain = (item for item in found.items() if isinstance(item[1], int | float | str))
    for name, value in plain:
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    faults = Table("after study", "fault", "to", box=None)
    for each in found["happened"]:
        faults.add_row(str(each["after"]), each["fault"], each["to"])
    console.print(faults if found["happened"] else "")
    _show_outages(found.get("outages", ()), console)
    for finding in found["findings"][:_SHOWN]:
        console.print(f"study {finding['study']}: {finding['code']}: {finding['detail']}")
    console.print("nothing lost, nothing twice" if not found["findings"] else "not as it should be")


def _show_outages(outages: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not outages:
        return
    table = Table(*(name.replace("_", " ") for name in outages[0]), box=None)
    for each in outages:
        table.add_row(*map(str, each.values()))
    console.print(table)
