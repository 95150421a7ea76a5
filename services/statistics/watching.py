"""The rounds of a replica: look at what is kept, answer for it, and publish if it is its turn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.statistics import alerts, snapshots
from services.statistics.alerts import Progress, Raised
from services.statistics.aside import Aside
from services.statistics.backlog import Reading, progress
from services.statistics.hours import HOUR_S, hour_of
from services.statistics.others import Others
from services.statistics.silence import silent_senders
from services.statistics.snapshots import Live
from services.statistics.tally import Sketches, Tally
from services.statistics.windows import (
    SHORTEST,
    Figures,
    Kept,
    Span,
    arrivals,
    back_from,
    figures,
    in_work,
    sliding,
    tally_of,
    tumbling,
)
from shared.events.wire import Event

_JUDGED_EVERY_S = 60.0


@dataclass
class Watching:
    """What this replica remembers from round to round; all of it can be found again."""

    kept: Kept
    others: Others = field(default_factory=Others)
    aside: Aside = field(default_factory=Aside)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    reading: Reading | None = None
    senders: Mapping[str, list[float]] = field(default_factory=dict)
    judged: list[Raised] = field(default_factory=list)
    judged_at: float = 0.0
    told: set[str] = field(default_factory=set)
    last: dict[str, Figures] = field(default_factory=dict)
    last_live: Live = field(default_factory=Live)
    snapshot: dict[str, Any] = field(default_factory=dict)

    def look(self, now: datetime, reading: Reading | None) -> list[Event]:
        """Make the snapshot of this moment; gives what there is to publish."""
        moment = now.timestamp()
        if reading is not None:
            self.progress = progress(self.progress, self.reading, reading, moment)
            self.reading = reading
        if moment - self.judged_at >= _JUDGED_EVERY_S:
            self._judge(moment)
        spans = (*sliding(moment), *tumbling(moment))
        counted = {span: tally_of(self.kept, span) for span in spans}
        found = {span: figures(tally, span) for span, tally in counted.items()}
        raised = list(self._raised(moment))
        facts = self.kept.facts.values()
        live = Live(
            self.reading.lags if self.reading else {},
            {sender: moments[-1] for sender, moments in self.senders.items()},
        )
        self.snapshot = snapshots.document(
            now,
            {span.name: each for span, each in found.items()},
            in_work(facts),
            live,
            [*raised, *self.others.raised(facts, moment)],
        )
        events = [
            snapshots.statistics_event(span, found[span], _mergeable(span, counted[span]), live)
            for span in self._changed(found, live)
        ]
        return [*events, *self._new(raised, now)]

    def _judge(self, moment: float) -> None:
        """What takes the whole week into account, once a minute."""
        self.judged_at = moment
        self.senders = arrivals(self.kept)
        parts = [(span.name, tally_of(self.kept, span)) for span in back_from(moment)]
        slow = alerts.slow_stages(parts, hour_of(moment) * HOUR_S)
        self.judged = [*silent_senders(self.senders, moment), *slow]

    def _raised(self, moment: float) -> Iterator[Raised]:
        yield from self.judged
        yield from alerts.standing_services(self.progress, moment)
        yield from self.aside.raised(moment)

    def _changed(self, found: Mapping[Span, Figures], live: Live) -> Iterator[Span]:
        """A sliding window when its figures have changed; a tumbling one when it is over.

        What is live has changed when no figure has, where nothing gets on: the shortest tells it.
        """
        for span, each in found.items():
            is_new = each != self.last.get(span.name, {})
            if is_new or (span.name == SHORTEST and live != self.last_live):
                self.last[span.name] = each
                yield span
        self.last_live = live

    def _new(self, raised: list[Raised], now: datetime) -> Iterator[Event]:
        """Each alert once. A restart says it again, under the same id."""
        events = [snapshots.alert_event(each, now) for each in raised]
        yield from (event for event in events if event.id not in self.told)
        self.told = {event.id for event in events}


def _mergeable(span: Span, counted: Tally) -> Sketches:
    """Sketches of windows that do not overlap: those of others would count values twice."""
    return {} if span.slides else counted.sketches
