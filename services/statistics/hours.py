"""Hours: facts of long ago become one tally for each hour and partition, and are forgotten.

An hour keeps the marks of all that it counts. So folding is idempotent too: folded again, after a
crash or beside a replica that still thinks itself the owner, an hour takes in only what it lacks. A
fact is folded when its hour has been over for an hour, and removed when no figure needs it, if the
hour that was kept says that it counts it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.statistics.facts import DELIVERY, JOB, Fact
from services.statistics.tally import Ended, Tally, ends, tally

HOUR_S = 3600.0
FOLDED_AFTER_S = HOUR_S
REMOVED_AFTER_S = 2 * HOUR_S
LONGEST_RUN_S = 6 * HOUR_S
"""So long may a run of a job take: twenty deadlines of 15 min (decision 16), and some breaks."""
TOLD_BACK_S = 24 * HOUR_S
"""Minutes and hours that ended longer ago are not published any more."""
KEPT_S = 11 * 24 * HOUR_S
"""A week, and a long weekend more: so long may a silence be that is compared with a week ago."""
_MARK_DIGITS = 16

Place = tuple[int, int]
"""Partition, and the hour as a number since 1970."""


@dataclass(frozen=True)
class Hour:
    """What happened in one hour in one partition."""

    marks: frozenset[str] = frozenset()
    counted: Tally = field(default_factory=Tally)

    def with_facts(self, facts: Iterable[Fact], ended: Ended) -> "Hour":
        """An hour that counts these too; those that it has are not counted again."""
        new = [fact for fact in facts if fact.mark not in self.marks]
        counted = Tally()
        counted.merge(self.counted)
        counted.merge(tally(new, ended))
        return Hour(self.marks | {fact.mark for fact in new}, counted)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the table; the marks in one string, in order."""
        return {"marks": "".join(sorted(self.marks)), "series": self.counted.to_json()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Hour":
        text = kept["marks"]
        starts = range(0, len(text), _MARK_DIGITS)
        marks = frozenset(text[at : at + _MARK_DIGITS] for at in starts)
        return cls(marks, Tally.from_json(kept["series"]))


@dataclass(frozen=True)
class Changes:
    """What folding changes in the tables of one partition."""

    hours: Mapping[Place, Hour]
    forgotten_facts: Collection[str]
    forgotten_hours: Collection[Place]


def hour_of(moment: float) -> int:
    """The number of the hour, since 1970."""
    return int(moment // HOUR_S)


def name_of(place: Place) -> str:
    """The key of an hour in its table."""
    return f"{place[0]}/{place[1]}"


def place_of(name: str) -> Place:
    """What `name_of` named."""
    partition, _, hour = name.partition("/")
    return int(partition), int(hour)


def fold(
    partition: int, facts: Iterable[Fact], hours: Mapping[Place, Hour], now: float, told: float
) -> Changes:
    """What is due in one partition. `facts` and `hours` may hold others' too.

    `told` is the moment until which minutes and hours are published.
    """
    own = [fact for fact in facts if fact.partition == partition]
    ended = ends(own)
    over = {fact.unit: fact.finished for fact in own if fact.of == JOB}
    due: dict[Place, list[Fact]] = {}
    forgotten = []
    for fact in own:
        place = (partition, hour_of(fact.finished))
        over_for = _over_for(place[1], now)
        counted = place in hours and fact.mark in hours[place].marks
        if over_for >= KEPT_S or (counted and not _is_needed(fact, over, now, told)):
            forgotten.append(fact.mark)
        elif not counted and over_for >= FOLDED_AFTER_S:
            due.setdefault(place, []).append(fact)
    made = {place: hours.get(place, Hour()).with_facts(new, ended) for place, new in due.items()}
    old = [place for place in hours if place[0] == partition and _is_old(place, now)]
    return Changes(made, forgotten, old)


def _is_needed(fact: Fact, over: Mapping[str, float], now: float, told: float) -> bool:
    """Whether it may still tell what is in work, or how long a stage that begins late has waited,
    or a minute that is not published.

    So a run's facts go some time after its end; that it ended stays for longer, since a begin that
    is kept once more must not look like one in work. `over` has the ends of runs by unit.
    """
    last = max(fact.finished, over.get(fact.unit, fact.finished))
    if last >= told and _over_for(hour_of(last), now) < TOLD_BACK_S:
        return True
    is_open = fact.of != DELIVERY and fact.unit not in over
    kept_s = LONGEST_RUN_S if is_open or fact.of == JOB else REMOVED_AFTER_S
    return _over_for(hour_of(last), now) < kept_s


def _over_for(hour: int, now: float) -> float:
    return now - (hour + 1) * HOUR_S


def _is_old(place: Place, now: float) -> bool:
    return _over_for(place[1], now) >= KEPT_S
