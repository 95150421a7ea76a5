"""What somebody should look at: a sender that fell silent, a slow stage, a service that stands."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from services.statistics.sketch import count, quantile
from services.statistics.tally import Series, Tally

_DAY_S = 86_400.0
_GAPS_NEEDED = 10
_GAPS_TIMES = 3.0
_DAYS_TIMES = 1.5
_SHORTEST_SILENCE_S = 600.0

_SAMPLES_NOW, _SAMPLES_BEFORE = 20, 100
_SLOWER_TIMES, _SLOWER_BY_S = 1.5, 1.0

STANDS_AFTER_S = 600.0


@dataclass(frozen=True)
class Raised:
    """One alert. `since` is what makes it the same alert each time that it is found."""

    code: str
    window: str
    key: Mapping[str, str]
    figures: Mapping[str, float]
    since: float


def silent_senders(arrivals: Mapping[str, Sequence[float]], now: float) -> Iterator[Raised]:
    """Senders that are silent for longer than is usual for them, at this time of the day.

    Longer than three times the 95th percentile of their gaps, and than one and a half times their
    silence at this time of day: the median of the days before, and that of a week ago. So neither
    a night nor a weekend is an alert, and one outage in the past makes none usual.
    """
    for sender, moments in arrivals.items():
        limit = usual_silence(moments, now)
        if limit is not None and now - moments[-1] > limit:
            told = {"silent_s": round(now - moments[-1], 1), "usual_s": round(limit, 1)}
            yield Raised("silent-sender", "8 d", {"sender": sender}, told, moments[-1])


def usual_silence(moments: Sequence[float], now: float) -> float | None:
    """The longest silence in s that is nothing unusual; None while too little is known."""
    gaps = sorted(later - earlier for earlier, later in pairwise(moments))
    if len(gaps) < _GAPS_NEEDED:
        return None
    before = {day: _silence_at(moments, now - day * _DAY_S) for day in range(1, 8)}
    known = [silence for silence in before.values() if silence is not None]
    limits = [_SHORTEST_SILENCE_S, _GAPS_TIMES * gaps[int(0.95 * (len(gaps) - 1))]]
    limits += [_DAYS_TIMES * median(known)] if known else []
    limits += [_DAYS_TIMES * before[7]] if before[7] is not None else []
    return max(limits)


def _silence_at(moments: Sequence[float], moment: float) -> float | None:
    earlier = bisect_right(moments, moment)
    return moment - moments[earlier - 1] if earlier else None


def slow_stages(hour: Tally, week: Tally, since: float) -> Iterator[Raised]:
    """Stages whose p95 of the last hour is far above that of their own week before.

    `since` is the hour in which that is said: it is said once an hour.
    """
    for series, named in _by_stage(hour).items():
        now, before = named, _by_stage(week).get(series, {})
        if count(now) < _SAMPLES_NOW or count(before) < _SAMPLES_BEFORE:
            continue
        p95, usual = quantile(now, 0.95) or 0.0, quantile(before, 0.95) or 0.0
        if p95 > _SLOWER_TIMES * usual and p95 > usual + _SLOWER_BY_S:
            told = {"p95_s": round(p95, 3), "week_p95_s": round(usual, 3), "count": count(now)}
            yield Raised("slow-stage", "1 h", series.key(), told, since)


def _by_stage(counted: Tally) -> dict[Series, Mapping[int, int]]:
    """The sketch of each stage's duration, over all lanes."""
    made = Tally()
    for series, named in counted.sketches.items():
        if series.stage and "duration" in named:
            whole = series._replace(lane="")
            made.merge(Tally(sketches={whole: {"duration": named["duration"]}}))
    return {series: named["duration"] for series, named in made.sketches.items()}


@dataclass(frozen=True)
class Progress:
    """What a service has before it, and since when it has not got on."""

    lag: int
    stands_since: float


def standing_services(progress: Mapping[str, Progress], now: float) -> Iterator[Raised]:
    """Services that have work and have not finished any for long: halted, or hung."""
    for service, at in progress.items():
        stands = now - at.stands_since
        if at.lag and stands > STANDS_AFTER_S:
            told = {"lag": float(at.lag), "stands_s": round(stands, 1)}
            yield Raised("standing-service", "live", {"service": service}, told, at.stands_since)
