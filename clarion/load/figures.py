"""How long things took, from jobs as the API has them and from what was sent. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from clarion.following import Job
from clarion.load.judging import codes_of, ended
from clarion.load.sending import Sent

LOOK_S = 1.0
"""How often the jobs API is asked, s: an end is seen that much later at most."""


@dataclass(frozen=True)
class Spread:
    """Percentiles of some durations, s: each is one that was measured (nearest rank)."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Done:
    """A study that was sent, and one of its jobs, which has ended."""

    sent: Sent
    job: Job
    shown_at: float
    """When the jobs API first showed it as ended, s since 1970."""

    @property
    def end_to_end_s(self) -> float:
        """From the arrival of the study's first image until its job is shown as ended.

        The time at which the job was read to be over counts, which `finished_at` leaves out:
        that is the end of the last stage. Delivery comes after.
        """
        return self.shown_at - moment(self.job["received_at"])


def quantile(values: Sequence[float], share: float) -> float:
    """The least measured value that `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError when nothing was measured."""
    if not values:
        raise ValueError("nothing was measured")
    p50, p95, p99 = (round(quantile(values, share), 3) for share in (0.5, 0.95, 0.99))
    return Spread(len(values), p50, p95, p99, round(max(values), 3))


def by_lane(done: Iterable[Done]) -> dict[str, Spread]:
    """End to end of the jobs that completed: one that fails is soon over."""
    found: dict[str, list[float]] = defaultdict(list)
    for each in _completed(done):
        found[each.job["lane"]].append(each.end_to_end_s)
    return {lane: spread(values) for lane, values in sorted(found.items())}


def _completed(done: Iterable[Done]) -> Iterator[Done]:
    return (each for each in done if each.job["status"] == "completed")


def growth(done: Iterable[Done]) -> float | None:
    """How many seconds longer end to end is for each second that passes.

    The last third of the studies that completed, by arrival, against the first; above 0 the queue
    grows. None for fewer than three.
    """
    came = sorted((moment(each.job["received_at"]), each.end_to_end_s) for each in _completed(done))
    third = len(came) // 3
    if not third:
        return None
    (began, before), (ended, after) = (
        map(fmean, zip(*some, strict=True)) for some in (came[:third], came[-third:])
    )
    return round((after - before) / (ended - began), 3) if ended > began else None


def shown_after(done: Iterable[Done]) -> Spread | None:
    """From the end of a job's last stage until the jobs API shows the job as ended.

    That is what the results service takes, and up to `LOOK_S`.
    """
    taken = [max(0.0, each.shown_at - moment(each.job["finished_at"])) for each in _completed(done)]
    return spread(taken) if taken else None


def left_out(done: Iterable[Done]) -> dict[str, int]:
    """The other jobs, by status and codes."""
    jobs = (each.job for each in done if each.job["status"] != "completed")
    return dict(sorted(Counter(ended(job["status"], codes_of(job)) for job in jobs).items()))


def finished_per_h(done: Sequence[Done]) -> float | None:
    """Jobs an hour between the first end that was shown and the last; None for fewer than two."""
    ends = sorted(each.shown_at for each in done)
    if len(ends) < 2 or ends[-1] <= ends[0]:
        return None
    return round((len(ends) - 1) / (ends[-1] - ends[0]) * 3600, 1)


def moment(text: str) -> float:
    """A time of the API, s since 1970."""
    return datetime.fromisoformat(text).timestamp()
