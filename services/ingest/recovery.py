"""What happens at start: the index learns what the journal has beyond it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from services.ingest.arrivals import from_record
from services.ingest.cases import Place
from services.ingest.deciding import from_meta
from services.ingest.index import Index, remove
from services.ingest.journal import Journal
from services.ingest.quiet import QuietTimes
from services.ingest.records import COMMITMENT, INSTANCE, OWN, PUBLISHED, VERSION, Record
from shared.telemetry.logs import logger

_PRIMARY = 0xFF
"""The bits of an extended result code that are the primary one."""


def open_index(path: Path, journal: Journal) -> Index:
    """The index, up to date with the journal; made again when SQLite calls it broken.

    Raises `sqlite3.OperationalError` when the disk is full or somebody else has the index locked:
    then it is whole, and reading a hospital's journal anew would cost hours.
    """
    try:
        return _caught_up(path, journal)
    except sqlite3.DatabaseError as error:
        if not _is_broken(error):
            raise
        logger().warning("index made again", exception_type=type(error).__name__)
        remove(path)
        return _caught_up(path, journal)


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _caught_up(path: Path, journal: Journal) -> Index:
    index = Index(path)
    try:
        records = recover(journal, index)
    except (sqlite3.DatabaseError, OSError):
        index.close()
        raise
    logger().info("journal recovered", records=records)
    return index


def recover(journal: Journal, index: Index) -> int:
    """Index what the segments hold and the index lacks; gives the number of records.

    All of it when the index is new. Broken tails are cut off the segments: no sender was told
    Success for them.
    """
    found = 0
    published: list[str] = []
    for name in journal.names():
        for record in journal.recover(name, index.indexed(name)):
            if record.kind == PUBLISHED:
                published.append(record.meta["name"])
            else:
                _learn(record, name, journal, index)
            index.indexed_to(name, record.end)
            found += 1
    for published_name in published:  # a later segment may hold what was published
        index.published(published_name)
    return found


def _learn(record: Record, segment: str, journal: Journal, index: Index) -> None:
    if record.kind == INSTANCE:
        file = journal.read(Place(segment, record.offset, record.length))
        index.add_arrival(from_record(record, segment, file), record.end)
    elif record.kind == VERSION:
        index.add_version(from_meta(record.meta))
    elif record.kind == OWN:
        index.add_own(record.meta["sop_instance_uids"])
    elif record.kind == COMMITMENT:
        index.add_report(**record.meta)


def resume(index: Index, quiet: QuietTimes, quiet_s: Callable[[str], float], now: float) -> int:
    """Cases that were being filled wait a whole quiet time again: nobody could send.

    `quiet_s` gives the quiet time of a called AE title; the result is the number of cases.
    """
    cases = index.unexamined()
    for case, called_ae in cases:
        quiet.arrived(case, "", quiet_s(called_ae), now, bulk=False)
    return len(cases)
