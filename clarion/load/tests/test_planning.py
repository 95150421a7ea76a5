"""Arrivals, shares and orders follow from the seed alone."""

from collections import Counter
from itertools import islice, pairwise, product
from math import exp

import pytest

from clarion.load.arrivals import HOSPITAL_HOUR, at_once, by_chance, parse_rate, steady
from clarion.load.plan import Fault, Mix, orders
from clarion.load.shares import choose, parse_shares
from clarion.load.tests.studies import chance
from shared.events.models import Lane

LANES = [str(lane) for lane in Lane]


@pytest.mark.parametrize(("text", "per_s"), [("300/h", 1 / 12), ("6/min", 0.1), ("0.5/s", 0.5)])
def test_a_rate_is_read_in_its_unit(text: str, per_s: float) -> None:
    assert parse_rate(text) == pytest.approx(per_s)


@pytest.mark.parametrize("text", ["300", "0/h", "-3/h", "fast", "3/day"])
def test_what_is_no_rate_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 300/h"):
        parse_rate(text)


def test_steady_arrivals_have_equal_gaps() -> None:
    assert list(islice(steady(0.5), 3)) == [0, 2, 4]


def test_chance_arrivals_keep_the_rate_and_the_seed() -> None:
    moments = list(islice(by_chance(2.0, chance(5)), 4000))
    assert moments == list(islice(by_chance(2.0, chance(5)), 4000))
    assert moments == sorted(moments)
    assert 4000 / moments[-1] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gaps_between_chance_arrivals_spread_as_exponential_ones(seed: int) -> None:
    moments = list(islice(by_chance(2.0, chance(seed)), 4000))
    gaps = [after - before for before, after in pairwise([0.0, *moments])]
    for means in (0.5, 1, 2, 3):
        longer = sum(gap > means / 2.0 for gap in gaps) / len(gaps)
        assert longer == pytest.approx(exp(-means), abs=0.03)


def test_the_hospital_hour_is_the_published_one() -> None:
    assert (HOSPITAL_HOUR.total, HOSPITAL_HOUR.studies["CT"]) == (250, 30)
    assert HOSPITAL_HOUR.per_s * 3600 == pytest.approx(250)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("urgent=1", "none of"),
        ("stat", "needs a share"),
        ("stat=much", "needs a share"),
        ("stat=-0.1", "from 0 to 1"),
        ("stat=0.7,bulk=0.6", "more than 1"),
        ("stat=0", "or nothing"),
    ],
)
def test_shares_that_are_none_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_shares(text, LANES)


def test_what_the_shares_leave_goes_elsewhere() -> None:
    shares = parse_shares("stat=0.25, bulk=0.25", LANES)
    seeded = chance(1)
    drawn = [choose(shares, "routine", seeded) for _ in range(4000)]
    counted = {name: drawn.count(name) / 4000 for name in set(drawn)}
    assert counted == pytest.approx({"stat": 0.25, "bulk": 0.25, "routine": 0.5}, abs=0.03)


def test_orders_are_due_in_order_and_take_the_sources_in_turn() -> None:
    mix = Mix({"stat": 1.0}, {}, {}, sources=2)
    made = list(orders(steady(1.0), range(7, 10), mix, chance(0)))
    assert [(o.number, o.due_s, o.source) for o in made] == [(7, 0, 1), (8, 1, 0), (9, 2, 1)]
    assert {(o.lane, o.fault, o.modality) for o in made} == {(Lane.STAT, Fault.NONE, "CT")}


def test_sources_by_chance_come_in_no_turn_but_that_of_the_seed() -> None:
    mix = Mix({}, {}, {}, sources=3, in_turn=False)
    first, again, other = (
        [each.source for each in orders(at_once(), range(300), mix, chance(seed))]
        for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other
    assert set(pairwise(first)) == set(product(range(3), repeat=2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_hour_holds_exactly_what_its_profile_says_in_another_order(seed: int) -> None:
    mix = Mix({}, {}, HOSPITAL_HOUR.studies, sources=2)
    two_hours = [each.modality for each in orders(at_once(), range(500), mix, chance(seed))]
    for hour in (two_hours[:250], two_hours[250:]):
        assert Counter(hour) == HOSPITAL_HOUR.studies
    assert two_hours[:250] != two_hours[250:]


def test_the_same_seed_gives_the_same_orders() -> None:
    mix = Mix({"stat": 0.3}, {"abort": 0.3}, {"DX": 1, "CT": 1}, sources=9, in_turn=False)
    first, again, other = (list(orders(at_once(), range(50), mix, chance(s))) for s in (4, 4, 5))
    assert first == again
    assert first != other
