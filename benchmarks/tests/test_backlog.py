"""How fast a backlog was drained, tenth by tenth."""

import pytest

from benchmarks.backlog import Look, deciles

START = Look(0.0, 0, 5.0)


def evenly(looks: int) -> list[Look]:
    """100 events and 0.2 s of CPU every second, after 10 s of starting."""
    return [START, *(Look(10 + at, 100 * (at + 1), 7 + at / 5) for at in range(looks))]


def test_an_even_drain_is_as_fast_at_the_end_though_the_rest_waits_for_its_batch() -> None:
    looks = evenly(21)
    figures = deciles([*looks, Look(looks[-1].at + 3, looks[-1].done + 10, looks[-1].cpu)])

    assert figures["per_s"] == [100.0] * 10
    assert (figures["last_to_first"], figures["last_to_first_by_cpu"]) == (1.0, 1.0)
    assert figures["events"] == 2110


def test_a_drain_that_slows_down_is_told() -> None:
    fast = evenly(21)
    slow = [Look(30 + 10 * at, 2100 + 100 * at, 11 + 2 * at) for at in range(1, 22)]

    figures = deciles([*fast, *slow])

    assert figures["last_to_first"] == 0.1
    assert figures["last_to_first_by_cpu"] == 0.1


def test_too_few_looks_say_nothing() -> None:
    with pytest.raises(ValueError, match="longer backlog"):
        deciles(evenly(5))
