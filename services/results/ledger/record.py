"""Writes what events say into the ledger: upserts, in any order, a second time without effect."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Executable, Table, and_, select, update
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

INSERT: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}

Touched = set[tuple[str, int]]
"""Runs (job_id, run) whose facts have changed."""


class Unusable(Exception):
    """A well-formed event that contradicts itself; nothing of it was written."""


def record(connection: Connection, batch: Sequence[Received]) -> dict[tuple[str, int], Received]:
    """Take over the facts of a batch: the runs that it touches, each with its last cause.

    Raises `Unusable`.
    """
    facts = _Facts()
    for received in batch:
        facts.add(received)
    insert_new(connection, jobs, *_in_order(facts.jobs))
    insert_new(connection, runs, *_in_order(facts.runs))
    insert_new(connection, stages, *_in_order(facts.stages))
    _insert(connection, _with_object(connection.dialect.name), _in_order(facts.objects))
    touched = dict(facts.touched)
    _lock(connection, facts)
    for received, request in facts.requests:
        superseded = _record_request(connection, received, request)
        touched |= dict.fromkeys(sorted(superseded), received)
    for report in facts.commitments:
        _record_commitment(connection, report)
    return touched


def _lock(connection: Connection, facts: "_Facts") -> None:
    """Have all runs that this transaction may write, in one order: else two could each wait for
    the other. SQLite's writers take turns anyway.
    """
    superseded = {asked.supersedes for _, asked in facts.requests if asked.supersedes}
    if connection.dialect.name != "sqlite":
        theirs = runs.c.job_id.in_(sorted(superseded | facts.jobs.keys()))
        query = select(runs.c.run).where(theirs).order_by(runs.c.job_id, runs.c.run)
        connection.execute(query.with_for_update()).all()


def insert_new(connection: Connection, table: Table, *rows: Mapping[str, Any]) -> bool:
    """Insert the rows whose key is not there; of a single row, tells whether it was not."""
    return _insert(connection, _unless_there(table, connection.dialect.name), rows)


def _insert(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]
) -> bool:
    if len(rows) > 1:
        connection.execute(statement, list(rows))
        return False
    return bool(rows) and connection.execute(statement, rows[0]).rowcount > 0


@cache
def _unless_there(table: Table, dialect: str) -> Executable:
    """One statement for each table: what it compiles to is kept."""
    statement: Executable = INSERT[dialect](table).on_conflict_do_nothing()
    return statement.execution_options(preserve_rowcount=True)


@cache
def _with_object(dialect: str) -> Executable:
    """A stage may announce its object beside another fact of it, which may have come first."""
    insert = INSERT[dialect](stages)
    statement: Executable = insert.on_conflict_do_update(
        index_elements=list(stages.primary_key), set_={"dicom": insert.excluded.dicom}
    )
    return statement


def _in_order(rows: Mapping[Any, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By key: transactions that write the same rows at once wait for each other in one order."""
    return [rows[key] for key in sorted(rows)]


class _Facts:
    """What a batch says, table by table, each row once."""

    def __init__(self) -> None:
        self.jobs: dict[str, Mapping[str, Any]] = {}
        self.runs: dict[tuple[str, int], Mapping[str, Any]] = {}
        self.stages: dict[tuple[str, int, str], Mapping[str, Any]] = {}
        self.objects: dict[tuple[str, int, str], Mapping[str, Any]] = {}
        self.requests: list[tuple[Received, InputReady]] = []
        self.commitments: list[CommitmentReported] = []
        self.touched: dict[tuple[str, int], Received] = {}

    def add(self, received: Received) -> None:
        event, data = received.event, received.event.data
        if isinstance(data, DicomReady) and f"{data.stage}.dicom" not in data.payloads:
            raise Unusable("dicom-ready names no object")
        if isinstance(data, CommitmentReported):
            self.commitments.append(data)
        if not isinstance(data, Common) or event.kind not in KINDS:
            return
        key = (data.job_id, data.run)
        self.jobs.setdefault(data.job_id, _job(data))
        self.runs.setdefault(key, _run(event, data, received.place.partition))
        self.touched[key] = received
        if isinstance(data, InputReady):
            self.requests.append((received, data))
            return
        rows = self.objects if isinstance(data, DicomReady) else self.stages
        rows.setdefault((*key, data.stage), _stage(event, data))


def _job(data: Common) -> Mapping[str, Any]:
    return {
        "job_id": data.job_id,
        "case_id": data.case_id,
        "version": data.version,
        "supersedes": data.supersedes,
        "pipeline": data.pipeline,
        "received_at": data.received_at,
    }


def _run(event: Event, data: Common, partition: int | None) -> Mapping[str, Any]:
    ref = data.payloads.get(DEFINITION)
    return {
        "job_id": data.job_id,
        "run": data.run,
        "fresh": data.fresh,
        "lane": data.lane.value,
        "partition": partition,
        "definition": ref.model_dump() if ref else {},
        "traceparent": event.traceparent,
        "status": "running",
        "reasons": [],
        "outputs": {},
    }


def _stage(event: Event, data: Common) -> Mapping[str, Any]:
    """The bus writes one outcome per unit of work: all events about it say the same of it."""
    failed = data if isinstance(data, StageFailed) else None
    return {
        "job_id": data.job_id,
        "run": data.run,
        "stage": data.stage,
        "service": event.source,
        "status": _status(data),
        "attempts": data.attempts,
        "started_at": data.started_at,
        "finished_at": data.finished_at,
        "reasons": [reason.model_dump() for reason in failed.reasons] if failed else [],
        "warnings": list(data.warnings),
        "payloads": {name: dict(vars(ref)) for name, ref in data.payloads.items()},
        "dicom": _own_fields(data) if isinstance(data, DicomReady) else None,
        "failure": _own_fields(data) if failed else None,
    }


def _record_request(connection: Connection, received: Received, data: InputReady) -> Touched:
    connection.execute(
        update(runs)
        .where(runs.c.job_id == data.job_id, runs.c.run == data.run)
        .values(
            lane=data.lane.value,
            partition=received.place.partition,
            traceparent=received.event.traceparent,
            request=data.model_dump(mode="json", exclude_none=True),
            started_at=data.finished_at,
        )
    )
    if data.supersedes is None:
        return set()
    superseded = {"job_id": data.supersedes, "superseded_by": data.job_id}
    insert_new(connection, supersessions, superseded)
    known = select(runs.c.run).where(runs.c.job_id == data.supersedes)
    return {(data.supersedes, run) for run in connection.execute(known).scalars()}


def _status(data: Common) -> Literal["succeeded", "reused", "failed", "refused"]:
    if isinstance(data, StageFailed):
        return data.verdict
    return "succeeded" if data.reused_from is None else "reused"


def _own_fields(data: Common) -> dict[str, Any]:
    return data.model_dump(mode="json", exclude=set(Common.model_fields), exclude_none=True)


def _record_commitment(connection: Connection, report: CommitmentReported) -> None:
    """PS3.4 J: the destination says which of the instances of a transaction it keeps.

    One by one in the order of their key: others may write the same rows.
    """
    for instance in sorted(report.instances, key=lambda each: each.sop_instance_uid):
        connection.execute(
            update(deliveries)
            .where(
                and_(
                    deliveries.c.commitment_uid == report.transaction_uid,
                    deliveries.c.sop_instance_uid == instance.sop_instance_uid,
                )
            )
            .values(committed=instance.committed, commitment_due=None)
        )
