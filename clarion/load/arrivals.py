"""When studies arrive, in seconds from the begin. Pure: the same chance, the same moments."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, repeat
from random import Random

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_RATE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)/(?P<unit>s|min|h)")


@dataclass(frozen=True)
class Profile:
    """What comes in an hour: how many studies, and of which modality (0008,0060)."""

    studies: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.studies.values())

    @property
    def per_s(self) -> float:
        return self.total / 3600


HOSPITAL_HOUR = Profile({"DX": 120, "US": 50, "CT": 30, "MR": 25, "OT": 25})
"""The peak hour that Guy's and St Thomas' publish: 250 studies, 225 of them by modality."""
PROFILES = {"hospital-hour": HOSPITAL_HOUR}


def parse_rate(text: str) -> float:
    """Studies a second, from `300/h`, `5/min` or `0.1/s`. Raises ValueError."""
    found = _RATE.fullmatch(text.strip())
    if not found or float(found["number"]) == 0:
        raise ValueError(f"{text!r} is no rate; write 300/h, 5/min or 0.1/s")
    return float(found["number"]) / _SECONDS[found["unit"]]


def at_once() -> Iterator[float]:
    """All are due at the begin: as fast as the senders are."""
    return repeat(0.0)


def steady(per_s: float) -> Iterator[float]:
    """Equal gaps, the first at the begin."""
    return (number / per_s for number in count())


def by_chance(per_s: float, chance: Random) -> Iterator[float]:
    """Arrivals that know nothing of each other: exponential gaps (a Poisson process)."""
    moment = 0.0
    while True:
        moment += chance.expovariate(per_s)
        yield moment
