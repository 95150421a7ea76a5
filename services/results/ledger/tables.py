"""The ledger's tables. What they hold may name the patient: SOP UIDs of outputs, file paths."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC on every database (SQLite keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("case_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("supersedes", String),
    Column("pipeline", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("chosen_lane", String),  # by a person: it holds for every run, later ones too
    Column("lane_changes", Integer, nullable=False, server_default="0"),
    Column("removal", String),  # of its payloads: begun, then done
    Index("jobs_by_age", "received_at"),
    Index("jobs_by_case", "case_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("job_id", String, nullable=False),
    Column("run", Integer, nullable=False),
    Column("fresh", Boolean, nullable=False),
    Column("lane", String, nullable=False),
    Column("partition", Integer),
    Column("definition", JSON, nullable=False),
    Column("request", JSON),  # input-ready's data; null until it was read
    Column("started_at", Moment),  # when the input was ready
    Column("traceparent", String, nullable=False),
    Column("status", String, nullable=False),
    Column("stop", String),  # what ended it from outside: deadline, cancelled, superseded
    Column("reasons", JSON, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("finished_at", Moment),
    Column("finish_traceparent", String),
    Column("discarded_at", Moment),  # a person has seen its failures, and leaves it at that
    Column("restarts", Integer, nullable=False, server_default="0"),  # from its outcomes
    Column("restarted_at", Moment),
    PrimaryKeyConstraint("job_id", "run"),
    Index("runs_by_status", "status"),
)

stages = Table(
    "stages",
    metadata,
    Column("job_id", String, nullable=False),
    Column("run", Integer, nullable=False),
    Column("stage", String, nullable=False),
    Column("service", String, nullable=False),
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("payloads", JSON, nullable=False),
    Column("dicom", JSON),  # dicom-ready's own fields
    Column("failure", JSON),  # stage-failed's own fields
    PrimaryKeyConstraint("job_id", "run", "stage"),
    Index("stages_by_end", "finished_at"),
)

supersessions = Table(
    "supersessions",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("superseded_by", String, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("job_id", String, nullable=False),
    Column("sop_instance_uid", String, nullable=False),
    Column("destination", String, nullable=False),
    Column("run", Integer, nullable=False),
    Column("stage", String, nullable=False),
    Column("output", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("sop_class_uid", String, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("position", Integer, nullable=False),  # in the association
    Column("urgency", Integer, nullable=False),  # of the lane; 0 goes first
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", String),
    Column("dicom_status", String),
    Column("committed", Boolean),
    Column("commitment_uid", String),  # of the transaction that asked for it
    Column("commitment_asks", Integer, nullable=False, server_default="0"),
    Column("commitment_due", Moment),  # when to ask, as long as nothing was reported
    Column("commitment_error", String),  # why the last request was not taken
    Column("waiting_since", Moment, nullable=False),  # since the last attempt
    Column("planned_at", Moment),  # it ages from then on
    Column("next_attempt_at", Moment, nullable=False),
    Column("claimed_by", String),
    PrimaryKeyConstraint("job_id", "sop_instance_uid", "destination"),
    Index("deliveries_due", "status", "next_attempt_at"),
    Index("deliveries_by_uid", "sop_instance_uid"),
    Index("deliveries_to_confirm", "destination", "commitment_due"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("time", Moment, nullable=False),
    Column("traceparent", String, nullable=False),
    Column("lane", String),
    Column("partition", Integer),
    Column("key", String),
    Column("data", JSON, nullable=False),
    Column("sent_at", Moment),
    Index("outbox_unsent", "sent_at", "seq"),
)

moves = Table(
    "moves",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String, nullable=False),
    sqlite_autoincrement=True,  # no number twice: what is forgotten was asked before it
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),  # a replica
    Column("until", Moment, nullable=False),
)
