"""What people ask of a job: run it again, cancel it, let it go first."""

from dataclasses import dataclass

from services.results import announce
from services.results.conclude import Concluder
from services.results.ledger import deliveries, failed, moves, outbox, pruning, runs
from services.results.ledger.database import Ledger
from services.results.ledger.record import insert_new
from services.results.ledger.runs import StoredRun
from services.results.ledger.tables import runs as runs_table
from shared.clock import Clock
from shared.events.models import InputReady, Lane
from shared.identity import span_id, trace_id
from shared.telemetry import tracing
from shared.telemetry.attributes import JOB, LANE, PIPELINE, RUN


class Conflict(Exception):
    """The job is in no state for that: which, and what to do instead."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(code)
        self.code, self.detail, self.remedy = code, detail, remedy


def _running() -> Conflict:
    return Conflict("job-running", "The job runs.", "Wait until it has finished, or cancel it.")


def _not_running() -> Conflict:
    return Conflict("job-not-running", "The job does not run.", "There is nothing to cancel.")


def _input_unknown() -> Conflict:
    return Conflict("input-unknown", "The job's input was never read.", "Send the study again.")


def _superseded(newer: str) -> Conflict:
    remedy = f"Run the newer version again: {newer}."
    return Conflict("job-superseded", "A newer version of the study replaced it.", remedy)


def _being_pruned() -> Conflict:
    remedy = "Ask again when `clarion prune` has ended."
    return Conflict("being-pruned", "What the job has made is being pruned.", remedy)


class UnknownJob(Exception):
    """No job has this id."""


@dataclass(frozen=True)
class Desk:
    """Where requests are taken."""

    ledger: Ledger
    concluder: Concluder
    clock: Clock

    def rerun(self, job_id: str, fresh: bool) -> int:
        """Publish the job's input again as its next run; gives the run's number.

        Raises `UnknownJob`, or `Conflict` while it runs or is pruned, and when a newer version
        replaced it. What was pruned is made again.
        """
        with self.ledger.transaction() as connection:
            last = runs.load(connection, job_id, lock=True)
            if last is None:
                raise UnknownJob(job_id)
            if last.newer:
                raise _superseded(last.newer)
            if last.status == "running":
                raise _running()
            request = self._request(last, fresh)
            if not pruning.reopen(connection, job_id):
                raise _being_pruned()
            traceparent = self._rerun_span(last, request)
            insert_new(connection, runs_table, _row(last, request, traceparent))
            event = announce.input_ready(request, traceparent)
            outbox.put(connection, event, lane=last.lane, partition=last.partition)
        return request.run

    def discard(self, job_id: str) -> None:
        """Leave the job's failures at that. Raises `UnknownJob`, or `Conflict` while it runs."""
        with self.ledger.transaction() as connection:
            last = runs.load(connection, job_id, lock=True)
            if last is None:
                raise UnknownJob(job_id)
            if last.status == "running":
                raise _running()
            failed.discard(connection, last, self.clock())

    def cancel(self, job_id: str) -> None:
        """End the job's running run. Raises `UnknownJob`, or `Conflict` when none runs."""
        with self.ledger.transaction() as connection:
            last = runs.load(connection, job_id, lock=True)
            if last is None:
                raise UnknownJob(job_id)
            if last.status != "running":
                raise _not_running()
            self.concluder.conclude(connection, job_id, last.run, stop="cancelled")

    def change_lane(self, job_id: str, lane: Lane) -> None:
        """Have the job's queued work, its deliveries and its later runs go by another lane.

        Raises `UnknownJob`, or `Conflict` when a newer version replaced the job.
        """
        with self.ledger.transaction() as connection:
            last = runs.load(connection, job_id, lock=True)
            if last is None:
                raise UnknownJob(job_id)
            if last.newer:
                raise _superseded(last.newer)
            if last.lane is lane:
                return
            runs.choose_lane(connection, job_id, lane)
            deliveries.change_lane(connection, job_id, lane)
            changed = runs.load(connection, job_id) or last
            self.concluder.tell(connection, changed)
            if changed.status == "running":
                moves.ask(connection, [job_id])

    def _request(self, last: StoredRun, fresh: bool) -> InputReady:
        if last.request is None:
            raise _input_unknown()
        now = self.clock()
        changed = {"run": last.run + 1, "fresh": fresh, "lane": last.lane}
        changed |= {"started_at": now, "finished_at": now}
        return InputReady.model_validate(dict(last.request) | changed)

    def _rerun_span(self, last: StoredRun, request: InputReady) -> str:
        """The new run's trace begins here."""
        return tracing.record(
            "rerun",
            request.started_at,
            self.clock(),
            {JOB: last.job_id, RUN: request.run, PIPELINE: last.pipeline, LANE: last.lane.value},
            parent=None,
            trace_id=trace_id(last.job_id, request.run),
            span_id=span_id(last.job_id, request.run, "rerun"),
        )


def _row(last: StoredRun, request: InputReady, traceparent: str) -> dict[str, object]:
    return {
        "job_id": last.job_id,
        "run": request.run,
        "fresh": request.fresh,
        "lane": last.lane.value,
        "partition": last.partition,
        "definition": last.definition.model_dump() if last.definition else {},
        "request": request.model_dump(mode="json", exclude_none=True),
        "started_at": request.finished_at,
        "traceparent": traceparent,
        "status": "running",
        "reasons": [],
        "outputs": {},
    }
