"""Figures of windows: every event once, however it came and whatever became of its fact."""

import json
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.statistics import changelogs
from services.statistics.facts import Fact
from services.statistics.hours import HOUR_S, KEPT_S, Hour, fold, hour_of, name_of
from services.statistics.tally import Series
from services.statistics.tests.told import NOW_S, fact
from services.statistics.windows import (
    Kept,
    Span,
    back_from,
    figures,
    in_work,
    latest,
    sliding,
    tallies_of,
    tally_of,
)

READER = Series(stage="reader", lane="routine", pipeline="covid19-ct")
JOBS = Series(lane="routine", pipeline="covid19-ct")


def _kept(*facts: Fact) -> Kept:
    return Kept(facts={each.mark: each for each in facts})


def _figures(kept: Kept, span: Span) -> dict[Series, dict[str, float]]:
    return figures(tally_of(kept, span), span)


def test_a_window_counts_what_ended_in_it_and_how_long_that_took() -> None:
    kept = _kept(
        fact("volume-ready", "a", ago_s=10, took_s=2),
        fact("volume-ready", "b", ago_s=20, took_s=2),
        fact("volume-ready", "c", ago_s=301, took_s=50),
    )
    found = _figures(kept, sliding(NOW_S)[0])[READER]
    assert found == {
        "succeeded": 2,
        "per_min": 0.4,
        "duration_p50_s": found["duration_p50_s"],
        "duration_p95_s": found["duration_p50_s"],
        "duration_count": 2,
    }
    assert abs(found["duration_p50_s"] - 2) < 0.02


MOMENTS = st.floats(0, 9 * HOUR_S).map(lambda ago: NOW_S - ago)
SPANS = st.lists(
    st.tuples(MOMENTS, MOMENTS).filter(lambda pair: pair[0] < pair[1]), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(ended=st.lists(st.tuples(MOMENTS, st.booleans()), max_size=30), spans=SPANS)
def test_each_of_several_spans_holds_what_ended_in_it_folded_or_not(
    ended: list[tuple[float, bool]], spans: list[tuple[float, float]]
) -> None:
    asked = [Span(str(n), *pair) for n, pair in enumerate([*spans, (NOW_S - 8 * HOUR_S, NOW_S)])]
    kept = Kept()
    for number, (moment, is_folded) in enumerate(ended):
        each = fact("volume-ready", str(number), ago_s=NOW_S - moment)
        kept.facts[each.mark] = each
        place = (each.partition, hour_of(each.finished))
        if is_folded:
            kept.hours[place] = kept.hours.get(place, Hour()).with_facts([each], {})
    found = tallies_of(kept, asked)
    for span in asked:
        expected = sum(span.holds(each.finished) for each in kept.facts.values())
        assert found[span].counts.get(READER, {}).get("succeeded", 0) == expected


def test_the_latest_minute_and_hour_are_those_that_ended_last() -> None:
    spans = latest(NOW_S + 61)
    assert [(span.start - NOW_S, span.end - NOW_S) for span in spans] == [(0, 60), (-HOUR_S, 0)]


def test_the_week_that_ends_now_is_parted_without_a_gap() -> None:
    now = NOW_S + 1234.5
    spans = back_from(now)
    assert [span.name for span in spans] == ["1 h", "2 h", "4 h", "8 h", "24 h", "week"]
    assert [span.end for span in spans] == [now, *(span.start for span in spans[:-1])]
    widths = [now - span.start for span in spans[:-1]]
    assert all(
        HOUR_S * (h - 1) < w <= HOUR_S * h for h, w in zip((1, 2, 4, 8, 24), widths, strict=True)
    )
    assert spans[-1].start == NOW_S - 7 * 24 * HOUR_S


def test_a_refusal_is_counted_by_its_code_too() -> None:
    found = _figures(_kept(fact("stage-failed")), Span("all", 0, NOW_S + 1))
    assert found[READER]["refused"] == found[READER._replace(code="too-few-slices")]["refused"] == 1


def test_a_stage_waits_from_the_end_of_its_last_input_to_its_start() -> None:
    kept = _kept(
        fact("input-ready", ago_s=30),
        fact("volume-ready", ago_s=20, took_s=3),
    )
    found = _figures(kept, sliding(NOW_S)[0])[READER]
    assert abs(found["wait_p50_s"] - 7) < 0.08


def test_a_wait_that_only_some_inputs_tell_of_is_none() -> None:
    kept = _kept(fact("mask-ready", ago_s=1), fact("volume-ready", ago_s=5))
    found = _figures(kept, sliding(NOW_S)[0])[READER._replace(stage="lung-seg")]
    assert "wait_p50_s" not in found


def test_jobs_have_an_end_to_end_time_and_deliveries_theirs() -> None:
    kept = _kept(fact("job-finished"), fact("dicom-delivered", took_s=0.5))
    found = _figures(kept, Span("1 h", NOW_S - HOUR_S, NOW_S + 1))[JOBS]
    assert (found["completed"], found["delivery_delivered"]) == (1, 1)
    assert abs(found["end_to_end_p50_s"] - 60) < 0.6
    assert abs(found["delivery_p50_s"] - 0.5) < 0.005


def test_in_work_is_what_has_begun_and_not_finished() -> None:
    kept = _kept(fact("input-ready", "a"), fact("input-ready", "b"), fact("job-finished", "a"))
    assert in_work(kept.facts.values()) == {JOBS: {"in_work": 1}}


class Table:
    """What the changelogs hold: every write may be lost or repeated, none is invented."""

    def __init__(self) -> None:
        self.kept = Kept()

    def put(self, table: str, key: str, value: dict[str, Any] | None) -> None:
        changelogs.apply(self.kept, table, key, json.loads(json.dumps(value)))

    def keep(self, fact: Fact) -> None:
        self.put(changelogs.FACTS, fact.mark, fact.to_json())

    def fold(self, now: float, crash_after: int = 1_000, told: float = inf) -> None:
        """Fold as the application does; the crash comes after so many writes."""
        changes = fold(0, list(self.kept.facts.values()), self.kept.hours, now, told)
        writes: list[tuple[str, str, dict[str, Any] | None]] = [
            (changelogs.HOURS, name_of(place), hour.to_json())
            for place, hour in changes.hours.items()
        ]
        writes += [(changelogs.FACTS, mark, None) for mark in changes.forgotten_facts]
        writes += [(changelogs.HOURS, name_of(place), None) for place in changes.forgotten_hours]
        for write in writes[:crash_after]:
            self.put(*write)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 15)),
        st.tuples(st.just("fold"), st.integers(0, 4)),
        st.tuples(st.just("fold"), st.just(1_000)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_figures_equal_a_recount_whatever_is_repeated_late_or_cut_off(
    steps: list[tuple[str, int]],
) -> None:
    """Sixteen events of the last ten hours come in any order, again, and between crashes."""
    table, published = Table(), set()
    now = NOW_S
    for step, number in steps:
        if step == "event":
            table.keep(fact("volume-ready", f"job-{number}", ago_s=number * HOUR_S * 0.6))
            published.add(number)
        else:
            now += 600
            table.fold(now, crash_after=number)
    whole = Span("all", 0, (hour_of(now) + 1) * HOUR_S)
    counted = tally_of(table.kept, whole).counts.get(READER, {}).get("succeeded", 0)
    assert counted == len(published)


def test_an_hour_is_folded_forgotten_and_still_counted() -> None:
    table = Table()
    table.keep(fact("volume-ready", ago_s=60))
    for hours in (2.1, 7.1):
        table.fold(NOW_S + hours * HOUR_S)
    assert (len(table.kept.facts), len(table.kept.hours)) == (0, 1)
    [span] = [span for span in back_from(NOW_S + 8 * HOUR_S) if span.holds(NOW_S - 60)]
    assert tally_of(table.kept, span).counts[READER] == {"succeeded": 1}


def test_after_its_time_nothing_is_kept() -> None:
    table = Table()
    table.keep(fact("volume-ready", ago_s=60))
    for at in (2.1 * HOUR_S, 7.1 * HOUR_S, KEPT_S + HOUR_S):
        table.fold(NOW_S + at)
    assert table.kept == Kept()


def _folded(table: Table, *hours: float, told: float = inf) -> list[str]:
    """What of it is still kept as facts, when it is folded so many hours from now."""
    for at in hours:
        table.fold(NOW_S + at * HOUR_S, told=told)
    return sorted(fact.of for fact in table.kept.facts.values())


def test_a_run_that_waits_for_hours_is_in_work_and_its_wait_is_counted() -> None:
    """The wait is the same in a window of now and in the hour that the facts become."""
    table = Table()
    table.keep(fact("input-ready", ago_s=60))
    assert _folded(table, 1.1, 2.1, 3.1, 4.1) == ["input"]
    assert in_work(table.kept.facts.values()) == {JOBS: {"in_work": 1}}
    table.keep(fact("volume-ready", ago_s=-4.5 * HOUR_S, took_s=5))
    table.keep(fact("job-finished", ago_s=-4.6 * HOUR_S))
    _folded(table, 4.7)
    waited = 4.5 * HOUR_S + 60 - 5
    for now, ago_h in ((5, 1), (6.1, 2)):
        _folded(table, now)
        span = Span("some", NOW_S + (now - ago_h) * HOUR_S // HOUR_S * HOUR_S, NOW_S + 9 * HOUR_S)
        assert abs(_figures(table.kept, span)[READER]["wait_p95_s"] - waited) < 0.01 * waited
    assert in_work(table.kept.facts.values()) == {JOBS: {"in_work": 0}}


def test_a_run_that_is_over_leaves_its_end_for_as_long_as_a_run_may_take() -> None:
    """Its begin may come again: it is not in work then."""
    table = Table()
    begun = fact("input-ready", ago_s=60)
    for each in (begun, fact("volume-ready", ago_s=50), fact("job-finished", ago_s=40)):
        table.keep(each)
    assert _folded(table, 1.1, 2.1) == ["job"]
    table.keep(begun)
    assert in_work(table.kept.facts.values()) == {JOBS: {"in_work": 0}}
    assert _folded(table, 2.2) == ["job"]
    assert _folded(table, 6.1) == []


def test_what_ends_no_more_is_in_work_for_six_hours() -> None:
    table = Table()
    table.keep(fact("input-ready", ago_s=60))
    assert [_folded(table, hours) for hours in (1.1, 5.9, 6.1)] == [["input"], ["input"], []]


def test_a_delivery_is_not_kept_for_its_run() -> None:
    table = Table()
    table.keep(fact("dicom-delivered", ago_s=60))
    assert _folded(table, 1.1, 2.1) == []


def test_a_fact_is_kept_until_its_minute_is_told_and_a_day_at_most() -> None:
    """And all of its run: what began before the minute tells how long a stage in it waited."""
    for told, kept in ((NOW_S - 60, ["job", "stage"]), (NOW_S - 29, [])):
        table = Table()
        for each in (fact("volume-ready", ago_s=90), fact("job-finished", ago_s=30)):
            table.keep(each)
        assert _folded(table, 6.1, 6.2, told=told) == kept
        assert _folded(table, 24.1, 24.2, told=told) == []


def test_an_hour_comes_back_from_the_changelog_as_it_was() -> None:
    hour = Hour().with_facts([fact("stage-failed"), fact("input-ready")], {})
    assert Hour.from_json(json.loads(json.dumps(hour.to_json()))) == hour
