"""Decides whether a run is finished, and what follows from it, inside one transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from services.results import announce
from services.results.definitions import Definitions
from services.results.ledger import deliveries, outbox, runs
from services.results.ledger.runs import StoredRun, StoredStage
from services.results.progress import Progress, Stop, delivers, judge
from shared.bus.received import Received
from shared.clock import Clock
from shared.events.models import JobControl, PayloadRef, ReasonModel
from shared.identity import span_id, trace_id
from shared.pipelines.definition import Definition
from shared.telemetry import tracing
from shared.telemetry.attributes import JOB, LANE, PIPELINE, RUN

NO_DEFINITION = Progress("failed", {}, {}, (ReasonModel(code="definition-missing"),))


@dataclass(frozen=True)
class Concluder:
    """What deciding needs."""

    definitions: Definitions
    clock: Clock

    def conclude(
        self,
        connection: Connection,
        job_id: str,
        number: int,
        cause: Received | None = None,
        stop: Stop | None = None,
    ) -> bool:
        """Look at a run whose facts have changed, or that somebody or its deadline stops.

        Whether there may be something to publish or to deliver now.

        No run ends before its input-ready was read: what is announced then says all of it.
        Raises `Unavailable("store")` while the definition can't be read.
        """
        run = runs.load(connection, job_id, number, lock=True)
        if run is None or run.request is None:
            return False
        definition = self.definitions.get(run.definition)
        closes = run.status == "running"
        progress = self._judged(connection, run, definition, stop) if closes else None
        if progress and progress.status == "running":
            return False
        stages = runs.load_stages(connection, job_id, number)
        if progress:
            ended_by = "superseded" if run.newer else stop
            run = self._close(connection, run, progress, stages, ended_by, cause)
        if run.newer:
            deliveries.cancel(connection, job_id, deliveries.SUPERSEDED)
            self.tell(connection, run)
        elif run.status not in ("running", "cancelled", "superseded") and definition:
            made = _made(run, definition, stages) if closes else ()
            deliveries.plan(connection, made, self.clock(), again=True)
            deliveries.plan(connection, _reports(run, definition, stages), self.clock())
        return True

    def _judged(
        self,
        connection: Connection,
        run: StoredRun,
        definition: Definition | None,
        stop: Stop | None,
    ) -> Progress:
        if definition is None:
            return NO_DEFINITION
        facts = runs.load_facts(connection, run.job_id, run.run)
        return judge(definition, facts, "superseded" if run.newer else stop)

    def _close(
        self,
        connection: Connection,
        run: StoredRun,
        progress: Progress,
        stages: Mapping[str, StoredStage],
        stop: Stop | None,
        cause: Received | None,
    ) -> StoredRun:
        finished_at = self.clock() if stop else _last(run, stages)
        traceparent = self._finish_span(run, cause)
        runs.close(connection, run, progress, stop, finished_at, traceparent)
        payloads, warnings = _gathered(run, stages)
        finished = announce.job_finished(
            run, progress, payloads, warnings, finished_at, traceparent
        )
        outbox.put(connection, finished, lane=run.lane, partition=run.partition)
        ended = replace(
            run,
            status=progress.status,
            stop=stop,
            reasons=progress.reasons,
            outputs=progress.outputs,
            finished_at=finished_at,
            finish_traceparent=traceparent,
        )
        if stop and stop != "superseded":
            self.tell(connection, ended)
        return ended

    def tell(self, connection: Connection, run: StoredRun) -> None:
        """Publish what holds for the job's queued work.

        Compaction keeps a job's last control alone, so each names all that holds.

        A job that has finished before the newer version came stays as it ended; that it is
        superseded is said all the same, and the same again is one event.
        """
        stopped = runs.stopped_to(connection, run.job_id)
        control = JobControl(
            job_id=run.job_id,
            cancelled_to_run=stopped,
            superseded_by=run.newer,
            lane=run.chosen_lane,
        )
        event = announce.job_control(
            control, run.lane_changes, self.clock(), run.finish_traceparent or run.traceparent
        )
        outbox.put(connection, event, lane=None, partition=None, key=run.job_id)

    def _finish_span(self, run: StoredRun, cause: Received | None) -> str:
        now = self.clock()
        own = cause if cause and cause.event.subject == run.job_id else None
        attributes: tracing.Attributes = {
            JOB: run.job_id,
            RUN: run.run,
            PIPELINE: run.pipeline,
            LANE: run.lane.value,
        }
        return tracing.record(
            "finish",
            min(own.event.time, now) if own else now,
            now,
            attributes,
            parent=(own.event.traceparent if own else "") or run.traceparent or None,
            trace_id=trace_id(run.job_id, run.run),
            span_id=span_id(run.job_id, run.run, "finish"),
        )


def _last(run: StoredRun, stages: Mapping[str, StoredStage]) -> datetime:
    """When the last stage ended: it follows from the facts, not from when they were read."""
    return max((stage.finished_at for stage in stages.values()), default=run.received_at)


def _gathered(
    run: StoredRun, stages: Mapping[str, StoredStage]
) -> tuple[dict[str, PayloadRef], list[str]]:
    """All payloads and warnings of the run, whatever the order in which events came."""
    request = (run.request or {}).get("payloads", {})
    payloads = {name: PayloadRef.model_validate(ref) for name, ref in request.items()}
    warnings: set[str] = set()
    for stage in stages.values():
        if "~" not in stage.stage:
            payloads |= stage.payloads
            warnings |= set(stage.warnings)
    return dict(sorted(payloads.items())), sorted(warnings)


def _made(
    run: StoredRun, definition: Definition, stages: Mapping[str, StoredStage]
) -> Iterator[deliveries.Planned]:
    """The outputs that were made in time, as `on_failure` allows."""
    if delivers(definition, run.status):
        for output, described in definition.outputs.items():
            stage = stages.get(described.source.partition(".")[0])
            if stage and stage.dicom and run.outputs.get(output) == "made":
                yield from _to_each(run, definition, stage, output, described.kind)


def _reports(
    run: StoredRun, definition: Definition, stages: Mapping[str, StoredStage]
) -> Iterator[deliveries.Planned]:
    """What was made because the job had ended: its stages are no part of the definition.

    A shadow's objects (`stage~service`) are compared, never delivered.
    """
    for stage in stages.values():
        if stage.dicom and "~" not in stage.stage and stage.stage not in definition.stages:
            yield from _to_each(run, definition, stage, stage.dicom["output"], stage.dicom["kind"])


def _to_each(
    run: StoredRun, definition: Definition, stage: StoredStage, output: str, kind: str
) -> Iterator[deliveries.Planned]:
    dicom = stage.dicom or {}
    for destination in definition.deliver.get(kind, ()):
        yield deliveries.Planned(
            job_id=run.job_id,
            run=run.run,
            stage=stage.stage,
            output=output,
            kind=kind,
            sop_class_uid=dicom["sop_class_uid"],
            sop_instance_uid=dicom["sop_instance_uid"],
            payload=stage.payloads[f"{stage.stage}.dicom"],
            destination=destination,
            lane=run.lane,
        )
