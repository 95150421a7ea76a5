"""The database of spans: SQLite, written in batches, old spans dropped."""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.console.otlp import Span

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT, service TEXT NOT NULL,
    name TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    attributes TEXT NOT NULL, failed INTEGER NOT NULL, links TEXT NOT NULL,
    PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_by_end ON spans (end_ns);
"""

_LATEST = """
SELECT trace_id, MIN(start_ns), MAX(end_ns), COUNT(*),
    MAX(json_extract(attributes, '$."clarion.job_id"')),
    MAX(json_extract(attributes, '$."clarion.pipeline"')),
    MAX(json_extract(attributes, '$."clarion.lane"'))
FROM spans WHERE trace_id IN (
    SELECT trace_id FROM spans WHERE json_extract(attributes, '$."clarion.job_id"') IS NOT NULL
    GROUP BY trace_id ORDER BY MIN(start_ns) DESC LIMIT ?
) GROUP BY trace_id ORDER BY MIN(start_ns) DESC
"""


@dataclass(frozen=True)
class TraceSummary:
    """One trace in a line."""

    trace_id: str
    start_ns: int
    end_ns: int
    spans: int
    job_id: str | None
    pipeline: str | None
    lane: str | None


class SpanDatabase:
    """All spans by trace. Figures, not facts: a lost second of them costs no study anything."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _SCHEMA)
        self._lock = threading.Lock()

    def add(self, spans: Iterable[Span]) -> None:
        """Keep spans; the same span again changes nothing."""
        rows = [
            (
                *(span.trace_id, span.span_id, span.parent_id or None, span.service, span.name),
                *(span.start_ns, span.end_ns, json.dumps(span.attributes), span.failed),
                json.dumps(span.links),
            )
            for span in spans
        ]
        with self._lock, self._connection:
            statement = "INSERT OR IGNORE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?)"
            self._connection.executemany(statement, rows)

    def of_trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, in the order of their start."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT * FROM spans WHERE trace_id = ? ORDER BY start_ns, end_ns DESC", (trace_id,)
            ).fetchall()
        return [_span(row) for row in rows]

    def latest(self, count: int) -> list[TraceSummary]:
        """The traces of jobs that began last, newest first."""
        with self._lock:
            rows = self._connection.execute(_LATEST, (count,)).fetchall()
        return [TraceSummary(*row) for row in rows]

    def drop_before(self, end_ns: int) -> int:
        """Forget spans that ended earlier; tells how many."""
        with self._lock, self._connection:
            return self._connection.execute(
                "DELETE FROM spans WHERE end_ns < ?", (end_ns,)
            ).rowcount

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _span(row: tuple[Any, ...]) -> Span:
    *plain, attributes, failed, links = row
    trace_id, span_id, parent_id, service, name, start_ns, end_ns = plain
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        service=service,
        name=name,
        start_ns=start_ns,
        end_ns=end_ns,
        attributes=json.loads(attributes),
        failed=bool(failed),
        links=tuple(json.loads(links)),
    )
