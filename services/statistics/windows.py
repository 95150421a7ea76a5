"""Windows over facts and hours, and the figures of each: functions of what is kept and the time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.statistics.facts import INPUT, JOB, Fact
from services.statistics.hours import HOUR_S, Hour, Place, hour_of
from services.statistics.sketch import count, quantile
from services.statistics.tally import Series, Tally, ends, series_of
from shared.catalog import topic_name

MINUTE_S = 60.0
WEEK_S = 7 * 24 * HOUR_S
_BACK_H = (2, 4, 8, 24)
SHORTEST = "5 min"
TOLD = (topic_name("statistics", None), 0)
"""Where among the positions stands until when minutes and hours are published, in s since 1970."""
_NOTHING, _NO_HOUR = Tally(), Hour()
Figures = dict[Series, dict[str, float]]


@dataclass
class Kept:
    """All partitions' facts by mark, hours by place, and positions by topic and partition."""

    facts: dict[str, Fact] = field(default_factory=dict)
    hours: dict[Place, Hour] = field(default_factory=dict)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Moments from `start` on and before `end`, in seconds since 1970."""

    name: str
    start: float
    end: float
    slides: bool = False

    def holds(self, moment: float) -> bool:
        return self.start <= moment < self.end


def sliding(now: float) -> tuple[Span, ...]:
    """The windows that end now."""
    return (
        Span(SHORTEST, now - 5 * MINUTE_S, now, slides=True),
        Span("1 h", now - HOUR_S, now, slides=True),
    )


def latest(now: float) -> tuple[Span, ...]:
    """The minute and the hour that ended last."""
    minute, hour = now // MINUTE_S * MINUTE_S, now // HOUR_S * HOUR_S
    return (
        Span("minute", minute - MINUTE_S, minute),
        Span("hour", hour - HOUR_S, hour),
    )


def tally_of(kept: Kept, span: Span) -> Tally:
    """Everything in the span, counted once."""
    return tallies_of(kept, (span,))[span]


def tallies_of(kept: Kept, spans: Sequence[Span]) -> dict[Span, Tally]:
    """Everything in each span, counted once: whole hours from the hours, the rest from facts.

    An hour that a span holds only in part is counted from facts, which are kept for as long as
    any window reaches that does not begin with an hour. Spans may overlap: each fact is taken in
    once, in the piece of time between two edges of spans or hours, and the pieces are added up.
    """
    edges = _edges(kept, spans)
    loose, folded = _pieces(kept, edges)
    found = {span: Tally() for span in spans}
    for span, made in found.items():
        for place, hour in kept.hours.items():
            if _is_whole(place[1], span):
                made.merge(hour.counted)
        for number in range(bisect_left(edges, span.start), bisect_left(edges, span.end)):
            made.merge(loose.get(number, _NOTHING))
            if not _is_whole(hour_of(edges[number]), span):
                made.merge(folded.get(number, _NOTHING))
    return found


def _edges(kept: Kept, spans: Iterable[Span]) -> list[float]:
    moments = {moment for span in spans for moment in (span.start, span.end)}
    first, last = min(moments), max(moments)
    hours = {number for _, hour in kept.hours for number in (hour, hour + 1)}
    return sorted(moments | {h * HOUR_S for h in hours if first < h * HOUR_S < last})


def _pieces(kept: Kept, edges: Sequence[float]) -> tuple[dict[int, Tally], dict[int, Tally]]:
    """The facts between each two edges, by the number of the first: those that no hour counts,
    and those that one does.
    """
    loose: dict[int, Tally] = {}
    folded: dict[int, Tally] = {}
    ended = ends(kept.facts.values())
    for fact in kept.facts.values():
        number = bisect_right(edges, fact.finished) - 1
        if 0 <= number < len(edges) - 1:
            hour = kept.hours.get((fact.partition, hour_of(fact.finished)), _NO_HOUR)
            pieces = folded if fact.mark in hour.marks else loose
            if number not in pieces:
                pieces[number] = Tally()
            pieces[number].add(fact, ended)
    return loose, folded


def _is_whole(hour: int, span: Span) -> bool:
    return span.start <= hour * HOUR_S and (hour + 1) * HOUR_S <= span.end


def back_from(now: float) -> tuple[Span, ...]:
    """The last hour, and a week of whole hours before it, in parts that do not overlap.

    Each has the name of the span that it makes with the newer ones: so many hours, at most.
    """
    hour = hour_of(now) * HOUR_S
    starts = [now - HOUR_S, *(hour - (hours - 1) * HOUR_S for hours in _BACK_H), hour - WEEK_S]
    names = [f"{hours} h" for hours in (1, *_BACK_H)] + ["week"]
    ends = [now, *starts]
    return tuple(map(Span, names, starts, ends))


def figures(counted: Tally, span: Span) -> Figures:
    """Counts, how many a minute, and of each latency p50, p95 (s) and how many were measured."""
    found: Figures = {}
    minutes = (span.end - span.start) / MINUTE_S
    for series, results in sorted(counted.counts.items()):
        total = sum(results.values())
        found[series] = {**dict(sorted(results.items())), "per_min": round(total / minutes, 6)}
        for name, bins in sorted(counted.sketches.get(series, {}).items()):
            found[series] |= {
                f"{name}_p50_s": _rounded(quantile(bins, 0.5)),
                f"{name}_p95_s": _rounded(quantile(bins, 0.95)),
                f"{name}_count": count(bins),
            }
    return found


def in_work(facts: Iterable[Fact]) -> Figures:
    """Runs of jobs that have begun and not finished, by pipeline and lane."""
    everything = list(facts)
    over = {fact.unit for fact in everything if fact.of == JOB}
    found: Figures = {}
    for fact in everything:
        if fact.of == INPUT:
            line = found.setdefault(series_of(fact), {"in_work": 0})
            line["in_work"] += fact.unit not in over
    return found


def arrivals(kept: Kept) -> Mapping[str, list[float]]:
    """When each sender's studies came, in order, as far as is known."""
    found: dict[str, list[float]] = {}
    for hour in kept.hours.values():
        for series, moments in hour.counted.moments.items():
            found.setdefault(series.sender, []).extend(moments)
    for fact in kept.facts.values():
        hour = kept.hours.get((fact.partition, hour_of(fact.finished)), _NO_HOUR)
        if fact.sender and fact.mark not in hour.marks:
            found.setdefault(fact.sender, []).append(fact.finished)
    return {sender: sorted(moments) for sender, moments in found.items()}


def _rounded(seconds: float | None) -> float:
    return round(seconds or 0.0, 4)
