"""Snapshots: what is published and what GET /snapshot answers. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from services.statistics.alerts import Raised
from services.statistics.windows import Figures, Span
from shared.events.models import Alert, Model, SeriesFigures, Snapshot
from shared.events.wire import Event
from shared.identity import derived

SOURCE = "statistics"


def lines(figures: Figures) -> tuple[SeriesFigures, ...]:
    """As events and the API carry them."""
    return tuple(SeriesFigures(key=s.key(), figures=found) for s, found in figures.items())


def statistics_event(span: Span, figures: Figures) -> Event:
    """The figures of one window, whole."""
    end = datetime.fromtimestamp(span.end, UTC)
    total = sum(found.get("per_min", 0.0) for series, found in figures.items() if not series.code)
    data = Snapshot(
        window=span.name,
        key={},
        figures={"per_min": round(total, 6)},
        at=end,
        series=lines(figures),
    )
    return _event("statistics", end, data, span.name, span.end)


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
    live: Figures,
    lags: Mapping[tuple[str, str], int],
    senders: Mapping[str, float],
    alerts: Iterable[Raised],
) -> dict[str, Any]:
    """What GET /snapshot answers: JSON. `senders`: when each one's last study came."""
    return {
        "at": now.isoformat(),
        "windows": {
            name: [line.model_dump() for line in lines(found)] for name, found in windows.items()
        },
        "in_work": [line.model_dump() for line in lines(live)],
        "backlog": [
            {"service": service, "lane": lane, "events": count}
            for (service, lane), count in sorted(lags.items())
        ],
        "senders": [
            {"sender": sender, "last_study_s": round(now.timestamp() - last, 1)}
            for sender, last in sorted(senders.items())
        ],
        "alerts": [
            {
                "code": raised.code,
                "key": dict(raised.key),
                "window": raised.window,
                "figures": dict(raised.figures),
                "since": datetime.fromtimestamp(raised.since, UTC).isoformat(),
            }
            for raised in alerts
        ],
    }
