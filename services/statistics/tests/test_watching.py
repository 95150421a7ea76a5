"""Rounds: what is published, and what GET /snapshot answers."""

from datetime import timedelta

from starlette.testclient import TestClient

from services.statistics.api import create_app
from services.statistics.backlog import Reading
from services.statistics.tests.told import NOW, fact
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.events.models import Alert

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
