"""When a service takes in work, and what it says when it does not."""

import asyncio

from shared.bus.watch import Broker, Watch
from shared.clock import ManualClock


def test_a_burst_of_failures_halts_the_service_and_it_says_so() -> None:
    watch = Watch(ManualClock(), burst=3, window_s=60)
    for _ in range(3):
        watch.failed("reader")
    assert not watch.open
    assert "halted after a burst of failures" in watch.why_not()[0]


def test_a_halted_service_goes_on_when_it_is_resumed_and_counts_anew() -> None:
    watch = Watch(ManualClock(), burst=2, window_s=60)
    watch.failed("reader")
    watch.failed("reader")
    assert (watch.resume(), watch.resume()) == (True, False)
    watch.failed("reader")
    assert watch.open


def test_failures_far_apart_with_successes_between_do_not_halt_it() -> None:
    clock = ManualClock()
    watch = Watch(clock, burst=3, window_s=60)
    for _ in range(5):
        watch.failed("reader")
        clock.advance(31)
        watch.succeeded("reader")
    assert watch.open


def test_failures_in_a_row_halt_it_however_long_each_took_and_count_anew_after_a_resume() -> None:
    clock = ManualClock()
    watch = Watch(clock, burst=3, window_s=60)
    seen = []
    for _ in range(2):
        for _ in range(3):
            clock.advance(3600)
            watch.failed("reader")
            watch.succeeded("another stage of the service")
            seen.append(watch.halted)
        watch.resume()
    assert seen == [False, False, True] * 2


async def test_intake_is_closed_until_the_dependency_answers() -> None:
    watch, answers = Watch(ManualClock()), iter([False, True])
    seen: list[tuple[str, ...]] = []

    async def is_up() -> bool:
        seen.append(watch.why_not())
        return next(answers)

    await asyncio.gather(watch.until_up("triton", is_up), watch.until_up("triton", is_up))
    assert seen == [("triton does not answer",)] * 2
    assert watch.open


async def test_a_probe_that_fails_is_no_answer() -> None:
    """Whoever waits would take what it raises for a fault of his study."""
    watch, answers = Watch(ManualClock()), iter([False, True])

    async def is_up() -> bool:
        if not next(answers):
            raise OSError
        return True

    await asyncio.gather(*(watch.until_up("triton", is_up) for _ in range(3)))
    assert watch.open


def test_a_broker_that_does_not_answer_is_told_until_it_does() -> None:
    broker = Broker()
    broker.tell(False)
    assert broker.why_not() == ("kafka does not answer",)
    broker.tell(True)
    assert broker.why_not() == ()
