"""How much of a job's time is explained: the share of it that lies inside leaf spans."""

from collections.abc import Iterable

from services.console.otlp import Span

Interval = tuple[int, int]
QUIET_TIME = "quiet-time"
"""The wait that ingest makes on purpose; it counts neither as time nor as coverage."""


def covered(spans: list[Span]) -> float:
    """Between 0 and 1; 0 for a trace without spans."""
    if not spans:
        return 0.0
    whole = (min(span.start_ns for span in spans), max(span.end_ns for span in spans))
    quiet = union((s.start_ns, s.end_ns) for s in spans if s.name == QUIET_TIME)
    parents = {span.parent_id for span in spans}
    leaves = union((s.start_ns, s.end_ns) for s in spans if s.span_id not in parents)
    counted = whole[1] - whole[0] - length(quiet)
    inside = length(union([*leaves, *quiet])) - length(quiet)
    return inside / counted if counted else 1.0


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals without overlap, in order."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def length(intervals: Iterable[Interval]) -> int:
    """The sum of the lengths of intervals that don't overlap."""
    return sum(end - start for start, end in intervals)
