"""The sketch against what it stands for, and against the library's own."""

import math
from collections import Counter

import pytest
from ddsketch import DDSketch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.statistics.sketch import bin_of, count, quantile
from shared.events.examples import EXAMPLES
from shared.events.models import Statistics

SECONDS = st.lists(st.floats(0.002, 1e5), min_size=1, max_size=60)


@settings(deadline=None)
@given(SECONDS, st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_quantile_is_that_of_the_values_to_within_one_per_cent(
    values: list[float], q: float
) -> None:
    true = sorted(values)[max(0, math.ceil(q * len(values)) - 1)]
    found = quantile(Counter(map(bin_of, values)), q)
    assert found is not None
    assert abs(found - true) <= 0.0101 * true


@settings(deadline=None)
@given(SECONDS, SECONDS)
def test_merged_it_is_the_sketch_of_all_as_the_library_makes_it(
    some: list[float], others: list[float]
) -> None:
    theirs = DDSketch(0.01)
    for value in some + others:
        theirs.add(value)
    merged = Counter(map(bin_of, some)) + Counter(map(bin_of, others))
    assert quantile(merged, 0.5) == theirs.get_quantile_value(0.5)


@settings(deadline=None)
@given(st.floats(0.002, 1e5))
def test_a_bin_holds_what_the_published_schema_says(seconds: float) -> None:
    g, k = 1.01 / 0.99, bin_of(seconds)
    assert g ** (k - 1) * (1 - 1e-9) <= seconds <= g**k * (1 + 1e-9)


def test_the_published_example_is_one() -> None:
    example = EXAMPLES["statistics"]
    assert isinstance(example, Statistics)
    [line] = example.series
    p95 = quantile(line.sketches["duration"], 0.95)
    assert p95 is not None
    assert round(p95, 4) == line.figures["duration_p95_s"]


def test_a_wait_that_two_clocks_make_negative_counts_as_the_shortest() -> None:
    assert bin_of(-5.0) == bin_of(0.0) == bin_of(0.001)


def test_of_few_values_the_p95_is_the_longest_and_the_median_of_two_the_shorter() -> None:
    two, nineteen = Counter(map(bin_of, (6.9, 5.1))), Counter(map(bin_of, [1.0] * 18 + [9.0]))
    found = [quantile(two, 0.5), quantile(two, 0.95), quantile(nineteen, 0.95)]
    assert found == pytest.approx([5.1, 6.9, 9.0], rel=0.01)


def test_an_empty_sketch_has_no_quantile() -> None:
    assert (count({}), quantile({}, 0.5)) == (0, None)
