"""Nothing lost, nothing twice: any story of jobs, crashes and outages, told effect by effect."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import SearchStrategy

from shared.bus import attempts, outcomes
from shared.bus.execution import Defect, Down, Verdict
from shared.bus.tests.ending import check_ended, check_taken_over
from shared.bus.tests.order import Gate
from shared.bus.tests.stepped import Replica, Stepped
from shared.bus.tests.witness import ATTEMPTS
from shared.bus.tests.world import DEFINITION, UnitKey, job_of
from shared.testing import toy

_RUNS = 3
_CRASHES = 4
"""Of one service: more could be a unit's own fault."""
_MISHAPS: dict[str, Verdict] = {
    "it raises": Defect("defect", "ValueError", "toy.py:1", "of this unit"),
    "its worker dies": Defect("worker-died", "WorkerLost", "toy", "exit code -9"),
    "a file of its is broken": Down("store"),
}
_WHICH = st.integers(0, 11)
Told = Callable[..., None]
Effects = tuple[int, int]
"""How many come next, and which of those that could: 0 is the one that has waited longest."""
_EFFECTS = st.tuples(st.integers(0, 30), _WHICH)
_ALWAYS_FAILS = st.sampled_from([*5 * [None], *DEFINITION.stages])
_STAGES = st.sampled_from([*DEFINITION.stages])


def event(**drawn: SearchStrategy[Any]) -> Callable[[Told], Told]:
    """A rule before which some effects happen."""
    a_rule: Callable[..., Callable[[Told], Told]] = rule
    return a_rule(meanwhile=_EFFECTS, **drawn)


class Story(RuleBasedStateMachine):
    """Two replicas of each service race; each rule is what happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Stepped()
        self.world = self.told.world
        self.runs: dict[int, int] = {}
        self.fresh: set[tuple[str, int]] = set()
        self.known: set[UnitKey] = set()
        """What had been done when the run was asked for."""
        self.crashes: Counter[str] = Counter()
        self.kept: dict[str, bytes | None] = {}

    # Work comes, and goes on; each rule tells how much of it was done before.

    @initialize(always_fails=_ALWAYS_FAILS)
    def the_first_job_comes(self, always_fails: str | None) -> None:
        self._begin(0, always_fails)

    @precondition(lambda self: 1 not in self.runs)
    @event(always_fails=_ALWAYS_FAILS)
    def the_second_job_comes(self, meanwhile: Effects, always_fails: str | None) -> None:
        self._go_on(meanwhile)
        self._begin(1, always_fails)

    def _begin(self, number: int, always_fails: str | None) -> None:
        if always_fails:
            self.world.poisoned |= {(number, always_fails)}
        self._ask(number, fresh=False)

    @event(which=_WHICH, fresh=st.booleans())
    def a_job_is_asked_for_again(self, meanwhile: Effects, which: int, fresh: bool) -> None:
        self._go_on(meanwhile)
        number = which % len(self.runs)
        if self.runs[number] < _RUNS:
            self._ask(number, fresh=fresh)

    def _ask(self, number: int, *, fresh: bool) -> None:
        job, run = job_of(number), self.runs.get(number, 0) + 1
        if fresh:
            self.fresh.add((job, run))
        for stage in DEFINITION.stages:
            done = (outcomes.read(self.world.store, job, old, stage) for old in range(1, run))
            if any(outcome and outcome.status == "succeeded" for outcome in done):
                self.known.add((job, run, stage))
        self.runs[number] = run
        self.told.ask(number, run, fresh=fresh)

    def _go_on(self, effects: Effects) -> None:
        many, which = effects
        for _ in range(many):
            self._one_of(self.told.due(), which)

    def _one_of(self, due: Sequence[Gate], which: int) -> None:
        if due:
            gate = due[which % len(due)]
            note(f"    {gate.process.name} {gate.what}")
            self.told.go_on(gate)
        else:
            self.told.wait(0.5)
        self.holds_after_each_effect()

    @rule(which=_WHICH, effects=st.integers(1, 40))
    def one_replica_is_faster(self, which: int, effects: int) -> None:
        if due := self.told.due():
            process = due[which % len(due)].process
            for _ in range(effects):
                self._one_of([gate for gate in self.told.due() if gate.process is process], which)

    @event(seconds=st.sampled_from([0.5, 1.0, 15.0, 40.0]))
    def time_passes(self, meanwhile: Effects, seconds: float) -> None:
        self._go_on(meanwhile)
        self.told.wait(seconds)

    # What befalls it.

    @precondition(lambda self: self.told.living)
    @event(which=_WHICH, back_at_once=st.booleans())
    def a_replica_crashes(self, meanwhile: Effects, which: int, back_at_once: bool) -> None:
        self._go_on(meanwhile)
        service, number = self._busy(which)
        if self.crashes[service] < _CRASHES:
            self.crashes[service] += 1
            self.told.crash((service, number))
            if back_at_once:
                self.told.start((service, number))

    @precondition(lambda self: self.told.dead)
    @event(which=_WHICH)
    def one_comes_back(self, meanwhile: Effects, which: int) -> None:
        self._go_on(meanwhile)
        self.told.start(self.told.dead[which % len(self.told.dead)])

    @precondition(lambda self: self.told.living)
    @event(which=_WHICH)
    def partitions_change_hands(self, meanwhile: Effects, which: int) -> None:
        self._go_on(meanwhile)
        service, _ = self._busy(which)
        self.told.tell(lambda: self.world.swap(service))

    def _busy(self, which: int) -> Replica:
        """One in the middle of work, if there is any."""
        replicas = [self.told.who(gate) for gate in self.told.due()] or self.told.living
        return replicas[which % len(replicas)]

    @event(which=_WHICH)
    def a_record_comes_twice(self, meanwhile: Effects, which: int) -> None:
        self._go_on(meanwhile)
        records = [record for log in self.world.logs.values() for record in log]
        self.world.repeat(records[which % len(records)])

    @precondition(lambda self: self.world.committed)
    @event(which=_WHICH)
    def commits_are_lost(self, meanwhile: Effects, which: int) -> None:
        self._go_on(meanwhile)
        service, place = sorted(self.world.committed)[which % len(self.world.committed)]
        self.world.committed[service, place] = 0
        self.told.tell(lambda: self.world.rebalance(service))

    @event(which=_WHICH, stage=_STAGES, mishap=st.sampled_from([*_MISHAPS]))
    def a_call_will_fail(self, meanwhile: Effects, which: int, stage: str, mishap: str) -> None:
        self._go_on(meanwhile)
        number = which % len(self.runs)
        self.world.mishaps[job_of(number), self.runs[number], stage] = _MISHAPS[mishap]

    @event(what=st.sampled_from(["store", "triton"]))
    def it_goes_down(self, meanwhile: Effects, what: str) -> None:
        self._go_on(meanwhile)
        self.told.tell(lambda: self.world.go_down(what))

    @event(which=_WHICH)
    def a_file_is_broken(self, meanwhile: Effects, which: int) -> None:
        self._go_on(meanwhile)
        self.world.may_set_aside = True
        newest = list(reversed(self.world.store._objects))
        self.world.broken = {newest[which % len(newest)]}

    @precondition(lambda self: self.world.broken)
    @event()
    def it_is_mended(self, meanwhile: Effects) -> None:
        self._go_on(meanwhile)
        self.world.broken.clear()

    @event(what=st.sampled_from(["cancel", "stat", "supersede"]), which=_WHICH)
    def somebody_decides(self, meanwhile: Effects, what: str, which: int) -> None:
        self._go_on(meanwhile)
        self.told.tell(lambda: self.world.control(f"{what} {which % len(self.runs)}"))

    # What always holds.

    @invariant()
    def holds_after_each_effect(self) -> None:
        self.told.check()
        now = {key: self.world.store.read(key) for key in self.world.store.keys("outcomes/")}
        assert {key: now.get(key) for key in self.kept} == self.kept  # the first stays
        self.kept = now
        for said in self.world.said.values():
            assert len({value for _, value in said}) == 1

    @invariant()
    def holds_after_each_event(self) -> None:
        for service in toy.CATALOG:
            self.world.check_commits(service)
        for unit in self._units():
            blamed = self.world.blamed[unit]
            most = min(blamed.total(), ATTEMPTS - 1 + max(1, len(blamed)))
            assert len(attempts.earlier(self.world.store, *unit)) <= most

    def _units(self) -> list[UnitKey]:
        return [
            (job_of(number), run + 1, stage)
            for number, runs in self.runs.items()
            for run in range(runs)
            for stage in DEFINITION.stages
        ]

    # How it ends.

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self._ends_well()
        finally:
            self.told.close()

    def _ends_well(self) -> None:
        self.world.down_until.clear()
        self.world.broken.clear()
        self.world.mishaps.clear()
        self.told.drain(self.holds_after_each_effect)
        for _, record in self.world.set_aside:  # as results does when a job has stalled
            self.world.repeat(record)
        self.world.set_aside.clear()
        self.told.drain(self.holds_after_each_effect)
        self.holds_after_each_event()
        for unit in self._units():
            if not self.world.stopped(*unit[:2]):
                check_ended(self.world, unit)
                check_taken_over(self.world, unit, fresh=self.fresh, known=self.known)


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
