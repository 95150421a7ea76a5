"""The recount finds what is wrong with figures, and nothing where they are right."""

from datetime import UTC, datetime, timedelta

import pytest

from services.statistics.facts import fact_of
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.events.models import Lane
from shared.events.wire import Event
from tests.e2e.recounting import differences, recount, windows
from tests.e2e.told_jobs import events, partition_of


def _differences(counted: list[Event], happened: list[Event], at: datetime) -> list[str]:
    facts = [fact_of(event, partition_of(event)) for event in counted]
    watching = Watching(Kept(facts={fact.mark: fact for fact in facts if fact}))
    watching.look(at)
    return differences(happened, watching.snapshot)


NOW = datetime(2026, 3, 2, 12, 20, 7, tzinfo=UTC)
HAPPENED = events(range(90), NOW)


@pytest.mark.parametrize("minutes", [0, 2, 7, 14])
def test_every_window_is_as_the_events_say(minutes: int) -> None:
    assert _differences(HAPPENED, HAPPENED, NOW + timedelta(minutes=minutes)) == []


def test_one_event_too_few_is_found() -> None:
    past = [event for event in HAPPENED if NOW - timedelta(minutes=50) < event.time < NOW]
    last = {event.kind: event for event in past}
    found = {
        kind: _differences([each for each in HAPPENED if each is not left_out], HAPPENED, NOW)
        for kind, left_out in last.items()
    }
    assert len(found) == 7
    assert all(found.values())


def test_each_window_has_some_of_each_kind() -> None:
    """Or a recount would show little."""
    spans = windows(NOW + timedelta(minutes=5))
    assert len(recount(HAPPENED, *spans["minute"])) > 5
    for window in ("5 min", "1 h", "hour"):
        counted = recount(HAPPENED, *spans[window])
        assert {lane for _, lane, _, _ in counted} == set(Lane)
        assert {code for *_, code in counted} == {"", "too-few-slices", "deadline"}
        assert {name for each in counted.values() for name in each.seconds} == {
            *("collecting", "duration", "wait", "end_to_end", "delivery"),
        }
