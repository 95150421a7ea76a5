"""What a handler raises, and how often: refusals, defects, outages, lost services."""

import math
from dataclasses import replace
from itertools import count
from threading import Barrier

import pytest

from shared.bus import attempts, outcomes
from shared.bus.tests.rig import measured, run_job, toy_rig
from shared.bus.work import Ports, Produced, Work
from shared.clock import ManualClock
from shared.errors import BeginAnew, InputRejected, Reason, Unavailable
from shared.events.models import Lane, StageFailed
from shared.events.wire import encode
from shared.store.memory import MemoryStore
from shared.store.port import PayloadStore
from shared.testing import toy
from shared.testing.stages import assemble


async def test_a_refusal_ends_the_stage_at_once_and_is_the_dead_letter() -> None:
    def refuse(work: Work, *, store: PayloadStore) -> Produced:
        raise InputRejected(Reason("too-few-slices", {"slices": 3}))

    rig = toy_rig(MemoryStore(), reader=refuse)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.verdict, event.data.attempts) == ("refused", 1)
    assert event.data.reasons[0].numbers == {"slices": 3}
    assert event.data.cause.type == "clarion.input-ready.v1"


async def test_a_defect_is_tried_three_times_and_its_message_stays_off_the_bus() -> None:
    calls = count()

    def crash(work: Work, *, store: PayloadStore) -> Produced:
        raise ValueError(f"Vera^Phantom {next(calls)}")

    rig = toy_rig(MemoryStore(), reader=crash)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.verdict, event.data.attempts, next(calls)) == ("failed", 3, 3)
    assert event.data.exception_type == "ValueError"
    assert "Vera" not in event.data.model_dump_json()
    assert event.data.details is not None
    assert b"Vera^Phantom 2" in rig.store.get(event.data.details)


async def test_two_replicas_that_race_share_the_attempts() -> None:
    both_at_work, calls = Barrier(2, timeout=10), count()

    def crash(work: Work, *, store: PayloadStore) -> Produced:
        if next(calls) < 2:
            both_at_work.wait()
        raise ValueError

    racing = toy_rig(MemoryStore(), replicas=2, reader=crash)
    await racing.bus.publish(toy.input_ready(racing.store), Lane.ROUTINE, 3)
    await racing.together()
    told = [r.event.id for r in racing.bus.records if r.event.kind == "stage-failed"]
    assert len(set(told)) == 1
    assert next(calls) <= 3 + 1  # one may be under way when the other's is the third


@pytest.mark.parametrize(("burnt", "left"), [(2, 1), (3, 0)])
async def test_attempts_are_kept_across_restarts(burnt: int, left: int) -> None:
    store, calls = MemoryStore(), count()
    job = toy.input_ready(store).subject
    for attempt in range(1, burnt + 1):
        note = attempts.Attempt(
            code="defect",
            exception_type="ValueError",
            place="",
            details=store.put(b"", "text/plain"),
            traceparent="",
            finished_at=ManualClock()(),
        )
        key = attempts.key(job, 1, "reader", attempt)
        store.create(key, note.model_dump_json().encode())

    def crash(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        raise ValueError

    rig = toy_rig(store, reader=crash)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (next(calls), event.data.attempts) == (left, 3)


async def test_an_outage_burns_no_attempt() -> None:
    store, answers, probes = MemoryStore(), iter([False, True]), iter([False, False, True, True])

    def ask(work: Work, *, store: PayloadStore) -> Produced:
        if not next(answers):
            raise Unavailable("triton")
        return toy.read(work, store=store)

    def probe() -> None:
        if not next(probes):
            raise Unavailable("triton")

    ports = toy.ports(store, reader=ask)
    ports["reader"] = Ports(ports["reader"].handle, {"triton": probe})
    rig = assemble(toy.CATALOG, toy.topics(), store, ports)
    await run_job(rig)
    assert measured(rig) == [b"manifest read l + manifest read r"]
    outcome = outcomes.read(store, rig.bus.records[0].event.subject, 1, "reader")
    assert outcome is not None
    assert outcome.attempts == 1


async def test_work_whose_beginnings_were_replaced_begins_anew_and_burns_no_attempt() -> None:
    store, calls = MemoryStore(), count(1)

    def ask(work: Work, *, store: PayloadStore) -> Produced:
        if next(calls) == 1:
            raise BeginAnew("triton")
        return toy.read(work, store=store)

    rig = toy_rig(store, reader=ask)
    await run_job(rig)
    assert measured(rig) == [b"manifest read l + manifest read r"]
    outcome = outcomes.read(store, rig.bus.records[0].event.subject, 1, "reader")
    assert outcome is not None
    assert (outcome.attempts, next(calls)) == (1, 3)


async def test_a_dependency_that_only_this_study_breaks_is_its_own_fault() -> None:
    def ask(work: Work, *, store: PayloadStore) -> Produced:
        raise Unavailable("store")

    rig = toy_rig(MemoryStore(), reader=ask)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert event.data.reasons[0].code == "dependency-failed"


async def test_ports_that_were_not_declared_are_a_defect() -> None:
    def give_nothing(work: Work, *, store: PayloadStore) -> Produced:
        return Produced({})

    rig = toy_rig(MemoryStore(), reader=give_nothing)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert event.data.reasons[0].code == "wrong-product"


def _many(number: int, what: str) -> tuple[str, ...]:
    """Warnings of 32 bytes each, as JSON has them."""
    return tuple(f"{what}-{each:0{28 - len(what)}d}" for each in range(number))


async def test_an_event_that_the_bus_would_never_take_is_its_stage_s_defect() -> None:
    def warn(work: Work, *, store: PayloadStore) -> Produced:
        return replace(toy.read(work, store=store), warnings=_many(17_000, "slice"))

    rig = toy_rig(MemoryStore(), reader=warn)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert event.data.reasons[0].code == "wrong-product"


async def test_warnings_that_are_too_many_together_are_left_out_of_the_failure() -> None:
    """Each stage before the join says what fits; the join can't say it all, nor its failure."""

    def warn(work: Work, *, store: PayloadStore) -> Produced:
        return replace(toy.mark(work, store=store), warnings=_many(10_000, work.stage))

    rig = toy_rig(MemoryStore(), marker=warn)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.stage, event.data.reasons[0].code) == ("both", "wrong-product")
    assert (event.data.warnings, event.data.cause.data["warnings"]) == ((), [])
    assert len(encode(event)[1]) < 1 << 19


@pytest.mark.parametrize("number", [math.nan, math.inf])
async def test_a_number_that_is_none_is_the_defect_of_the_stage_that_gives_it(
    number: float,
) -> None:
    def refuse(work: Work, *, store: PayloadStore) -> Produced:
        raise InputRejected(Reason("too-thick", {"spacing_mm": number}))

    rig = toy_rig(MemoryStore(), reader=refuse)
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.verdict, event.data.reasons[0].code) == ("failed", "wrong-product")
    assert event.data.exception_type == "ValidationError"
    assert event.data.details is not None
    assert b"finite number" in rig.store.get(event.data.details)


@pytest.mark.parametrize(("lost", "kinds"), [(4, {"measurement-ready"}), (5, {"stage-failed"})])
async def test_a_study_that_takes_the_whole_service_with_it_is_set_aside_at_the_fifth_time(
    lost: int, kinds: set[str]
) -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    for number in range(1, lost + 1):
        store.mark(attempts.mark(job, 1, "reader", number))
    rig = toy_rig(store)
    await run_job(rig)
    ended = {"measurement-ready", "stage-failed"}
    assert {record.event.kind for record in rig.bus.records} & ended == kinds


async def test_a_unit_that_has_ended_leaves_no_mark_of_its_starts() -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    store.mark(attempts.mark(job, 1, "reader", 1))
    await run_job(toy_rig(store))
    assert store.keys("begun/") == []


async def test_nor_does_one_whose_service_died_before_the_mark_was_gone() -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    await run_job(toy_rig(store))
    store.mark(attempts.mark(job, 1, "reader", 1))
    await run_job(toy_rig(store))
    assert store.keys("begun/") == []
