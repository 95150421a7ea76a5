"""Facts and events for the tests of this folder."""

from datetime import UTC, datetime, timedelta

from services.statistics.facts import Fact, fact_of
from shared.events.examples import EXAMPLES
from shared.events.models import Common
from shared.events.wire import Event
from shared.identity import event_id

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW_S = NOW.timestamp()


def event(
    kind: str, job: str = "job", ago_s: float = 0.0, took_s: float = 1.0, **more: object
) -> Event:
    """An event of the golden job that ended so long ago."""
    example = EXAMPLES[kind]
    assert isinstance(example, Common)
    end = NOW - timedelta(seconds=ago_s)
    when = {"received_at": end - timedelta(seconds=60), "finished_at": end}
    data = example.model_copy(
        update={"job_id": job, **when, "started_at": end - timedelta(seconds=took_s), **more}
    )
    name = event_id(job, data.run, data.stage, kind)
    return Event(name, "test", kind, job, end, "", data)


def fact(
    kind: str, job: str = "job", ago_s: float = 0.0, took_s: float = 1.0, **more: object
) -> Fact:
    """Its fact, in partition 0."""
    made = fact_of(event(kind, job, ago_s, took_s, **more), 0)
    assert made is not None
    return made
