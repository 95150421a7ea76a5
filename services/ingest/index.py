"""The journal's index in SQLite: it answers quickly what the segments say slowly.

Nothing is only here. When the file is lost or broken it is made again from the segments, and
what the journal has beyond it (a crash between the two) is added at start.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any

from services.ingest.cases import Arrival, Case, Place, Version
from shared.dicom.headers import Headers
from shared.events.models import Lane, PayloadRef

_SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (
    name TEXT PRIMARY KEY, indexed INTEGER NOT NULL, ref TEXT);
CREATE TABLE IF NOT EXISTS cases (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, study TEXT NOT NULL, grp TEXT NOT NULL,
    called TEXT NOT NULL, latest INTEGER NOT NULL, examined INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS cases_unexamined ON cases (id) WHERE latest > examined;
CREATE TABLE IF NOT EXISTS arrivals (
    sequence INTEGER PRIMARY KEY, case_id TEXT NOT NULL, sop_instance TEXT NOT NULL,
    sop_class TEXT NOT NULL, transfer_syntax TEXT NOT NULL, digest TEXT NOT NULL,
    content TEXT NOT NULL, admitted INTEGER NOT NULL, arrived_at TEXT NOT NULL,
    association TEXT NOT NULL, called TEXT NOT NULL, calling TEXT NOT NULL, lane TEXT NOT NULL,
    segment TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    pixels_offset INTEGER, pixels_length INTEGER, header TEXT NOT NULL, defect TEXT);
CREATE INDEX IF NOT EXISTS arrivals_of_case ON arrivals (case_id, sop_instance);
CREATE TABLE IF NOT EXISTS versions (
    case_id TEXT NOT NULL, number INTEGER NOT NULL, job_id TEXT NOT NULL, supersedes TEXT,
    inputs TEXT NOT NULL, announcement TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (case_id, number));
CREATE INDEX IF NOT EXISTS versions_unpublished ON versions (published) WHERE published = 0;
CREATE TABLE IF NOT EXISTS reports (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, report TEXT NOT NULL,
    published INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS own (sop_instance TEXT PRIMARY KEY);
"""
_TOUCH_CASE = """
INSERT INTO cases (id, pipeline, study, grp, called, latest) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET called = excluded.called, latest = max(latest, excluded.latest)
"""
_COLUMNS = (
    "sequence, case_id, sop_instance, sop_class, transfer_syntax, digest, content, admitted,"
    " arrived_at, association, called, calling, lane, segment, offset, length, pixels_offset,"
    " pixels_length, header, defect"
)


@dataclass(frozen=True)
class Kept:
    """A version with what its announcement needs, as it was journaled."""

    version: Version
    announcement: dict[str, Any]


class Index:
    """Threads may share it; every method is one transaction.

    Every method raises `sqlite3.DatabaseError` when the file is broken or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._database = _connect(path)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def indexed(self, segment: str) -> int:
        """Up to where a segment has been indexed."""
        row = self._one("SELECT indexed FROM segments WHERE name = ?", segment)
        return row[0] if row else 0

    def indexed_to(self, segment: str, end: int) -> None:
        with self._transaction() as database:
            _advance(database, segment, end)

    def segment_ref(self, segment: str) -> PayloadRef | None:
        """Where the payload store keeps a sealed segment."""
        row = self._one("SELECT ref FROM segments WHERE name = ?", segment)
        return PayloadRef.model_validate_json(row[0]) if row and row[0] else None

    def keep_segment_ref(self, segment: str, ref: PayloadRef) -> None:
        with self._transaction() as database:
            statement = "UPDATE segments SET ref = ? WHERE name = ?"
            database.execute(statement, (ref.model_dump_json(), segment))

    def last_sequence(self) -> int:
        row = self._one("SELECT max(sequence) FROM arrivals")
        return row[0] or 0 if row else 0

    def add_arrival(self, arrival: Arrival, end: int) -> None:
        """Index an arrival whose record ends at `end` in its segment."""
        case = arrival.case
        named = (case.id, case.pipeline, case.study_instance_uid, case.group)
        touched = (*named, arrival.called_ae, arrival.sequence)
        marks = ", ".join("?" * 20)
        with self._transaction() as database:
            database.execute(_TOUCH_CASE, touched)
            statement = f"INSERT OR REPLACE INTO arrivals ({_COLUMNS}) VALUES ({marks})"  # noqa: S608
            database.execute(statement, _row(arrival))
            _advance(database, arrival.place.segment, end)

    def arrivals(self, case: str, sop_instance: str | None = None) -> list[Arrival]:
        """Everything received of a case, or of one of its instances, first to last."""
        statement = f"SELECT {_COLUMNS} FROM arrivals WHERE case_id = ?"  # noqa: S608
        given = [case]
        if sop_instance is not None:
            statement, given = statement + " AND sop_instance = ?", [case, sop_instance]
        rows = self._all(statement + " ORDER BY sequence", *given)
        found = self.case(case)
        return [_arrival(row, found) for row in rows] if found else []

    def case(self, case: str) -> Case | None:
        row = self._one("SELECT pipeline, study, grp FROM cases WHERE id = ?", case)
        return Case(*row) if row else None

    def unexamined(self) -> list[tuple[str, str]]:
        """The cases that received something since they were last examined, and the AE title
        that was called last."""
        rows = self._all("SELECT id, called FROM cases WHERE latest > examined")
        return [(row[0], row[1]) for row in rows]

    def examined(self, case: str, sequence: int) -> None:
        """The case was examined with its arrivals up to `sequence`."""
        with self._transaction() as database:
            statement = "UPDATE cases SET examined = max(examined, ?) WHERE id = ?"
            database.execute(statement, (sequence, case))

    def add_version(self, kept: Kept) -> None:
        version = kept.version
        named = (version.case_id, version.number, version.job_id, version.supersedes)
        texts = (json.dumps(dict(version.inputs)), json.dumps(kept.announcement))
        with self._transaction() as database:
            statement = "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?, ?, 0)"
            database.execute(statement, named + texts)

    def last_version(self, case: str) -> Version | None:
        row = self._one(
            "SELECT case_id, number, job_id, supersedes, inputs FROM versions"
            " WHERE case_id = ? ORDER BY number DESC",
            case,
        )
        return _version(row) if row else None

    def unpublished(self) -> list[Kept]:
        """The versions that nobody has been told of, in the order of their decision."""
        rows = self._all(
            "SELECT case_id, number, job_id, supersedes, inputs, announcement FROM versions"
            " WHERE published = 0 ORDER BY rowid"
        )
        return [Kept(_version(row), json.loads(row[5])) for row in rows]

    def add_report(self, report_id: str, at: str, report: dict[str, Any]) -> None:
        """A commitment report that was journaled."""
        with self._transaction() as database:
            statement = "INSERT OR IGNORE INTO reports VALUES (?, ?, ?, 0)"
            database.execute(statement, (report_id, at, json.dumps(report)))

    def unpublished_reports(self) -> list[tuple[str, datetime, dict[str, Any]]]:
        """Id, time and content of the reports that nobody has been told of."""
        rows = self._all("SELECT id, at, report FROM reports WHERE published = 0 ORDER BY rowid")
        return [(row[0], datetime.fromisoformat(row[1]), json.loads(row[2])) for row in rows]

    def published(self, name: str) -> None:
        """A version (by its job) or a report (by its id) was published."""
        with self._transaction() as database:
            database.execute("UPDATE versions SET published = 1 WHERE job_id = ?", (name,))
            database.execute("UPDATE reports SET published = 1 WHERE id = ?", (name,))

    def add_own(self, sop_instances: Iterable[str]) -> None:
        with self._transaction() as database:
            named = [(sop_instance,) for sop_instance in sop_instances]
            database.executemany("INSERT OR IGNORE INTO own VALUES (?)", named)

    def is_own(self, sop_instance: str) -> bool:
        return self._one("SELECT 1 FROM own WHERE sop_instance = ?", sop_instance) is not None

    def _one(self, statement: str, *given: Any) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._database.execute(statement, given).fetchone()
        return row

    def _all(self, statement: str, *given: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(statement, given).fetchall()


def remove(path: Path) -> None:
    """Remove an index that is broken, to be made again."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # the segments are what is synced
        database.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _advance(database: sqlite3.Connection, segment: str, end: int) -> None:
    database.execute(
        "INSERT INTO segments (name, indexed) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET indexed = max(indexed, excluded.indexed)",
        (segment, end),
    )


def _row(arrival: Arrival) -> tuple[Any, ...]:
    place, headers = arrival.place, arrival.headers
    return (
        arrival.sequence,
        arrival.case.id,
        arrival.sop_instance_uid,
        arrival.sop_class_uid,
        arrival.transfer_syntax_uid,
        arrival.digest,
        arrival.content,
        arrival.admitted,
        arrival.arrived_at.isoformat(),
        arrival.association,
        arrival.called_ae,
        arrival.calling_ae,
        arrival.lane,
        place.segment,
        place.offset,
        place.length,
        *(place.pixels or (None, None)),
        json.dumps(headers.values),
        headers.defect,
    )


def _version(row: tuple[Any, ...]) -> Version:
    return Version(row[0], row[1], row[2], row[3], json.loads(row[4]))


def _arrival(row: tuple[Any, ...], case: Case) -> Arrival:
    pixels = None if row[16] is None else (row[16], row[17])
    return Arrival(
        sequence=row[0],
        case=case,
        sop_instance_uid=row[2],
        sop_class_uid=row[3],
        transfer_syntax_uid=row[4],
        digest=row[5],
        content=row[6],
        admitted=bool(row[7]),
        arrived_at=datetime.fromisoformat(row[8]),
        association=row[9],
        called_ae=row[10],
        calling_ae=row[11],
        lane=Lane(row[12]),
        place=Place(row[13], row[14], row[15], pixels),
        headers=Headers(json.loads(row[18]), None, row[19]),
    )
