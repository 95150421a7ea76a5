"""The rounds of a replica: look at what is kept, answer for it, and tell the bus if it may."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.statistics import alerts, snapshots
from services.statistics.alerts import Progress, Raised
from services.statistics.aside import Aside
from services.statistics.backlog import Reading, progress
from services.statistics.hours import HOUR_S, hour_of
from services.statistics.known import Known
from services.statistics.others import Others
from services.statistics.silence import silent_senders
from services.statistics.snapshots import Live
from services.statistics.tally import Tally
from services.statistics.tumbling import Tumbling
from services.statistics.windows import (
    SHORTEST,
    Figures,
    Kept,
    Span,
    arrivals,
    back_from,
    figures,
    in_work,
    latest,
    sliding,
    tallies_of,
)
from shared.events.wire import Event

_JUDGED_EVERY_S = 60.0


@dataclass
class Watching:
    """What this replica remembers from round to round; all of it can be found again."""

    kept: Kept
    others: Others = field(default_factory=Others)
    aside: Aside = field(default_factory=Aside)
    known: Known = field(default_factory=Known)
    tumbling: Tumbling = field(default_factory=Tumbling)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    reading: Reading | None = None
    read_at: float = 0.0
    last_studies: dict[str, float] = field(default_factory=dict)
    judged: list[Raised] = field(default_factory=list)
    judged_at: float = 0.0
    found: Mapping[Span, Figures] = field(default_factory=dict)
    alerts: list[Event] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    last: dict[str, Figures] = field(default_factory=dict)
    last_live: Live = field(default_factory=Live)
    snapshot: dict[str, Any] = field(default_factory=dict)

    def measured(self, reading: Reading, asked_at: datetime) -> None:
        """Take in how far everybody is, as Kafka says. It was asked at that moment."""
        moment = asked_at.timestamp()
        self.progress = progress(self.progress, self.reading, reading, moment)
        self.known.measured(reading.ends, self.kept.positions, moment)
        self.reading, self.read_at = reading, moment

    def look(self, now: datetime) -> None:
        """Make the snapshot of this moment."""
        moment = now.timestamp()
        if not 0 <= moment - self.judged_at < _JUDGED_EVERY_S:
            self._judge(moment)
        spans = (*sliding(moment), *latest(moment))
        counted = tallies_of(self.kept, spans)
        self._heard_of(counted.values())
        self.found = {span: figures(each, span) for span, each in counted.items()}
        raised = list(self._raised(moment))
        self.alerts = [snapshots.alert_event(each, now) for each in raised]
        facts = self.kept.facts.values()
        self.snapshot = snapshots.document(
            now,
            {span.name: each for span, each in self.found.items()},
            in_work(facts),
            self._live(),
            [*raised, *self.others.raised(facts, moment)],
            self.known.why_not(moment),
        )

    def news(self) -> list[Event]:
        """What is to be published of the last look, and was not of one before."""
        live = self._live()
        changed = list(self._changed(live))
        events = [snapshots.statistics_event(span, self.found[span], {}, live) for span in changed]
        return [*events, *self._new()]

    def ended(self, until: float) -> Iterator[Event]:
        """Minutes and hours to publish that ended until then."""
        for span, counted in self.tumbling.due(self.kept, until):
            found = figures(counted, span)
            yield snapshots.statistics_event(span, found, counted.sketches, Live())

    def _judge(self, moment: float) -> None:
        """What takes the whole week into account, once a minute."""
        self.judged_at = moment
        came = arrivals(self.kept)
        self.last_studies = {sender: moments[-1] for sender, moments in came.items()}
        tallies = tallies_of(self.kept, back_from(moment))
        parts = [(span.name, counted) for span, counted in tallies.items()]
        self.judged = list(alerts.slow_stages(parts, hour_of(moment) * HOUR_S))
        if self.known.until is not None:  # who sent what is not read yet is not silent
            self.judged += silent_senders(came, self.known.until)

    def _heard_of(self, tallies: Iterable[Tally]) -> None:
        """Take in the studies that came since it was judged: what a look counts tells them."""
        for counted in tallies:
            for series, moments in counted.moments.items():
                last = self.last_studies.get(series.sender, 0.0)
                self.last_studies[series.sender] = max(last, *moments)

    def _raised(self, moment: float) -> Iterator[Raised]:
        yield from self.judged
        yield from alerts.standing_services(self.progress, self.read_at)
        yield from self.aside.raised(moment)

    def _live(self) -> Live:
        return Live(
            self.reading.lags if self.reading else {},
            dict(self.last_studies),
        )

    def _changed(self, live: Live) -> Iterator[Span]:
        """Windows that slide and whose figures have changed.

        What is live has changed when no figure has, where nothing gets on: the shortest tells it.
        """
        for span, each in self.found.items():
            is_new = each != self.last.get(span.name, {})
            if span.slides and (is_new or (span.name == SHORTEST and live != self.last_live)):
                self.last[span.name] = each
                yield span
        self.last_live = live

    def _new(self) -> Iterator[Event]:
        """Each alert once. A restart says it again, under the same id."""
        yield from (event for event in self.alerts if event.id not in self.told)
        self.told = {event.id for event in self.alerts}
