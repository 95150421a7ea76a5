"""Snapshots: what is published and what GET /snapshot answers. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.statistics.alerts import Raised
from services.statistics.tally import Sketches
from services.statistics.windows import Figures, Span
from shared.events.models import Alert, LastStudy, Model, SeriesFigures, Statistics, Waiting
from shared.events.wire import Event
from shared.identity import derived

SOURCE = "statistics"


@dataclass(frozen=True)
class Live:
    """What belongs to no window: events not done by service and lane, and each sender's last."""

    lags: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last_studies: Mapping[str, float] = field(default_factory=dict)


def lines(figures: Figures, sketches: Sketches | None = None) -> tuple[SeriesFigures, ...]:
    """As events and the API carry them."""
    of = sketches or {}
    return tuple(
        SeriesFigures(key=series.key(), figures=found, sketches=of.get(series, {}))
        for series, found in figures.items()
    )


def statistics_event(span: Span, figures: Figures, sketches: Sketches, live: Live) -> Event:
    """The figures of one window, whole, and what is live beside them.

    Its id follows from what it tells: the same figures are the same event, others are another.
    """
    end = _moment(span.end)
    total = sum(found.get("per_min", 0.0) for series, found in figures.items() if not series.code)
    data = Statistics(
        window=span.name,
        key={},
        figures={"per_min": round(total, 6)},
        at=end,
        series=lines(figures, sketches),
        backlog=waiting(live),
        senders=tuple(
            LastStudy(sender=sender, at=_moment(last))
            for sender, last in sorted(live.last_studies.items())
        ),
    )
    told = json.dumps(data.model_dump(mode="json"), sort_keys=True)
    return _event("statistics", end, data, span.name, span.end, told)


def waiting(live: Live) -> tuple[Waiting, ...]:
    """The backlog, in order."""
    return tuple(
        Waiting(service=service, lane=lane, events=count)
        for (service, lane), count in sorted(live.lags.items())
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def alert_event(raised: Raised, now: datetime) -> Event:
    """An alert; the same one has the same id, also when a restart finds it again."""
    data = Alert(
        code=raised.code,
        window=raised.window,
        key=dict(raised.key),
        figures=dict(raised.figures),
        at=now,
    )
    return _event("alert", now, data, raised.code, *identity(raised)[1:])


def identity(raised: Raised) -> tuple[Any, ...]:
    """What makes it the same alert each time that it is found."""
    return (raised.code, sorted(raised.key.items()), raised.since)


def _event(kind: str, time: datetime, data: Model, *parts: object) -> Event:
    name = str(derived(kind, *parts))
    return Event(name, SOURCE, kind, SOURCE, time, "", data)


def document(
    now: datetime,
    windows: Mapping[str, Figures],
    in_work: Figures,
    live: Live,
    alerts: Iterable[Raised],
    why_not: Sequence[str],
) -> dict[str, Any]:
    """What GET /snapshot answers: JSON. `why_not` says why its figures are not whole."""
    return {
        "at": now.isoformat(),
        "why_not": list(why_not),
        "windows": {name: _told(found) for name, found in windows.items()},
        "in_work": _told(in_work),
        "backlog": [waits.model_dump() for waits in waiting(live)],
        "senders": [
            {"sender": sender, "last_study_s": round(now.timestamp() - last, 1)}
            for sender, last in sorted(live.last_studies.items())
        ],
        "alerts": [
            {
                "code": raised.code,
                "key": dict(raised.key),
                "window": raised.window,
                "figures": dict(raised.figures),
                "since": _moment(raised.since).isoformat(),
            }
            for raised in alerts
        ],
    }


def _told(figures: Figures) -> list[dict[str, Any]]:
    return [line.model_dump(exclude={"sketches"}) for line in lines(figures)]
