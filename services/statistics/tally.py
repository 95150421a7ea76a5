"""Counts and latencies by series: adding tallies in any order and grouping gives the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.statistics.facts import DELIVERY, INPUT, JOB, STAGE, Fact
from services.statistics.sketch import Bins, bin_of


class Series(NamedTuple):
    """What figures are told apart by; the empty string: by all of them."""

    stage: str = ""
    lane: str = ""
    pipeline: str = ""
    code: str = ""
    sender: str = ""

    def key(self) -> dict[str, str]:
        """As an event carries it."""
        return {name: value for name, value in self._asdict().items() if value}


Sketches = Mapping[Series, Mapping[str, Bins]]
"""The sketches of latencies by series and name."""

Ended = Mapping[tuple[str, str], float]
"""When a stage of a run ended, by (unit, stage)."""


@dataclass
class Tally:
    """Of each series: counts, sketches of latencies, and the moments at which something came."""

    counts: dict[Series, dict[str, int]] = field(default_factory=dict)
    sketches: dict[Series, dict[str, dict[int, int]]] = field(default_factory=dict)
    moments: dict[Series, list[float]] = field(default_factory=dict)

    def add(self, fact: Fact, ended: Ended) -> None:
        """Count a fact, once, in its own series; refusal codes and senders beside it."""
        own = series_of(fact)
        self._count(own, fact.result)
        for code in fact.codes:
            self._count(own._replace(code=code), fact.result)
        if fact.sender:
            self.moments.setdefault(Series(sender=fact.sender), []).append(fact.finished)
        for name, seconds in latencies(fact, ended):
            bins = self.sketches.setdefault(own, {}).setdefault(name, {})
            place = bin_of(seconds)
            bins[place] = bins.get(place, 0) + 1

    def merge(self, other: "Tally") -> None:
        """Add all that another holds."""
        for series, results in other.counts.items():
            for result, count in results.items():
                self._count(series, result, count)
        for series, named in other.sketches.items():
            for name, bins in named.items():
                mine = self.sketches.setdefault(series, {}).setdefault(name, {})
                for place, count in bins.items():
                    mine[place] = mine.get(place, 0) + count
        for series, moments in other.moments.items():
            self.moments.setdefault(series, []).extend(moments)

    def to_json(self) -> list[dict[str, Any]]:
        """One entry for each series."""
        everything = sorted({*self.counts, *self.sketches, *self.moments})
        return [
            {
                "key": series.key(),
                "counts": self.counts.get(series, {}),
                "sketches": self.sketches.get(series, {}),
                "moments": sorted(self.moments.get(series, [])),
            }
            for series in everything
        ]

    @classmethod
    def from_json(cls, entries: Iterable[Mapping[str, Any]]) -> "Tally":
        made = cls()
        for entry in entries:
            series = Series(**entry["key"])
            if entry["counts"]:
                made.counts[series] = dict(entry["counts"])
            if entry["moments"]:
                made.moments[series] = list(entry["moments"])
            for name, bins in entry["sketches"].items():
                named = made.sketches.setdefault(series, {})
                named[name] = {int(place): count for place, count in bins.items()}
        return made

    def _count(self, series: Series, result: str, count: int = 1) -> None:
        results = self.counts.setdefault(series, {})
        results[result] = results.get(result, 0) + count


def tally(facts: Iterable[Fact], ended: Ended) -> Tally:
    """The tally of facts that are all different."""
    made = Tally()
    for fact in facts:
        made.add(fact, ended)
    return made


def series_of(fact: Fact) -> Series:
    """A stage's own series, or that of the pipeline and lane for what concerns a whole job."""
    stage = fact.stage if fact.of == STAGE else ""
    return Series(stage=stage, lane=fact.lane, pipeline=fact.pipeline)


def ends(facts: Iterable[Fact]) -> dict[tuple[str, str], float]:
    """When each stage of each run ended, as far as the facts tell."""
    return {(f.unit, f.stage): f.finished for f in facts if f.of in (STAGE, INPUT)}


def latencies(fact: Fact, ended: Ended) -> Iterator[tuple[str, float]]:
    """Named durations in s. What was taken over from an earlier run took no time of its own."""
    took = fact.finished - fact.started
    if fact.of == INPUT and fact.run == 1:
        yield "collecting", took
    if fact.of == JOB and fact.run == 1:
        yield "end_to_end", fact.finished - fact.received
    if fact.of == DELIVERY:
        yield "delivery", took
    if fact.of == STAGE and fact.result != "reused":
        yield "duration", took
        inputs = [ended.get((fact.unit, stage)) for stage in fact.after]
        known = [moment for moment in inputs if moment is not None]
        if known and len(known) == len(inputs):
            yield "wait", fact.started - max(known)
