"""Events that were set aside: told once an hour and place, and shown for a day."""

from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord

from services.statistics.aside import Aside
from services.statistics.tests.told import NOW, NOW_S
from services.statistics.watching import Watching
from services.statistics.windows import Kept
from shared.bus.kafka import UNREADABLE
from shared.events.models import Alert

PLACE = {"service": "ratio", "topic": "clarion.mask-ready.v1.routine", "code": "unusable-event"}


def _record(ago_s: float, **named: str) -> "ConsumerRecord[bytes, bytes]":
    headers = tuple((name, value.encode()) for name, value in {**PLACE, **named}.items())
    when = int((NOW_S - ago_s) * 1000)
    value = b'{"patient": "CANARY"}'
    return ConsumerRecord(UNREADABLE, 0, 0, when, 0, None, value, None, 0, 0, headers)


def _aside(*records: "ConsumerRecord[bytes, bytes]") -> Aside:
    aside = Aside()
    take = aside.anew()
    for record in records:
        take(record)
    return aside


def _published(watching: Watching, after_s: float = 0.0) -> list[str]:
    watching.look(NOW + timedelta(seconds=after_s))
    return [event.id for event in watching.news() if isinstance(event.data, Alert)]


def test_who_set_aside_what_from_where_is_told() -> None:
    [alert] = _aside(_record(10), _record(5)).raised(NOW_S)
    assert (alert.code, alert.key) == ("unreadable-event", PLACE)
    assert alert.figures == {"count": 2.0}


def test_each_place_is_told_by_itself() -> None:
    aside = _aside(_record(10), _record(9, service="writers"), _record(8, code="unknown-type"))
    assert len(list(aside.raised(NOW_S))) == 3


def test_many_are_one_alert_and_so_is_a_restart() -> None:
    records = [_record(ago) for ago in (30, 20, 10)]
    first = Watching(Kept(), aside=_aside(records[0]))
    told = _published(first)
    for record in records[1:]:
        first.aside.take(record)
    assert len(told) == 1
    assert _published(first, 5) == []
    assert _published(Watching(Kept(), aside=_aside(*records))) == told


def test_more_of_it_two_hours_later_is_told_again() -> None:
    watching = Watching(Kept(), aside=_aside(_record(10)))
    assert len(_published(watching)) == 1
    watching.aside.take(_record(-7200))
    assert len(_published(watching, 7201)) == 1


def test_it_is_in_the_snapshot_for_a_day() -> None:
    watching = Watching(Kept(), aside=_aside(_record(10)))
    shown = []
    for hours in (0, 23, 26):
        watching.look(NOW + timedelta(hours=hours))
        shown.append([alert["code"] for alert in watching.snapshot["alerts"]])
    assert shown == [["unreadable-event"], ["unreadable-event"], []]


def test_a_topic_that_is_read_again_counts_nothing_twice() -> None:
    aside = _aside(_record(10))
    aside.anew()(_record(10))
    assert [alert.figures["count"] for alert in aside.raised(NOW_S)] == [1.0]


@pytest.mark.parametrize("name", ["service", "topic", "code"])
@pytest.mark.parametrize("said", ["CANARY^PATIENT", "1.2.840.113619.2.1", "ä", ""])
def test_what_is_no_name_of_the_bus_is_not_repeated(name: str, said: str) -> None:
    [alert] = _aside(_record(10, **{name: said})).raised(NOW_S)
    assert alert.key == {**PLACE, name: "unknown"}
