"""Minutes and hours on the bus: each once all that ended in it is known, and again if more came.

What comes late, as the end of a job that `results` was slow to read, makes its window tell again:
of two events of one window the later one holds. Their ids follow from what they tell, so what is
told again after a crash, or by two replicas, is the same event.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.statistics.facts import Fact
from services.statistics.hours import HOUR_S, TOLD_BACK_S, hour_of
from services.statistics.tally import Tally, ends, tally
from services.statistics.windows import MINUTE_S, TOLD, Kept, Span, tally_of

SETTLES_S = 10.0
"""An event comes to the bus a moment after the end that it tells of."""


def settled(known_until: float) -> float:
    """The end of the last minute of which all is known, but for what is late."""
    return (known_until - SETTLES_S) // MINUTE_S * MINUTE_S


def first_untold(kept: Kept, until: float) -> float:
    """From when on windows are told: since those told last, or for the last hour at least.

    What is late by more than that tells no window again. Where none was ever told it begins with
    the first fact.
    """
    recent = (hour_of(until) - 1) * HOUR_S
    told = kept.positions.get(TOLD)
    if told is None:
        return max(recent, min((f.finished for f in kept.facts.values()), default=until))
    return max(min(told, recent), until - TOLD_BACK_S)


def ended(first: float, until: float) -> list[Span]:
    """The minutes and hours that end after `first` and not after `until`."""
    spans = []
    for name, length in (("minute", MINUTE_S), ("hour", HOUR_S)):
        numbers = range(int(first // length), int(until // length))
        spans += [Span(name, number * length, (number + 1) * length) for number in numbers]
    return sorted(spans, key=lambda span: span.end)


@dataclass
class Tumbling:
    """How many facts each window counted when it was told last."""

    _told: dict[Span, int] = field(default_factory=dict)

    def due(self, kept: Kept, until: float) -> Iterator[tuple[Span, Tally]]:
        """The windows to tell that ended until then, oldest first."""
        spans = ended(first_untold(kept, until), until)
        minutes = _by_minute(kept)
        counts = {span: sum(map(len, _facts(minutes, span))) for span in spans}
        due = [span for span in spans if counts[span] > self._told.get(span, -1)]
        stages = ends(kept.facts.values()) if due else {}
        self._told = {span: self._told.get(span, -1) for span in spans}
        for span in due:
            self._told[span] = counts[span]
            if span.end - span.start == MINUTE_S:
                yield span, tally((f for facts in _facts(minutes, span) for f in facts), stages)
            else:
                yield span, tally_of(kept, span)


def _by_minute(kept: Kept) -> dict[int, list[Fact]]:
    found: dict[int, list[Fact]] = {}
    for fact in kept.facts.values():
        found.setdefault(int(fact.finished // MINUTE_S), []).append(fact)
    return found


def _facts(minutes: dict[int, list[Fact]], span: Span) -> Iterator[list[Fact]]:
    for number in range(int(span.start // MINUTE_S), int(span.end // MINUTE_S)):
        yield minutes.get(number, [])
