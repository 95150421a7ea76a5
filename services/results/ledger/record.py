"""Writes what events say into the ledger: upserts, in any order, a second time without effect."""

from typing import Any, Literal

from sqlalchemy import Connection, Table, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.results.ledger.tables import deliveries, jobs, runs, stages, supersessions
from shared.bus.received import Received
from shared.bus.units import DEFINITION
from shared.events.models import (
    CommitmentReported,
    Common,
    DicomReady,
    InputReady,
    StageFailed,
)
from shared.events.wire import Event

STAGE_KINDS = (
    "volume-ready",
    "mask-ready",
    "classification-ready",
    "measurement-ready",
    "dicom-ready",
    "stage-failed",
)
KINDS = ("input-ready", *STAGE_KINDS, "commitment-reported")
"""The kinds that tell the ledger something which it has not written itself."""

Touched = set[tuple[str, int]]
"""Runs (job_id, run) whose facts have changed."""


class Unusable(Exception):
    """A well-formed event that contradicts itself; nothing of it was written."""


def record(connection: Connection, received: Received) -> Touched:
    """Take over the facts of one event. Raises `Unusable`."""
    event, data = received.event, received.event.data
    if isinstance(data, DicomReady) and f"{data.stage}.dicom" not in data.payloads:
        raise Unusable("dicom-ready names no object")
    if isinstance(data, CommitmentReported):
        _record_commitment(connection, data)
        return set()
    if not isinstance(data, Common) or event.kind not in KINDS:
        return set()
    _record_job(connection, data)
    _record_run(connection, event, data, received.place.partition)
    touched = {(data.job_id, data.run)}
    if isinstance(data, InputReady):
        return touched | _record_request(connection, event, data, received.place.partition)
    _record_stage(connection, event, data)
    return touched


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert unless the key is there; tells whether it was not."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0


def _record_job(connection: Connection, data: Common) -> None:
    insert_new(
        connection,
        jobs,
        job_id=data.job_id,
        case_id=data.case_id,
        version=data.version,
        supersedes=data.supersedes,
        pipeline=data.pipeline,
        received_at=data.received_at,
    )


def _record_run(connection: Connection, event: Event, data: Common, partition: int | None) -> None:
    ref = data.payloads.get(DEFINITION)
    insert_new(
        connection,
        runs,
        job_id=data.job_id,
        run=data.run,
        fresh=data.fresh,
        lane=data.lane.value,
        partition=partition,
        definition=ref.model_dump() if ref else {},
        traceparent=event.traceparent,
        status="running",
        reasons=[],
        outputs={},
    )


def _record_request(
    connection: Connection, event: Event, data: InputReady, partition: int | None
) -> Touched:
    connection.execute(
        update(runs)
        .where(runs.c.job_id == data.job_id, runs.c.run == data.run)
        .values(
            lane=data.lane.value,
            partition=partition,
            traceparent=event.traceparent,
            request=data.model_dump(mode="json", exclude_none=True),
            started_at=data.finished_at,
        )
    )
    if data.supersedes is None:
        return set()
    insert_new(connection, supersessions, job_id=data.supersedes, superseded_by=data.job_id)
    known = select(runs.c.run).where(runs.c.job_id == data.supersedes)
    return {(data.supersedes, run) for run in connection.execute(known).scalars()}


def _record_stage(connection: Connection, event: Event, data: Common) -> None:
    """The bus writes one outcome per unit of work: all events about it say the same of it."""
    failed = data if isinstance(data, StageFailed) else None
    dicom = _own_fields(data) if isinstance(data, DicomReady) else None
    new = insert_new(
        connection,
        stages,
        job_id=data.job_id,
        run=data.run,
        stage=data.stage,
        service=event.source,
        status=_status(data),
        attempts=data.attempts,
        started_at=data.started_at,
        finished_at=data.finished_at,
        reasons=[reason.model_dump() for reason in failed.reasons] if failed else [],
        warnings=list(data.warnings),
        payloads={name: ref.model_dump() for name, ref in data.payloads.items()},
        dicom=dicom,
        failure=_own_fields(data) if failed else None,
    )
    if dicom and not new:
        connection.execute(
            update(stages)
            .where(
                stages.c.job_id == data.job_id,
                stages.c.run == data.run,
                stages.c.stage == data.stage,
            )
            .values(dicom=dicom)
        )


def _status(data: Common) -> Literal["succeeded", "reused", "failed", "refused"]:
    if isinstance(data, StageFailed):
        return data.verdict
    return "succeeded" if data.reused_from is None else "reused"


def _own_fields(data: Common) -> dict[str, Any]:
    return data.model_dump(mode="json", exclude=set(Common.model_fields), exclude_none=True)


def _record_commitment(connection: Connection, report: CommitmentReported) -> None:
    """PS3.4 J: the destination says which of the instances of a transaction it keeps."""
    for instance in report.instances:
        connection.execute(
            update(deliveries)
            .where(
                and_(
                    deliveries.c.commitment_uid == report.transaction_uid,
                    deliveries.c.sop_instance_uid == instance.sop_instance_uid,
                )
            )
            .values(committed=instance.committed)
        )
