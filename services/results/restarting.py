"""Restarts runs that stand still, from what their outcomes say: a lost event is made good.

An event is lost when its topic was deleted, when retention was over before anybody read it, or
when a service died between outcome and publishing and the waking event never came again. Outcomes
outlive topics, so the same events (same ids) are published again; who has acted on them already
finds that in the outcome.
"""

import asyncio
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from services.results import announce
from services.results.definitions import Definitions
from services.results.ledger import outbox, runs, standing
from services.results.ledger.database import Ledger
from services.results.ledger.runs import StoredRun
from services.results.ledger.standing import Known, Open
from services.results.overtaking import QUEUE_PATIENCE, Look, Queues
from services.results.passing import passing_over
from services.results.progress import Holder, StageFact, holders
from services.results.written import Written, of_run
from shared.bus.received import Publisher, publish_if_it_fits
from shared.clock import Clock
from shared.events.models import InputReady
from shared.events.wire import Event
from shared.pipelines.definition import INGEST, Definition
from shared.store.port import PayloadStore
from shared.telemetry.attributes import JOB, RUN, STAGE
from shared.telemetry.logs import logger

_AT_ONCE = 50


@dataclass(frozen=True)
class Standstill:
    """A run of which nothing was heard for a while, and what to publish again for it."""

    run: StoredRun
    waits_for: tuple[str, ...]
    silent: tuple[Holder, ...]
    """Those that it waits for and of which nothing is heard."""
    again: tuple[Event, ...]


@dataclass(frozen=True)
class _Quiet:
    """A run of which nothing was heard for a while; it may queue."""

    run: Open
    definition: Definition
    patient: bool
    """Whether that its stages work for others explains it still."""


@dataclass(frozen=True)
class Restarter:
    """Finds runs that stand still; `patience` is how long that takes to be one."""

    ledger: Ledger
    store: PayloadStore
    definitions: Definitions
    clock: Clock
    patience: timedelta

    async def round(self, publisher: Publisher, watching_since: datetime) -> int:
        """Publish again what the runs lack that stand still; how many runs those were.

        Raises `Unavailable` while ledger or store are down.
        """
        claimed = await asyncio.to_thread(self._claimed, watching_since)
        for still in claimed:
            logger().warning(
                "no progress",
                again=len(still.again),
                **{JOB: still.run.job_id, RUN: still.run.run, STAGE: ",".join(still.waits_for)},
            )
            for event in still.again:
                await publish_if_it_fits(publisher, event, still.run.lane, still.run.partition)
        return len(claimed)

    def _claimed(self, watching_since: datetime) -> list[Standstill]:
        return [still for still in self.standing(watching_since) if self.claim(still)]

    def standing(self, watching_since: datetime) -> list[Standstill]:
        """Runs without a new fact for `patience`, twice that after a restart, then four times …

        Time before `watching_since` doesn't count: events of then may still be on their way.
        A run that only queues, as far as the ledger knows, is none of them.
        """
        look = Look(self.clock(), watching_since, self.patience)
        queues = Queues(self.ledger, look.now - self.patience * QUEUE_PATIENCE)
        found = (self._still(quiet, queues, look) for quiet in self._quiet(look))
        return list(islice(filter(None, found), _AT_ONCE))

    def _quiet(self, look: Look) -> Iterator[_Quiet]:
        since = look.now - self.patience
        if look.watching_since > since:
            return
        with self.ledger.reading() as connection:
            found = standing.quiet(connection, since, look.now)
        definitions = self.definitions.of_open({run.definition: run.job_id for run in found})
        for run in found:
            definition = definitions.get(run.definition)
            if definition and look.now >= _due(run, look):
                yield _Quiet(run, definition, look.now < _due(run, look, QUEUE_PATIENCE))

    def claim(self, still: Standstill) -> bool:
        """One replica restarts the run, and says once where it stands: several may have seen it.

        A crash before its events are out leaves them to the next restart.
        """
        now = self.clock()
        with self.ledger.transaction() as connection:
            if not standing.claim_restart(connection, still.run, now):
                return False
            for at in still.silent:
                alert = announce.standing_job(still.run, at.stage, at.service, at.since, now)
                outbox.put(connection, alert, lane=None, partition=0)
        return True

    def waking(self, run: StoredRun, facts: Mapping[str, StageFact]) -> tuple[Event, ...]:
        """All that should wake the stages which the run waits for, heard of or not."""
        definition = self.definitions.get(run.definition)
        if definition is None:
            return ()
        written = of_run(self.store, run, definition)
        together = _together(Known(dict(facts)), written)
        began = run.started_at or run.received_at
        names = frozenset(at.stage for at in _waiting(definition, together, began))
        return tuple(self._lacking(run, definition, facts, written, names))

    def _still(self, quiet: _Quiet, queues: Queues, look: Look) -> Standstill | None:
        with passing_over(quiet.run.job_id, self.store):
            if _silent(quiet, quiet.run.known, queues, look):
                return self._standstill(quiet, queues, look)
        return None

    def _standstill(self, quiet: _Quiet, queues: Queues, look: Look) -> Standstill | None:
        """None when another replica has been here since the look."""
        with self.ledger.reading() as connection:
            run = runs.load(connection, quiet.run.job_id, quiet.run.run)
        if run is None or run.restarts != quiet.run.restarts:
            return None
        written = of_run(self.store, run, quiet.definition)
        together = _together(quiet.run.known, written)
        waiting = _waiting(quiet.definition, together, quiet.run.began)
        silent = _silent(quiet, together, queues, look)
        names = frozenset(at.stage for at in silent)
        facts = quiet.run.known.facts
        lacking = self._lacking(run, quiet.definition, facts, written, names)
        return Standstill(run, tuple(at.stage for at in waiting), silent, tuple(lacking))

    def _lacking(
        self,
        run: StoredRun,
        definition: Definition,
        facts: Mapping[str, StageFact],
        written: Mapping[str, Written],
        silent: Set[str],
    ) -> Iterator[Event]:
        """What the ledger never heard of, and what should have woken the stages that are silent."""
        if silent & set(definition.woken_by(INGEST)):
            yield announce.input_ready(InputReady.model_validate(run.request), run.traceparent)
        for name, found in written.items():
            if name not in facts or silent & set(definition.woken_by(name)):
                yield from found.events


def doubled(patience: timedelta, times: int) -> timedelta:
    """How long to wait after so many times: at most for some hours."""
    pause: timedelta = patience * 2 ** min(times, 10)
    return pause


def _due(run: Open, look: Look, times: int = 1) -> datetime:
    """Any fact since the last restart makes the next one as prompt as the first."""
    patience, news = look.patience * times, look.seen(run.last)
    if run.restarted_at is None or news > run.restarted_at:
        return news + patience
    again = run.restarted_at if run.restarted_at <= look.now else look.watching_since
    return again + doubled(patience, run.restarts)


def _silent(quiet: _Quiet, known: Known, queues: Queues, look: Look) -> tuple[Holder, ...]:
    """The stages that the run waits for and of which no queue explains that nothing is heard."""
    run, definition = quiet.run, quiet.definition
    return tuple(
        at
        for at in _waiting(definition, known, run.began)
        if not queues.explain(run, definition, at, look, patient=quiet.patient)
    )


def _waiting(definition: Definition, known: Known, began: datetime) -> tuple[Holder, ...]:
    """The stages that have all their inputs and have not ended."""
    return holders(definition, known.facts, known.ends, began)


def _together(known: Known, written: Mapping[str, Written]) -> Known:
    """What the ledger knows of a run, and the store."""
    made = {name: each.outcome for name, each in written.items()}
    facts = {name: StageFact(each.status, each.reasons) for name, each in made.items()}
    ends = {name: each.finished_at for name, each in made.items()}
    return Known(facts | known.facts, ends | known.ends)
