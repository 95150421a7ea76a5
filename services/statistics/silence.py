"""Senders that fell silent: how many studies each has missed, by what it sends in a usual day.

A silence is measured in studies, not in hours: in those that usually come between two times of the
day. So a night is no longer than an afternoon's gap, and a sender of five studies a day is judged
like one of fifty.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from services.statistics.alerts import Raised
from services.statistics.hours import KEPT_S

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
_GAPS_NEEDED = 10
_GAP_TIMES = 2.0
_LONGEST_AFTER = 2
"""So many of the longest gaps are no measure: weekends, and an outage in the past."""
_FEWEST_MISSED = 2.5
_SHORTEST_SILENCE_S = 600.0
_WINDOW = f"{KEPT_S / _DAY_S:.0f} d"


def silent_senders(arrivals: Mapping[str, Sequence[float]], now: float) -> Iterator[Raised]:
    """Senders that have missed more studies than is usual for them.

    More than two, and twice as many as in the longest gap that they had, but for two; and as many
    came a week ago meanwhile: so a weekend is no silence either, and nobody is judged in the first
    week. `arrivals` are in order; a sender of fewer than ten gaps is not judged.
    """
    for sender, moments in arrivals.items():
        if len(moments) <= _GAPS_NEEDED or now - moments[-1] < _SHORTEST_SILENCE_S:
            continue
        missed, unusual = missed_studies(moments, now), unusual_from(moments)
        if missed >= unusual:
            told = {
                "silent_s": round(now - moments[-1], 1),
                "missed": round(missed, 1),
                "unusual_from": round(unusual, 1),
            }
            yield Raised("silent-sender", _WINDOW, {"sender": sender}, told, moments[-1])


def missed_studies(moments: Sequence[float], now: float) -> float:
    """How many should have come since the last one: by a usual day, and by what is known of a week
    ago, whichever is fewer.
    """
    came = _usually_came(moments)
    last = moments[-1]
    week_ago = bisect_right(moments, now - _WEEK_S) - bisect_right(moments, last - _WEEK_S)
    return min(came(now) - came(last), week_ago)


def unusual_from(moments: Sequence[float]) -> float:
    """The fewest missed studies that are too many."""
    came = _usually_came(moments)
    gaps = sorted(came(later) - came(earlier) for earlier, later in pairwise(moments))
    return max(_FEWEST_MISSED, _GAP_TIMES * gaps[-1 - _LONGEST_AFTER])


def _usually_came(moments: Sequence[float]) -> Callable[[float], float]:
    """How many studies come until a moment, counted from any fixed one, when each day is usual."""
    days = max(1.0, (moments[-1] - moments[0]) / _DAY_S)
    times = sorted(moment % _DAY_S for moment in moments)

    def came(until: float) -> float:
        day, time = divmod(until, _DAY_S)
        return (day * len(times) + bisect_right(times, time)) / days

    return came
