"""Rounds: what is published, and what GET /snapshot answers."""

from collections import Counter
from datetime import datetime, timedelta

from starlette.testclient import TestClient

from services.statistics.api import create_app
from services.statistics.backlog import Reading
from services.statistics.hours import HOUR_S, Hour, fold, hour_of
from services.statistics.sketch import bin_of
from services.statistics.tally import Series, Tally
from services.statistics.tests.told import NOW, fact
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.events.models import Alert, LastStudy, Statistics, Waiting
from shared.events.wire import Event

FACTS = [fact("input-ready", ago_s=20), fact("volume-ready", ago_s=10)]
READING = Reading({("reader", "routine"): 2}, {"reader": 7})


def _watching() -> Watching:
    return Watching(Kept(facts={each.mark: each for each in FACTS}))


def _news(watching: Watching, now: datetime, reading: Reading = READING) -> list[Event]:
    watching.measured(reading, now)
    watching.look(now)
    return watching.news()


def test_what_has_not_changed_is_not_published_again() -> None:
    watching = _watching()
    first = _news(watching, NOW)
    assert [event.data.model_dump()["window"] for event in first] == ["5 min", "1 h"]
    assert _news(watching, NOW + timedelta(seconds=5)) == []


def test_an_alert_is_published_once_and_has_the_same_id_after_a_restart() -> None:
    later = NOW + timedelta(seconds=700)
    found = []
    for _ in range(2):
        watching = _watching()
        _news(watching, NOW)
        events = _news(watching, later) + _news(watching, later)
        found.append([event.id for event in events if isinstance(event.data, Alert)])
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_the_api_answers_with_the_last_round() -> None:
    watching = _watching()
    client = TestClient(create_app(lambda: watching.snapshot, lambda: ()))
    assert client.get("/snapshot").status_code == 503
    _news(watching, NOW)
    found = client.get("/snapshot").json()
    assert found["backlog"] == [{"service": "reader", "lane": "routine", "events": 2}]
    assert found["senders"] == [{"sender": "CT_1", "last_study_s": 20.0}]
    assert found["in_work"][0]["figures"] == {"in_work": 1}


def test_a_sender_s_last_study_is_known_at_the_next_look() -> None:
    watching = _watching()
    _news(watching, NOW)
    new = fact("input-ready", "new", ago_s=-1)
    watching.kept.facts[new.mark] = new
    _news(watching, NOW + timedelta(seconds=5))
    assert watching.snapshot["senders"] == [{"sender": "CT_1", "last_study_s": 4.0}]


def _told(events: list[Event]) -> dict[str, Statistics]:
    return {event.data.window: event.data for event in events if isinstance(event.data, Statistics)}


def test_an_event_says_what_waits_and_when_each_sender_was_heard_of() -> None:
    told = _told(_news(_watching(), NOW))["5 min"]
    assert told.backlog == (Waiting(service="reader", lane="routine", events=2),)
    assert told.senders == (LastStudy(sender="CT_1", at=NOW - timedelta(seconds=20)),)


def test_a_backlog_that_grows_is_published_though_nothing_ends() -> None:
    watching = _watching()
    _news(watching, NOW)
    grown = Reading({("reader", "routine"): 3}, {"reader": 7})
    told = _told(_news(watching, NOW + timedelta(seconds=5), grown))
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
        now = NOW + timedelta(minutes=minutes)
        told = _told(_news(watching, now))
        assert [line.sketches for line in told["5 min"].series] == [{}]
        [line] = _told(list(watching.ended(now.timestamp())))["minute"].series
        merged.update(line.sketches["duration"])
    assert merged == Counter(map(bin_of, took))


def test_a_stage_that_ends_nine_an_hour_where_it_ended_eighteen_is_told() -> None:
    """Each takes 400 s, and took 6; what is compared lies in facts, what is usual in hours too."""
    slow = [fact("volume-ready", f"slow-{at}", 400.0 * at + 1, 400.0) for at in range(9)]
    usual = [fact("volume-ready", f"job-{at}", 200.0 * at + 3700, 6.0) for at in range(360)]
    kept = Kept(facts={each.mark: each for each in [*slow, *usual]})
    kept.hours.update(fold(0, usual, {}, NOW.timestamp(), NOW.timestamp()).hours)
    told = [each.data for each in _news(Watching(kept), NOW) if isinstance(each.data, Alert)]
    assert [(alert.code, alert.window) for alert in told] == [("slow-stage", "4 h")]


SENDER = Series(sender="CT_1")


def _senders_week(hours: int) -> Kept:
    """Every half hour from 8 to 18 o'clock, for nine days and so many hours of the tenth."""
    days = [NOW.timestamp() - (9 - day) * 86_400 for day in range(10)]
    moments = [day - 4 * HOUR_S + n * HOUR_S / 2 for day in days for n in range(20)]
    until = days[-1] - 4 * HOUR_S + hours * HOUR_S
    kept = Kept()
    for moment in moments:
        if moment <= until:
            at = (0, hour_of(moment))
            before = kept.hours.get(at, Hour()).counted.moments.get(SENDER, [])
            kept.hours[at] = Hour(counted=Tally(moments={SENDER: [*before, moment]}))
    return kept


def _silent(watching: Watching, now: datetime) -> list[str]:
    watching.look(now)
    codes = [alert["code"] for alert in watching.snapshot["alerts"]]
    return [code for code in codes if code == "silent-sender"]


def _known(watching: Watching, now: datetime) -> None:
    for _ in range(2):
        watching.measured(Reading({}, {}), now)


def test_a_silent_sender_is_told_also_after_the_clock_was_ahead() -> None:
    """By three hours, for as long as two rounds: what was said of then is forgotten at once."""
    watching, ahead = Watching(_senders_week(4)), timedelta(hours=3)
    now = NOW + timedelta(minutes=1)
    _known(watching, now + ahead)
    assert _silent(watching, now + ahead) == ["silent-sender"]
    _known(watching, now)
    assert _silent(watching, now) == []
    _known(watching, now + ahead)
    assert _silent(watching, now + ahead) == ["silent-sender"]


def test_a_sender_whose_studies_are_not_read_yet_is_not_silent() -> None:
    """It sent last at nine o'clock; that nothing has come since is known at noon."""
    watching = Watching(_senders_week(1))
    assert _silent(watching, NOW - timedelta(hours=2.95)) == []
    _known(watching, NOW - timedelta(hours=2.9))
    behind = Reading({}, {}, {("clarion.input-ready.v1.stat", 0): 7})
    for minutes in (-90, -1):
        watching.measured(behind, NOW + timedelta(minutes=minutes))
        assert _silent(watching, NOW + timedelta(minutes=minutes)) == []
    watching.kept.positions["clarion.input-ready.v1.stat", 0] = 7
    for minutes in (0, 1):
        watching.measured(behind, NOW + timedelta(minutes=minutes))
    assert _silent(watching, NOW + timedelta(minutes=1)) == ["silent-sender"]


def test_while_kafka_does_not_answer_nobody_is_said_to_stand() -> None:
    """What was read last is no news of how long nothing got on."""
    watching = _watching()
    for seconds in (0, 5):
        watching.measured(READING, NOW + timedelta(seconds=seconds))
    watching.look(NOW + timedelta(hours=1))
    assert watching.snapshot["alerts"] == []
