"""The toy pipeline in processes that die, on a broker that hands partitions over, all in memory.

The intake, the engine and the offsets are the real ones; the store, the workers, the broker and
the time are fakes that can fail at every step.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition

from shared.bus import outcomes
from shared.bus.execution import Verdict
from shared.bus.kafka import received_of
from shared.bus.tests.order import ByChance, Order
from shared.bus.units import woken
from shared.catalog import topic_name
from shared.events.models import Common, JobControl, Lane
from shared.events.wire import Event, encode
from shared.pipelines.definition import parse
from shared.store.memory import MemoryStore
from shared.testing import toy

if TYPE_CHECKING:
    from shared.bus.tests.process import Process

DEFINITION = parse(toy.DEFINITION_TEXT)
JOBS = (0, 1)
UnitKey = tuple[str, int, str]
"""Job, run and stage."""

_OUTAGE_S = 7.0


class Killed(BaseException):
    """The process is gone: nothing that it still tries has an effect."""


@dataclass(frozen=True)
class Record:
    """As aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    key: bytes | None = None


@dataclass
class World:
    """What outlives every process, and the faults that are still to come.

    A fault is the step of the story, of whichever process, with which something happens; and what.
    """

    faults: Sequence[tuple[int, str]] = ()
    poisoned: frozenset[tuple[int, str]] = frozenset()
    """The jobs' stages whose handler always raises."""
    order: Order = field(default_factory=lambda: ByChance(Random(0)))  # noqa: S311 - no secret
    """Who comes first."""
    store: MemoryStore = field(default_factory=MemoryStore)
    logs: dict[TopicPartition, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: Counter[tuple[str, TopicPartition]] = field(default_factory=Counter)
    said: dict[str, set[tuple[str, bytes]]] = field(default_factory=lambda: defaultdict(set))
    controls: dict[str, JobControl] = field(default_factory=dict)
    processes: list["Process"] = field(default_factory=list)
    starts: Counter[UnitKey] = field(default_factory=Counter)
    outages: Counter[UnitKey] = field(default_factory=Counter)
    failures: dict[UnitKey, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    """How often it failed in each process."""
    blamed: dict[UnitKey, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    """How often it ended in each process as what counts for an attempt."""
    mishaps: dict[UnitKey, Verdict] = field(default_factory=dict)
    """What the next call of its handler comes to."""
    down_until: dict[str, float] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Keys that can't be reached, though the store answers its probe."""
    may_set_aside: bool = False
    set_aside: list[tuple[str, Record]] = field(default_factory=list)
    """By which service."""
    trail: list[str] = field(default_factory=list)
    """The service that made each step."""

    def __post_init__(self) -> None:
        self.to_come = sorted(self.faults, reverse=True)

    def step(self, process: "Process") -> None:
        """Between any two effects, whatever is due happens."""
        if process.dead:
            raise Killed
        self.trail.append(process.name)
        if self.to_come and self.to_come[-1][0] < len(self.trail):
            self._befall(self.to_come.pop()[1], process)

    def _befall(self, fault: str, process: "Process") -> None:
        match fault:
            case "kill":
                process.dead = True
                raise Killed
            case "kill the twin":
                for other in self.processes:
                    other.dead |= other.name == process.name and other is not process
            case "store down" | "triton down":
                self.go_down(fault.partition(" ")[0])
            case "hand over":
                self.rebalance(process.name, reverse=True)
            case "repeat":
                for log in [log for log in self.logs.values() if log]:
                    self.repeat(log[0])
            case _:
                self.control(fault)

    def go_down(self, what: str) -> None:
        """For a while."""
        self.down_until[what] = asyncio.get_running_loop().time() + _OUTAGE_S

    def control(self, what: str) -> None:
        """Every process hears it: `cancel 0`, `supersede 1`, `stat 0`: what, and whose."""
        name, _, number = what.partition(" ")
        job = job_of(int(number))
        earlier = self.controls.get(job, JobControl(job_id=job))
        told: dict[str, dict[str, Any]] = {
            "cancel": {"cancelled_to_run": 1},
            "supersede": {"superseded_by": "the next"},
            "stat": {"lane": Lane.STAT},
        }
        self.controls[job] = earlier.model_copy(update=told[name])
        for process in self.processes:
            process.control.apply(self.controls[job])

    def is_down(self, what: str) -> bool:
        return self.down_until.get(what, 0) > asyncio.get_running_loop().time()

    def stopped(self, job: str, run: int) -> bool:
        told = self.controls.get(job)
        return bool(told and (told.superseded_by or run <= (told.cancelled_to_run or 0)))

    @property
    def has_changed_lanes(self) -> bool:
        """From then on a job's events go to other topics."""
        return any(told.lane for told in self.controls.values())

    def append(self, topic: str, partition: int, headers: Any, value: bytes) -> None:
        log = self.logs[TopicPartition(topic, partition)]
        log.append(Record(topic, partition, len(log), headers, value))

    def repeat(self, record: Record) -> None:
        self.append(record.topic, record.partition, record.headers, record.value)

    def publish(self, event: Event, lane: Lane | None, partition: int) -> None:
        headers, value = encode(event)
        self.said[event.id].add((topic_name(event.kind, lane), value))
        self.append(topic_name(event.kind, lane), partition, headers, value)

    def rebalance(self, service: str, *, reverse: bool = False) -> None:
        """Partitions go round the living replicas of a service."""
        living = [p for p in self.processes if p.name == service and not p.dead]
        owners = list(reversed(living)) if reverse else living
        for number, process in enumerate(owners):
            process.consumer.own({n for n in range(2) if n % len(owners) == number})

    def swap(self, service: str) -> None:
        """The replicas of a service are given each other's partitions."""
        first = next(p for p in self.processes if p.name == service and not p.dead)
        self.processes.remove(first)
        self.processes.append(first)
        self.rebalance(service)

    def check_commit(self, service: str, place: TopicPartition, end: int) -> None:
        """What a service has committed is answered: each unit, as soon as all that wakes it is.

        A position that was committed never goes back.
        """
        assert end >= self.committed[service, place]
        self.committed[service, place] = end
        self.check_commits(service)

    def check_commits(self, service: str) -> None:
        """Every unit that committed records wake is answered, unless one was set aside."""
        aside = {waking(record) for group, record in self.set_aside if group == service}
        heard: set[UnitKey] = set()
        for (group, part), position in self.committed.items():
            if group == service:
                heard |= {waking(record) for record in self.logs[part][:position]}
        for job, run, waker in heard:
            for unit in woken(DEFINITION, service, waker):
                wakers = {(job, run, other) for other in DEFINITION.wakers[unit.name]}
                whole = wakers <= heard - aside
                assert not whole or self.stopped(job, run) or self.answered(job, run, unit.name)

    def answered(self, job: str, run: int, stage: str) -> bool:
        """The stage has an outcome and its events are on the bus, or it can't run."""
        outcome = outcomes.read(self.store, job, run, stage)
        if outcome:
            return all(made.id in self.said for made in outcome.events)
        return not self.may_run(job, run, stage)

    def may_run(self, job: str, run: int, stage: str) -> bool:
        found = (
            outcomes.read(self.store, job, run, waker)
            for waker in DEFINITION.wakers[stage] - {"ingest"}
        )
        return all(outcome and outcome.status == "succeeded" for outcome in found)


def waking(record: Record) -> UnitKey:
    """The unit whose event the record is."""
    event = received_of(cast("Any", record)).event.data
    assert isinstance(event, Common)
    return event.job_id, event.run, event.stage


def event_of(store: MemoryStore, number: int, run: int = 1, *, fresh: bool = False) -> Event:
    """The event with which a run of one of the jobs begins."""
    return toy.input_ready(store, run, fresh, manifest=f"manifest {number}".encode())


@cache
def job_of(number: int) -> str:
    return event_of(MemoryStore(), number).subject


@cache
def number_of(job: str) -> int:
    return next(number for number in count() if job_of(number) == job)
