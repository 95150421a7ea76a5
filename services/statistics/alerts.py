"""What somebody should look at: a slow stage, a service that stands (`silence`: a sender)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.statistics.sketch import Bins, count, merged, quantile
from services.statistics.tally import Series, Tally

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


def slow_stages(parts: Sequence[tuple[str, Tally]], since: float) -> Iterator[Raised]:
    """Stages whose p95 of the last hour is far above that of their own week before.

    `parts` are the week that ends now, newest first, each under the name of what it ends. A stage
    of which too few ended in the last hour, because it is slow or seldom has work, is judged with
    as many of the parts before as it takes, but for the last one. `since` is the hour in which that
    is said: it is said once an hour.
    """
    named = [(name, _by_stage(part)) for name, part in parts]
    for series, hour in named[0][1].items():
        if found := _recent(series, named):
            window, now, before = found
            limit = _limit(before)
            p95 = quantile(now, 0.95) or 0.0
            if limit is not None and p95 > limit and (quantile(hour, 0.95) or 0.0) > limit:
                usual = quantile(before, 0.95) or 0.0
                told = {"p95_s": round(p95, 3), "week_p95_s": round(usual, 3), "count": count(now)}
                yield Raised("slow-stage", window, series.key(), told, since)


def _recent(
    series: Series, named: Sequence[tuple[str, Mapping[Series, Bins]]]
) -> tuple[str, Bins, Bins] | None:
    """Samples of the fewest parts that have enough, with the span's name, and all those before."""
    bins = [part.get(series, {}) for _, part in named]
    for parts in range(1, len(named)):
        if count(now := merged(bins[:parts])) >= _SAMPLES_NOW:
            return named[parts - 1][0], now, merged(bins[parts:])
    return None


def _limit(usual: Bins) -> float | None:
    """What is slow beside these, in s; None where they are too few to tell."""
    if count(usual) < _SAMPLES_BEFORE:
        return None
    p95 = quantile(usual, 0.95) or 0.0
    return max(_SLOWER_TIMES * p95, p95 + _SLOWER_BY_S)


def _by_stage(counted: Tally) -> dict[Series, Bins]:
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
