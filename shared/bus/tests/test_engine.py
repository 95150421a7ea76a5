"""Units of work on the memory bus: outcomes, joins, runs, verdicts."""

import asyncio
import math
from collections.abc import Callable
from itertools import count
from threading import Barrier

import pytest

from shared.bus import attempts, outcomes
from shared.bus.work import Ports, Produced, Work
from shared.clock import ManualClock
from shared.errors import InputRejected, Reason, Unavailable
from shared.events.models import JobControl, Lane, MeasurementReady, StageFailed, VolumeReady
from shared.store.memory import MemoryStore
from shared.store.port import PayloadStore
from shared.testing import toy
from shared.testing.stages import Rig, assemble


def _rig(store: PayloadStore, replicas: int = 1, **instead: Callable[..., Produced]) -> Rig:
    ports = toy.ports(store, **instead)
    return assemble(toy.CATALOG, toy.topics(), store, ports, replicas=replicas)


async def _run(rig: Rig, run: int = 1, fresh: bool = False) -> None:
    await rig.bus.publish(toy.input_ready(rig.store, run, fresh), Lane.ROUTINE, 3)
    await rig.bus.settle()


def _text(rig: Rig) -> list[bytes]:
    found = []
    for event in rig.bus.events("measurement-ready"):
        assert isinstance(event.data, MeasurementReady)
        found.append(rig.store.get(event.data.payloads["both.measurement"]))
    return found


async def test_a_job_goes_through_every_stage_and_the_join_runs_once() -> None:
    calls = count()

    def join(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        return toy.join(work, store=store)

    rig = _rig(MemoryStore(), joiner=join)
    await _run(rig)
    assert _text(rig) == [b"manifest read l + manifest read r"]
    assert next(calls) == 1


async def test_what_an_event_causes_stays_in_its_partition_and_lane() -> None:
    rig = _rig(MemoryStore())
    await _run(rig)
    assert {(r.place.partition, r.place.lane) for r in rig.bus.records} == {(3, Lane.ROUTINE)}


async def test_warnings_and_payloads_gather_along_the_way() -> None:
    rig = _rig(MemoryStore())
    await _run(rig)
    (event,) = rig.bus.events("measurement-ready")
    assert isinstance(event.data, MeasurementReady)
    assert event.data.warnings == ("toy-warning",)
    assert set(event.data.payloads) == {
        "pipeline.definition", "ingest.manifest", "reader.volume", "left.mask", "right.mask",
        "both.measurement",
    }  # fmt: skip


async def test_a_redelivered_event_is_answered_from_the_outcome() -> None:
    store, calls = MemoryStore(), count()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        return toy.mark(work, store=store)

    await _run(_rig(store, marker=mark))
    again = _rig(store, marker=mark)
    await _run(again)
    assert _text(again) == [b"manifest read l + manifest read r"]
    assert next(calls) == 2


async def test_two_replicas_that_race_publish_one_outcome() -> None:
    both_at_work = Barrier(2, timeout=10)
    numbers = count()

    def read(work: Work, *, store: PayloadStore) -> Produced:
        both_at_work.wait()
        text = f"made by {next(numbers)}".encode()
        return Produced({"volume": store.put(text, "text/plain")})

    store = MemoryStore()
    racing = _rig(store, replicas=2, reader=read)
    event = toy.input_ready(store)
    await racing.bus.publish(event, Lane.ROUTINE, 3)
    await racing.together()
    made = [r.event.data for r in racing.bus.records if r.event.kind == "volume-ready"]
    payloads = {data.payloads["reader.volume"] for data in made if isinstance(data, VolumeReady)}
    assert (len(made), len(payloads), next(numbers)) == (2, 1, 2)


async def test_work_that_is_cancelled_while_it_waits_for_a_slot_is_not_done() -> None:
    calls, loop = count(), asyncio.get_running_loop()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        cancel = JobControl(job_id=work.job_id, cancelled_to_run=1)
        loop.call_soon_threadsafe(rig.control.apply, cancel)
        return toy.mark(work, store=store)

    rig = _rig(MemoryStore(), marker=mark)
    await _run(rig)
    assert next(calls) == 1


async def test_of_a_run_that_is_cancelled_no_mark_stays() -> None:
    rig = _rig(MemoryStore())
    begun = toy.input_ready(rig.store)
    rig.store.mark(attempts.mark(begun.subject, 1, "reader", 1))  # by a service that has died
    rig.store.mark(attempts.mark("another", 1, "reader", 1))
    rig.control.apply(JobControl(job_id=begun.subject, cancelled_to_run=1))
    await _run(rig)
    assert rig.store.keys("begun/") == [attempts.mark("another", 1, "reader", 1)]


async def test_a_refusal_ends_the_stage_at_once_and_is_the_dead_letter() -> None:
    def refuse(work: Work, *, store: PayloadStore) -> Produced:
        raise InputRejected(Reason("too-few-slices", {"slices": 3}))

    rig = _rig(MemoryStore(), reader=refuse)
    await _run(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.verdict, event.data.attempts) == ("refused", 1)
    assert event.data.reasons[0].numbers == {"slices": 3}
    assert event.data.cause.type == "clarion.input-ready.v1"


async def test_a_defect_is_tried_three_times_and_its_message_stays_off_the_bus() -> None:
    calls = count()

    def crash(work: Work, *, store: PayloadStore) -> Produced:
        raise ValueError(f"Vera^Phantom {next(calls)}")

    rig = _rig(MemoryStore(), reader=crash)
    await _run(rig)
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

    racing = _rig(MemoryStore(), replicas=2, reader=crash)
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

    rig = _rig(store, reader=crash)
    await _run(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (next(calls), event.data.attempts) == (left, 3)


async def test_an_outage_burns_no_attempt() -> None:
    store, answers, probes = MemoryStore(), iter([False, True]), iter([False, False, True])

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
    await _run(rig)
    assert _text(rig) == [b"manifest read l + manifest read r"]
    outcome = outcomes.read(store, rig.bus.records[0].event.subject, 1, "reader")
    assert outcome is not None
    assert outcome.attempts == 1


async def test_a_dependency_that_only_this_study_breaks_is_its_own_fault() -> None:
    def ask(work: Work, *, store: PayloadStore) -> Produced:
        raise Unavailable("store")

    rig = _rig(MemoryStore(), reader=ask)
    await _run(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert event.data.reasons[0].code == "dependency-failed"


async def test_ports_that_were_not_declared_are_a_defect() -> None:
    def give_nothing(work: Work, *, store: PayloadStore) -> Produced:
        return Produced({})

    rig = _rig(MemoryStore(), reader=give_nothing)
    await _run(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert event.data.reasons[0].code == "wrong-product"


@pytest.mark.parametrize("number", [math.nan, math.inf])
async def test_a_number_that_is_none_is_the_defect_of_the_stage_that_gives_it(
    number: float,
) -> None:
    def refuse(work: Work, *, store: PayloadStore) -> Produced:
        raise InputRejected(Reason("too-thick", {"spacing_mm": number}))

    rig = _rig(MemoryStore(), reader=refuse)
    await _run(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.verdict, event.data.reasons[0].code) == ("failed", "wrong-product")
    assert event.data.exception_type == "ValidationError"
    assert event.data.details is not None
    assert b"finite number" in rig.store.get(event.data.details)


async def test_a_later_run_takes_over_what_succeeded() -> None:
    store, calls = MemoryStore(), count()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        if work.parameters["mark"] == "r" and work.run == 1:
            raise ValueError
        next(calls)
        return toy.mark(work, store=store)

    rig = _rig(store, marker=mark)
    await _run(rig)
    assert _text(rig) == []
    await _run(rig, run=2)
    assert _text(rig) == [b"manifest read l + manifest read r"]
    assert next(calls) == 2
    left = outcomes.read(store, rig.bus.records[0].event.subject, 2, "left")
    assert left is not None
    assert (left.reused_from, left.events[0].data["run"]) == (1, 2)


async def test_a_fresh_run_computes_everything_again() -> None:
    store, calls = MemoryStore(), count()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        return toy.mark(work, store=store)

    rig = _rig(store, marker=mark)
    await _run(rig)
    await _run(rig, run=2, fresh=True)
    assert next(calls) == 4


async def test_a_cancelled_run_goes_no_further() -> None:
    rig = _rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, cancelled_to_run=1))
    await _run(rig)
    assert len(rig.bus.records) == 1


async def test_what_runs_when_its_job_is_cancelled_may_finish_and_publishes_nothing() -> None:
    loop = asyncio.get_running_loop()

    def read(work: Work, *, store: PayloadStore) -> Produced:
        cancel = JobControl(job_id=work.job_id, cancelled_to_run=1)
        loop.call_soon_threadsafe(rig.control.apply, cancel)
        return toy.read(work, store=store)

    rig = _rig(MemoryStore(), reader=read)
    await _run(rig)
    assert len(rig.bus.records) == 1


async def test_the_handler_is_told_the_lane_that_the_job_has_now() -> None:
    lanes = []

    def read(work: Work, *, store: PayloadStore) -> Produced:
        lanes.append(work.lane)
        return toy.read(work, store=store)

    rig = _rig(MemoryStore(), reader=read)
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await _run(rig)
    assert lanes == [Lane.STAT]


@pytest.mark.parametrize(("lost", "kinds"), [(4, {"measurement-ready"}), (5, {"stage-failed"})])
async def test_a_study_that_takes_the_whole_service_with_it_is_set_aside_at_the_fifth_time(
    lost: int, kinds: set[str]
) -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    for number in range(1, lost + 1):
        store.mark(attempts.mark(job, 1, "reader", number))
    rig = _rig(store)
    await _run(rig)
    ended = {"measurement-ready", "stage-failed"}
    assert {record.event.kind for record in rig.bus.records} & ended == kinds


async def test_a_unit_that_has_ended_leaves_no_mark_of_its_starts() -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    store.mark(attempts.mark(job, 1, "reader", 1))
    await _run(_rig(store))
    assert store.keys("begun/") == []


async def test_nor_does_one_whose_service_died_before_the_mark_was_gone() -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    await _run(_rig(store))
    store.mark(attempts.mark(job, 1, "reader", 1))
    await _run(_rig(store))
    assert store.keys("begun/") == []
