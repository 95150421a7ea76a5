"""A sketch of a latency's distribution that merges and fits in a changelog.

Bins of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): a value is known to within 1 %. The
mapping between values and bins is that of the library `ddsketch`. Its own stores are dense and lose
the counts' sum when serialised; here only the bins that hold something are kept, so that merging is
adding and a sketch is a few bytes of JSON.
"""

import math
from collections.abc import Iterable, Mapping

from ddsketch.mapping import LogarithmicMapping

_MAPPING = LogarithmicMapping(0.01)
_SHORTEST_S = 0.001
"""Clocks of two hosts differ: a wait of less, or a negative one, counts as a millisecond."""

Bins = Mapping[int, int]
"""Count by bin."""


def bin_of(seconds: float) -> int:
    """The bin that holds a duration in s."""
    return int(_MAPPING.key(max(seconds, _SHORTEST_S)))


def count(bins: Bins) -> int:
    """How many values a sketch holds."""
    return sum(bins.values())


def merged(sketches: Iterable[Bins]) -> Bins:
    """The sketch of all their values."""
    found: dict[int, int] = {}
    for bins in sketches:
        for place, held in bins.items():
            found[place] = found.get(place, 0) + held
    return found


def quantile(bins: Bins, q: float) -> float | None:
    """The q-quantile in s, to within 1 %; None of an empty sketch.

    It is the nearest rank: the shortest value that at least a share q of all do not exceed. So of
    two the median is the shorter, and of fewer than twenty the p95 is the longest.
    """
    rank = max(1, math.ceil(q * count(bins)))
    reached = 0
    for place in sorted(bins):
        reached += bins[place]
        if reached >= rank:
            return float(_MAPPING.value(place))
    return None
