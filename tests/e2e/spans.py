"""A trace as the console tells it."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

_NANO = 1e-9


@dataclass(frozen=True)
class Span:
    """One span; times in seconds since 1970."""

    service: str
    name: str
    span_id: str
    parent_id: str | None
    start: float
    end: float
    attributes: dict[str, Any]

    @property
    def length(self) -> float:
        return self.end - self.start


def of(trace: dict[str, Any]) -> list[Span]:
    """The spans of the console's answer."""
    return [
        Span(
            service=span["service"],
            name=span["name"],
            span_id=span["span_id"],
            parent_id=span["parent_id"],
            start=span["start_ns"] * _NANO,
            end=span["end_ns"] * _NANO,
            attributes=span["attributes"],
        )
        for span in trace["spans"]
    ]


def longest_leaves(trace: dict[str, Any]) -> list[tuple[tuple[str, str], float]]:
    """Seconds inside leaf spans by service and name, the longest first."""
    every = of(trace)
    parents = {span.parent_id for span in every}
    total: defaultdict[tuple[str, str], float] = defaultdict(float)
    for span in every:
        if span.span_id not in parents:
            total[span.service, span.name] += span.length
    return sorted(total.items(), key=lambda each: -each[1])


def gaps(trace: dict[str, Any], longer_than: float = 0.01) -> list[str]:
    """Where no leaf runs, in words: between which spans, and for how long."""
    every = of(trace)
    parents = {span.parent_id for span in every}
    leaves = sorted(
        (span for span in every if span.span_id not in parents), key=lambda span: span.start
    )
    found, last = [], leaves[0]
    for span in leaves[1:]:
        if span.start - last.end > longer_than:
            gap = 1000 * (span.start - last.end)
            found.append(
                f"{gap:.0f} ms between {last.service} {last.name} and {span.service} {span.name}"
            )
        last = max(last, span, key=lambda each: each.end)
    return found
