"""The stages that gave up and wait for a person: listed, tried again, or left at that."""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from sqlalchemy import Connection

from services.results.archive import Archive, said_at
from services.results.ledger import failed, pruning, runs
from services.results.ledger.outbox import SOURCE
from services.results.ledger.runs import StoredRun, StoredStage
from services.results.progress import StageFact, judge
from services.results.requests import Conflict, Desk
from services.results.views import CauseView, DoneView, FailureView, ReasonView, SomeDoneView
from shared.events.models import PayloadRef, ReasonModel
from shared.identity import trace_id
from shared.store.port import PayloadMissing

_AT_ONCE = 100

_Found: TypeAlias = tuple[FailureView, PayloadRef | None]
"""A failure, and where the store keeps what the service said of it."""


@dataclass(frozen=True)
class Wanted:
    """Which failures are meant; what is None leaves the choice open."""

    job_id: str | None = None
    code: str | None = None
    service: str | None = None
    stage: str | None = None

    def fits(self, failure: FailureView) -> bool:
        """Whether a failure is meant."""
        codes = {reason.code for reason in failure.reasons}
        return (
            self.job_id in (None, failure.job_id)
            and (self.code is None or self.code in codes)
            and self.service in (None, failure.service)
            and self.stage in (None, failure.stage)
        )


@dataclass(frozen=True)
class Failures:
    """What failed in each job's newest run, of several but for those that a newer version replaced.

    Raises `Unavailable` when ledger or store are down.
    """

    archive: Archive
    desk: Desk

    def list(self, wanted: Wanted, limit: int) -> "Sequence[FailureView]":
        """The failures that are meant, newest first: refused studies are none.

        A run whose definition is gone has no stages: it counts as a failure of results itself.
        """
        named = [wanted.job_id] if wanted.job_id else None
        with self.archive.ledger.reading() as connection:
            found = list(islice(self._found(connection, wanted, named), limit))
        return [self._shown(failure, said) for failure, said in found]

    def details(self, job_id: str, stage: str) -> str | None:
        """What the service said of a failure in the job's newest run; it may quote the study.

        None when it said nothing, or that was pruned.
        """
        with self.archive.ledger.reading() as connection:
            run = runs.load(connection, job_id)
            stages = runs.load_stages(connection, job_id, run.run) if run else {}
        found = stages.get(stage)
        where = _details(found) if found else None
        try:
            return self.archive.store.get(where).decode(errors="replace") if where else None
        except PayloadMissing:
            return None

    def replay(self, wanted: Wanted, fresh: bool, after: str | None = None) -> SomeDoneView:
        """Run jobs with such a failure again, from where they stopped.

        Of the next 100 jobs; `after` is where the call before has left off.
        """

        def again(job_id: str) -> DoneView:
            return DoneView(job_id=job_id, done=True, run=self.desk.rerun(job_id, fresh))

        return self._for_each(wanted, again, after)

    def discard(self, wanted: Wanted, after: str | None = None) -> SomeDoneView:
        """Leave jobs with such a failure at that, of the next 100 jobs.

        A job that is named, too, with nothing failed but its deliveries, or none that is listed.
        """

        def leave(job_id: str) -> DoneView:
            self.desk.discard(job_id)
            return DoneView(job_id=job_id, done=True)

        if wanted.job_id and wanted == Wanted(wanted.job_id):
            with self.archive.ledger.reading() as connection:
                disappoints = pruning.disappoints(connection, wanted.job_id)
            if disappoints:
                return _done(leave(wanted.job_id))
        return self._for_each(wanted, leave, after)

    def _for_each(
        self, wanted: Wanted, act: Callable[[str], DoneView], after: str | None
    ) -> SomeDoneView:
        """One job by itself is refused outright; among several each has an answer of its own."""
        named = [wanted.job_id] if wanted.job_id else None
        with self.archive.ledger.reading() as connection:
            jobs = named or failed.waiting(connection, after, _AT_ONCE)
            found = {failure.job_id for failure, _ in self._found(connection, wanted, jobs)}
        if named is None:
            done = [_tried(act, job_id) for job_id in jobs if job_id in found]
            return SomeDoneView(jobs=done, next=jobs[-1] if len(jobs) == _AT_ONCE else None)
        if not found:
            raise _no_failures()
        return _done(act(jobs[0]))

    def _found(
        self, connection: Connection, wanted: Wanted, job_ids: Collection[str] | None
    ) -> Iterator[_Found]:
        """Those that are meant, of these jobs or of all, newest first."""
        said = (
            (_said(job_id, run, stage), _details(stage))
            for job_id, run, stage in failed.load_stages(
                connection, job_ids, wanted.service, wanted.stage
            )
        )
        missed = (
            (failure, None)
            for run in failed.load_late(connection, job_ids)
            for failure in self._missed(run, runs.load_facts(connection, run.job_id, run.run))
        )
        undefined = (
            (_untried(run, SOURCE, SOURCE, run.reasons), None)
            for run in failed.load_stageless(connection, job_ids)
        )
        every = heapq.merge(said, missed, undefined, key=lambda f: f[0].failed_at, reverse=True)
        return (each for each in every if wanted.fits(each[0]))

    def _shown(self, failure: FailureView, said: PayloadRef | None) -> FailureView:
        """With where it lies what the service said."""
        where = said_at(self.archive.store, said) if said else None
        return failure.model_copy(update={"details": where})

    def _missed(self, run: StoredRun, facts: Mapping[str, StageFact]) -> Iterator[FailureView]:
        """The stages that could have run and had not ended at the deadline."""
        definition = self.archive.definitions.get(run.definition)
        if definition is None or run.finished_at is None:
            return
        for name, status in judge(definition, facts, run.stop).stages.items():
            if status == "failed" and name not in facts:
                reasons = [reason for reason in run.reasons if "deadline" in reason.code]
                yield _untried(run, name, definition.stages[name].service_name, reasons)


def _said(job_id: str, run: int, stage: StoredStage) -> FailureView:
    failure = stage.failure or {}
    cause = failure.get("cause")
    return FailureView(
        job_id=job_id,
        run=run,
        trace_id=f"{trace_id(job_id, run):032x}",
        stage=stage.stage,
        service=stage.service,
        verdict=stage.fact.status,
        reasons=[ReasonView.of(reason) for reason in stage.fact.reasons],
        attempts=stage.attempts,
        failed_at=stage.finished_at,
        exception_type=failure.get("exception_type"),
        place=failure.get("place"),
        details=None,
        cause=CauseView.model_validate(cause) if cause else None,
    )


def _untried(
    run: StoredRun, stage: str, service: str, reasons: Sequence[ReasonModel]
) -> FailureView:
    """A failure of which no service said anything."""
    return FailureView(
        job_id=run.job_id,
        run=run.run,
        trace_id=f"{trace_id(run.job_id, run.run):032x}",
        stage=stage,
        service=service,
        verdict="failed",
        reasons=[ReasonView.of(reason) for reason in reasons],
        attempts=0,
        failed_at=run.finished_at or run.received_at,
        exception_type=None,
        place=None,
        details=None,
        cause=None,
    )


def _details(stage: StoredStage) -> PayloadRef | None:
    details = (stage.failure or {}).get("details")
    return PayloadRef.model_validate(details) if details else None


def _tried(act: Callable[[str], DoneView], job_id: str) -> DoneView:
    try:
        return act(job_id)
    except Conflict as why:
        detail = f"{why.detail} {why.remedy}"
        return DoneView(job_id=job_id, done=False, code=why.code, detail=detail)


def _done(done: DoneView) -> SomeDoneView:
    """Of the one job that was named."""
    return SomeDoneView(jobs=[done], next=None)


def _no_failures() -> Conflict:
    remedy = "`clarion jobs rerun` runs any finished job again."
    return Conflict("no-failures", "No stage of the job gave up and waits for anybody.", remedy)
