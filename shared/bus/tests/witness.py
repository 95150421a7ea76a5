"""What one process has heard of each unit of work: nobody does what was done, or tried enough."""

from collections import Counter
from collections.abc import Iterable

from shared.bus import attempts, outcomes
from shared.bus.execution import Defect, Done, Down, Verdict
from shared.bus.tests.world import DEFINITION, Record, UnitKey, World, waking
from shared.bus.units import woken

ATTEMPTS = 3


class Witness:
    """Stands beside a process, and fails the story when it does work that it could know to be done.

    What another replica does meanwhile it can't know: only what stood in the store when it was
    first given an event that wakes the unit, and what it has done itself, count.
    """

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service
        self._answered: dict[UnitKey, bool] = {}
        self._tried: Counter[UnitKey] = Counter()
        self._outages: Counter[UnitKey] = Counter()
        self._in_work: set[UnitKey] = set()

    def hear(self, records: Iterable[Record]) -> None:
        """The process is given these records."""
        for job, run, stage in map(waking, records):
            for unit in woken(DEFINITION, self._service, stage):
                self._first((job, run, unit.name))

    def _first(self, key: UnitKey) -> None:
        if key not in self._answered:
            self._answered[key] = outcomes.read(self._world.store, *key) is not None
            self._tried[key] = len(attempts.earlier(self._world.store, *key))

    def begin(self, unit: UnitKey) -> None:
        """The process begins work: on a unit once at a time."""
        assert unit not in self._in_work
        self._in_work.add(unit)
        assert self._world.may_run(*unit)
        assert not self._answered[unit]
        assert self._tried[unit] < ATTEMPTS
        self._world.starts[unit] += 1

    def end(self, unit: UnitKey, verdict: Verdict) -> None:
        """The work has come to this; a success stays one, also when the store is down."""
        self._answered[unit] = isinstance(verdict, Done)
        self._in_work.remove(unit)
        if isinstance(verdict, Down) and self._world.is_down(verdict.what):
            self._world.outages[unit] += 1
            self._outages[unit] += 1
            self._world.blamed[unit][self] += self._outages[unit] > 1
        elif isinstance(verdict, Defect | Down):
            self._tried[unit] += 1
            self._world.failures[unit][self] += 1
            self._world.blamed[unit][self] += 1

    def forget(self, record: Record) -> None:
        """It was set aside: whoever is given it again begins anew."""
        job, run, stage = waking(record)
        for unit in woken(DEFINITION, self._service, stage):
            self._answered.pop((job, run, unit.name), None)
