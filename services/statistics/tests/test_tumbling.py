"""Minutes and hours on the bus: each is told, and what was told last is what happened in it."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from services.statistics.backlog import Reading
from services.statistics.facts import Fact
from services.statistics.hours import HOUR_S, fold
from services.statistics.tests.told import NOW, NOW_S, fact
from services.statistics.tumbling import ended, first_untold, settled
from services.statistics.watching import Watching
from services.statistics.windows import MINUTE_S, TOLD, Kept
from shared.clock import ManualClock
from shared.events.models import Statistics
from shared.events.wire import Event

PLACE = ("clarion.volume-ready.v1.routine", 0)
EVERY_S = 20.0
LENGTHS = {"minute": MINUTE_S, "hour": HOUR_S}


class System:
    """Facts of the hours to come, each on the bus some seconds after its end; and one replica."""

    def __init__(self, hours: float, late_s: Callable[[int], float] = lambda _: 0.6) -> None:
        ends = range(30, int(hours * HOUR_S), 37)
        facts = [fact("volume-ready", f"job-{at}", ago_s=-at) for at in ends]
        self.log = sorted((f.finished + late_s(n), n, f) for n, f in enumerate(facts))
        self.clock = ManualClock(NOW)
        self.watching = Watching(Kept())
        self.told: list[Event] = []

    def works(self, minutes: float, at_once: int = 1_000) -> None:
        """Rounds for so long: at most so many facts are read in one."""
        for number in range(int(minutes * MINUTE_S / EVERY_S)):
            self.clock.advance(EVERY_S)
            self._read(at_once)
            if number % 3 == 0:
                self._fold()
            self._tell()

    def is_away(self, minutes: float) -> None:
        """Killed, and started again: what it knew beside its tables is gone."""
        self.clock.advance(minutes * MINUTE_S)
        self.watching = Watching(self.watching.kept)

    def happened(self) -> list[Fact]:
        """What is kept, or was."""
        return [each for *_, each in self.log[: self.watching.kept.positions[PLACE]]]

    def _read(self, at_once: int) -> None:
        kept, now = self.watching.kept, self.clock().timestamp()
        end = sum(published <= now for published, *_ in self.log)
        start = kept.positions.get(PLACE, 0)
        for *_, each in self.log[start : min(end, start + at_once)]:
            kept.facts[each.mark] = each
        kept.positions[PLACE] = min(end, start + at_once)
        self.watching.measured(Reading({}, {}, {PLACE: end}), self.clock())

    def _fold(self) -> None:
        kept, now = self.watching.kept, self.clock().timestamp()
        facts = list(kept.facts.values())
        changes = fold(0, facts, kept.hours, now, kept.positions.get(TOLD, 0))
        kept.hours |= changes.hours
        for mark in changes.forgotten_facts:
            del kept.facts[mark]

    def _tell(self) -> None:
        if self.watching.known.until is not None:
            until = settled(self.watching.known.until)
            self.told += self.watching.ended(until)
            self.watching.kept.positions[TOLD] = int(until)


def _counted(data: Statistics) -> float:
    return sum(line.figures["succeeded"] for line in data.series)


def _statistics(events: list[Event]) -> Iterator[Statistics]:
    for event in events:
        assert isinstance(event.data, Statistics)
        yield event.data


def _wrong(system: System) -> list[tuple[str, float]]:
    """Windows from the first told to the last that are not told, or told wrong at last."""
    held = {(data.window, data.at.timestamp()): _counted(data) for data in _statistics(system.told)}
    found = []
    for window, length in LENGTHS.items():
        happened = Counter(each.finished // length for each in system.happened())
        numbers = [int(at // length) - 1 for name, at in held if name == window]
        found += [
            (window, number * length - NOW_S)
            for number in range(int(NOW_S // length), max(numbers) + 1)
            if held.get((window, (number + 1) * length)) != happened[number]
        ]
    return found


@pytest.mark.parametrize("late_s", [0.6, 8, 25, 900])
def test_every_window_is_told_however_late_its_events_come(late_s: float) -> None:
    """A minute late or a quarter of an hour: then it is told again."""
    system = System(2, lambda number: late_s if number % 3 == 0 else 0.6)
    system.works(100)
    assert _wrong(system) == []
    assert len(system.told) > 95


@pytest.mark.parametrize("minutes", [5, 150, 600])
def test_what_ended_while_it_was_away_is_told_when_all_of_it_is_read(minutes: float) -> None:
    """Also where reading takes longer than facts of long ago are kept."""
    system = System(14)
    system.works(20)
    system.is_away(minutes)
    system.works(90, at_once=5)
    assert _wrong(system) == []
    assert len(system.told) > minutes + 60


def test_one_id_never_has_two_contents_and_one_content_never_two_ids() -> None:
    system = System(2, lambda number: 8.0 + number % 200)
    for _ in range(3):
        system.works(20)
        system.is_away(1)
    ids = {(event.id, event.data.model_dump_json()) for event in system.told}
    assert len(ids) < len(system.told)
    assert len(ids) == len({name for name, _ in ids}) == len({told for _, told in ids})


def test_two_replicas_that_read_in_another_order_tell_the_same() -> None:
    facts = [fact(kind, "a", took_s=s) for kind, s in (("volume-ready", 2), ("mask-ready", 9))]
    facts += [fact("volume-ready", f"job-{number}", took_s=number + 1) for number in range(4)]
    told = [
        [event.id for event in Watching(Kept({f.mark: f for f in order})).ended(NOW_S + 60)]
        for order in (facts, facts[::-1])
    ]
    assert len(told[0]) == 1
    assert told[0] == told[1]


def test_minutes_in_which_nothing_ended_are_told_too_and_nothing_twice() -> None:
    watching = Watching(Kept())
    watching.kept.positions[TOLD] = int(NOW_S - HOUR_S)
    first, second = (list(watching.ended(NOW_S + seconds)) for seconds in (0.5, 60.5))
    assert Counter(data.window for data in _statistics(first)) == {"minute": 60, "hour": 1}
    assert [data.at.timestamp() - NOW_S for data in _statistics(second)] == [60]


def test_nothing_that_ended_more_than_a_day_ago_is_told_nor_what_is_to_come() -> None:
    kept = Kept(positions={TOLD: int(NOW_S - 40 * HOUR_S)})
    spans = ended(first_untold(kept, NOW_S + 1), NOW_S + 1)
    assert min(span.end for span in spans) > NOW_S - 24 * HOUR_S
    kept.positions[TOLD] = int(NOW_S + 40 * HOUR_S)
    assert max(span.end for span in ended(first_untold(kept, NOW_S + 1), NOW_S + 1)) == NOW_S


def test_a_minute_brings_no_backlog_which_is_of_another_moment() -> None:
    watching = Watching(Kept(facts={each.mark: each for each in [fact("volume-ready", ago_s=20)]}))
    watching.measured(Reading({("reader", "stat"): 2}, {"reader": 7}), NOW)
    told = list(_statistics(list(watching.ended(NOW_S))))
    assert [(each.window, each.backlog, each.senders) for each in told] == [
        ("minute", (), ()),
        ("hour", (), ()),
    ]
