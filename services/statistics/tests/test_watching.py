"""Rounds: what is published, and what GET /snapshot answers."""

from collections import Counter
from datetime import timedelta

from starlette.testclient import TestClient

from services.statistics.api import create_app
from services.statistics.backlog import Reading
from services.statistics.hours import fold
from services.statistics.sketch import bin_of
from services.statistics.tests.told import NOW, fact
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.events.models import Alert, LastStudy, Statistics, Waiting
from shared.events.wire import Event

FACTS = [fact("input-ready", ago_s=20), fact("volume-ready", ago_s=10)]
READING = Reading({("reader", "routine"): 2}, {"reader": 7})


def _watching() -> Watching:
    return Watching(Kept(facts={each.mark: each for each in FACTS}))


def test_what_has_not_changed_is_not_published_again() -> None:
    watching = _watching()
    first = watching.look(NOW, READING)
    assert [event.data.model_dump()["window"] for event in first] == [
        *("5 min", "1 h"),
        *("minute", "hour"),
    ]
    assert watching.look(NOW + timedelta(seconds=5), READING) == []


def test_an_alert_is_published_once_and_has_the_same_id_after_a_restart() -> None:
    later = NOW + timedelta(seconds=700)
    found = []
    for _ in range(2):
        watching = _watching()
        watching.look(NOW, READING)
        events = watching.look(later, READING) + watching.look(later, READING)
        found.append([event.id for event in events if isinstance(event.data, Alert)])
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_the_api_answers_with_the_last_round() -> None:
    watching = _watching()
    client = TestClient(create_app(lambda: watching.snapshot, lambda: ()))
    assert client.get("/snapshot").status_code == 503
    watching.look(NOW, READING)
    found = client.get("/snapshot").json()
    assert found["backlog"] == [{"service": "reader", "lane": "routine", "events": 2}]
    assert found["senders"] == [{"sender": "CT_1", "last_study_s": 20.0}]
    assert found["in_work"][0]["figures"] == {"in_work": 1}


def _told(events: list[Event]) -> dict[str, Statistics]:
    return {event.data.window: event.data for event in events if isinstance(event.data, Statistics)}


def test_an_event_says_what_waits_and_when_each_sender_was_heard_of() -> None:
    told = _told(_watching().look(NOW, READING))["5 min"]
    assert told.backlog == (Waiting(service="reader", lane="routine", events=2),)
    assert told.senders == (LastStudy(sender="CT_1", at=NOW - timedelta(seconds=20)),)


def test_a_backlog_that_grows_is_published_though_nothing_ends() -> None:
    watching = _watching()
    watching.look(NOW, READING)
    grown = Reading({("reader", "routine"): 3}, {"reader": 7})
    told = _told(watching.look(NOW + timedelta(seconds=5), grown))
    assert [(name, each.backlog[0].events) for name, each in told.items()] == [("5 min", 3)]


def test_sketches_of_minutes_merge_to_that_of_their_time() -> None:
    """Of windows that overlap there are none: they would count a value twice."""
    took = [0.2, 0.4, 7.0, 0.3, 12.0, 0.9]
    facts = [
        fact("volume-ready", f"job-{at}", ago_s=20.0 * at + 1, took_s=s)
        for at, s in enumerate(took)
    ]
    watching = Watching(Kept(facts={each.mark: each for each in facts}))
    merged: Counter[int] = Counter()
    for minutes in (-1, 0):
        told = _told(watching.look(NOW + timedelta(minutes=minutes), None))
        assert [line.sketches for line in told["5 min"].series] == [{}]
        [line] = told["minute"].series
        merged.update(line.sketches["duration"])
    assert merged == Counter(map(bin_of, took))


def test_a_stage_that_ends_nine_an_hour_where_it_ended_eighteen_is_told() -> None:
    """Each takes 400 s, and took 6; what is compared lies in facts, what is usual in hours too."""
    slow = [fact("volume-ready", f"slow-{at}", 400.0 * at + 1, 400.0) for at in range(9)]
    usual = [fact("volume-ready", f"job-{at}", 200.0 * at + 3700, 6.0) for at in range(360)]
    kept = Kept(facts={each.mark: each for each in [*slow, *usual]})
    kept.hours.update(fold(0, usual, {}, NOW.timestamp()).hours)
    told = [event.data for event in Watching(kept).look(NOW, None) if isinstance(event.data, Alert)]
    assert [(alert.code, alert.window) for alert in told] == [("slow-stage", "4 h")]
