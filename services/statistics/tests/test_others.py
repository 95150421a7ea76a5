"""Alerts of other services: shown until what they tell of is over."""

from datetime import timedelta

from aiokafka import ConsumerRecord

from services.statistics.facts import Fact
from services.statistics.hours import HOUR_S
from services.statistics.others import Others
from services.statistics.snapshots import SOURCE
from services.statistics.tests.told import NOW, NOW_S, fact
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.events.models import Alert
from shared.events.wire import Event, encode

BEGUN = fact("input-ready", ago_s=200)


def _told(source: str = "results", ago_s: float = 100.0) -> Others:
    """One alert, of a job that stood in its volume stage for a minute then."""
    when = NOW - timedelta(seconds=ago_s)
    data = Alert(
        code="standing-job",
        window="live",
        key={"job": "job", "run": "1", "stage": fact("volume-ready").stage, "service": "reader"},
        figures={"stands_s": 60.0, "restarts": 0.0},
        at=when,
    )
    headers, value = encode(Event("id", source, "alert", "job", when, "", data))
    others = Others()
    others.take(
        ConsumerRecord(
            "clarion.alert.v1", 0, 0, 0, 0, None, value, None, 0, len(value), tuple(headers)
        )
    )
    return others


def _shown(others: Others, *facts: Fact) -> list[tuple[str, float]]:
    return [(each.code, each.figures["stands_s"]) for each in others.raised(facts, NOW_S)]


def test_a_job_that_stands_is_shown_with_how_long_it_has_by_now() -> None:
    assert _shown(_told(), BEGUN) == [("standing-job", 160.0)]


def test_it_is_over_when_the_stage_or_the_job_has_ended() -> None:
    assert _shown(_told(), BEGUN, fact("volume-ready")) == []
    assert _shown(_told(), BEGUN, fact("job-finished")) == []


def test_the_end_of_another_job_says_nothing() -> None:
    assert _shown(_told(), fact("job-finished", job="other")) == [("standing-job", 160.0)]


def test_it_is_shown_for_as_long_as_the_job_may_stand() -> None:
    assert _shown(_told(ago_s=5 * HOUR_S)) == [("standing-job", 5 * HOUR_S + 60)]


def test_what_nobody_can_say_the_end_of_any_more_is_not_shown() -> None:
    assert _shown(_told(ago_s=7 * HOUR_S)) == []


def test_our_own_alerts_are_not_told_twice() -> None:
    assert _shown(_told(SOURCE)) == []


def test_it_is_in_the_snapshot_and_not_published_again() -> None:
    watching = Watching(Kept(facts={BEGUN.mark: BEGUN}), _told())
    watching.look(NOW)
    published = [event.kind for event in watching.news()]
    assert [alert["code"] for alert in watching.snapshot["alerts"]] == ["standing-job"]
    assert "alert" not in published
