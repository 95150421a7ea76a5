"""The search sends step after step to a session, and tells what it has found so far."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from clarion.load.plan import Mix, Order
from clarion.load.report import Report
from clarion.load.running import Interrupts
from clarion.load.search import Found, search
from clarion.load.session import Session
from clarion.load.steps import Cause, Step
from clarion.load.tests.reports import HELD, served
from clarion.load.tests.studies import chance

MIX = Mix({}, {}, {}, sources=1)


@dataclass
class Machine:
    """A session whose machine is one server; Ctrl-C is pressed in a run, if in any."""

    per_h: float
    interrupted_in: int | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)
    titles: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def run(self, orders: Iterator[Order], planned: int, title: str) -> Report:
        if len(self.titles) == self.interrupted_in:
            self.interrupts.count = 1
        due = list(orders)
        assert len(due) == planned
        self.titles.append(title)
        self.numbers += [each.number for each in due]
        report = served([each.due_s for each in due], self.per_h)
        return replace(report, interrupted=self.interrupts.count > 0)


def test_the_rate_that_was_confirmed_is_what_the_machine_holds() -> None:
    machine = Machine(300.0)
    found = _search(machine)[-1]
    told = found.to_json()
    assert told["capacity_per_h"] == pytest.approx(300, rel=0.01)
    assert told["confirmed"]
    assert machine.titles[0] == "one study first, so that the models are warm"
    assert machine.titles[-2:] == [
        "step 7: does the machine hold 370 studies an hour for 5.0 min?",
        "step 8: does the machine hold 300 studies an hour for 5.0 min?",
    ]
    assert machine.numbers == list(range(len(machine.numbers)))


def test_what_limits_is_read_from_the_lowest_rate_that_failed() -> None:
    found = _search(Machine(300.0))[-1]
    [lowest] = [n for n, step in enumerate(found.steps) if step.confirms and not step.held]
    named = tuple(
        replace(report, machine=replace(report.machine, cpu_percent=99.0 if n == lowest else 10.0))
        for n, report in enumerate(found.reports)
    )
    limit = replace(found, reports=named).limit()
    assert limit
    assert limit.code == "cpu"


def test_a_search_that_was_interrupted_has_confirmed_nothing() -> None:
    found = _search(Machine(300.0, interrupted_in=4))[-1]
    told = found.to_json()
    assert found.interrupted
    assert (told["capacity_per_h"], told["confirmed"], len(told["steps"])) == (240.0, False, 3)


def test_why_no_rate_holds_is_that_of_one_that_failed() -> None:
    steps = (
        Step(100, 9, 5.0, ""),
        Step(120, 9, 9.0, "p95 is above 6 s", Cause.SLOW),
        Step(100, 9, 7.0, "3 studies not finished", Cause.FAULT, confirms=True),
    )
    found = Found(6.0, steps, (HELD,) * 3, interrupted=False)
    assert found.best is None
    assert found.lowest_failed == steps[-1]
    limit = found.limit()
    assert limit
    assert limit.code == "fault"


def test_no_step_is_taken_after_ctrl_c() -> None:
    assert _search(Machine(300.0, interrupted_in=0)) == []


def _search(machine: Machine) -> list[Found]:
    return list(search(cast(Session, machine), MIX, 120.0, 40.0, 60.0, chance(0)))
