"""Events that were set aside: each is a step that was committed and that nobody has done.

They lie in a topic of their own, which each replica reads whole: who set an event aside, where it
lay and why. Their values are never looked at, and what is no name of the bus is not repeated.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import ConsumerRecord

from services.statistics.alerts import Raised
from services.statistics.hours import HOUR_S, hour_of

_SHOWN_H = 24
_WORD = r"[a-z][a-z_-]{0,39}"
_NAMES = {
    "service": re.compile(_WORD),
    "topic": re.compile(rf"clarion\.{_WORD}\.v\d{{1,3}}(\.{_WORD})?"),
    "code": re.compile(_WORD),
}
_UNKNOWN = "unknown"


class _Place(NamedTuple):
    service: str
    topic: str
    code: str


@dataclass
class Aside:
    """How many were set aside, by who, where and why, and by the hour in which they were."""

    _counts: Counter[tuple[_Place, int]] = field(default_factory=Counter)

    def anew(self) -> Callable[["ConsumerRecord[bytes, bytes]"], None]:
        """Who takes the records when the topic is read from its start: none counts twice."""
        self._counts.clear()
        return self.take

    def take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        """Count a record by its headers."""
        told = dict(record.headers or ())
        place = _Place(*(_name(name, told.get(name, b"")) for name in _Place._fields))
        self._counts[place, hour_of(record.timestamp / 1000)] += 1

    def raised(self, now: float) -> Iterator[Raised]:
        """Each place, for a day after its last event. `since` is the hour of that one: while more
        are set aside it is said once an hour.
        """
        first = hour_of(now) - _SHOWN_H
        for old in [key for key in self._counts if key[1] < first]:
            del self._counts[old]
        last: dict[_Place, int] = {}
        counts: Counter[_Place] = Counter()
        for (place, hour), count in sorted(self._counts.items()):
            last[place] = hour
            counts[place] += count
        for place, hour in last.items():
            told = {"count": float(counts[place])}
            window = f"{_SHOWN_H} h"
            yield Raised("unreadable-event", window, place._asdict(), told, hour * HOUR_S)


def _name(kind: str, said: bytes) -> str:
    text = said.decode("ascii", "replace")
    return text if _NAMES[kind].fullmatch(text) else _UNKNOWN
