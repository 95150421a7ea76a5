"""A worker has its time on a processor, not on the clock; without end it has none."""

from collections.abc import Mapping

from shared.bus.deadline import Deadline


class Threads:
    """What a kernel tells of a worker's threads."""

    def __init__(self, **waited: float) -> None:
        self.waited: Mapping[str, float] = waited

    def now(self) -> Mapping[str, float]:
        return dict(self.waited)


def spend(deadline: Deadline, step_s: float) -> float:
    """Let it all go by; how long that took."""
    took = 0.0
    while deadline.left_s > 0:
        deadline.spend(step_s)
        took += step_s
    return took


def test_a_hang_wants_no_processor_and_gets_no_more_time() -> None:
    threads = Threads(main=3.0, pool=7.0)
    assert spend(Deadline(2, threads.now), 0.5) == 2


def test_what_the_thread_waited_that_waited_longest_is_given_back() -> None:
    threads = Threads(main=3.0)
    deadline = Deadline(2, threads.now)
    threads.waited = {"main": 3.5, "pool": 1.0}
    assert spend(deadline, 0.5) == 3


def test_no_more_is_given_back_than_went_by() -> None:
    """Time in which the whole service stood still does not count; a worker may have waited then."""
    threads = Threads(main=0.0)
    deadline = Deadline(2, threads.now)
    threads.waited = {"main": 3600.0}
    assert spend(deadline, 0.5) == 4


def test_ten_times_the_deadline_is_the_end() -> None:
    waited = iter(range(0, 3600, 60))
    deadline = Deadline(2, lambda: {"main": float(next(waited))})
    assert spend(deadline, 0.5) == 20


def test_where_the_kernel_does_not_count_the_clock_does() -> None:
    assert spend(Deadline(2, dict), 0.5) == 2
