"""Units of work on the memory bus: outcomes, joins, runs, controls."""

import asyncio
from itertools import count
from threading import Barrier

from shared.bus import attempts, outcomes
from shared.bus.tests.rig import measured, run_job, toy_rig
from shared.bus.work import Produced, Work
from shared.events.models import JobControl, Lane, MeasurementReady, VolumeReady
from shared.store.memory import MemoryStore
from shared.store.port import PayloadStore
from shared.testing import toy


async def test_a_job_goes_through_every_stage_and_the_join_runs_once() -> None:
    calls = count()

    def join(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        return toy.join(work, store=store)

    rig = toy_rig(MemoryStore(), joiner=join)
    await run_job(rig)
    assert measured(rig) == [b"manifest read l + manifest read r"]
    assert next(calls) == 1


async def test_what_an_event_causes_stays_in_its_partition_and_lane() -> None:
    rig = toy_rig(MemoryStore())
    await run_job(rig)
    assert {(r.place.partition, r.place.lane) for r in rig.bus.records} == {(3, Lane.ROUTINE)}


async def test_warnings_and_payloads_gather_along_the_way() -> None:
    rig = toy_rig(MemoryStore())
    await run_job(rig)
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

    await run_job(toy_rig(store, marker=mark))
    again = toy_rig(store, marker=mark)
    await run_job(again)
    assert measured(again) == [b"manifest read l + manifest read r"]
    assert next(calls) == 2


async def test_two_replicas_that_race_publish_one_outcome() -> None:
    both_at_work = Barrier(2, timeout=10)
    numbers = count()

    def read(work: Work, *, store: PayloadStore) -> Produced:
        both_at_work.wait()
        text = f"made by {next(numbers)}".encode()
        return Produced({"volume": store.put(text, "text/plain")})

    store = MemoryStore()
    racing = toy_rig(store, replicas=2, reader=read)
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

    rig = toy_rig(MemoryStore(), marker=mark)
    await run_job(rig)
    assert next(calls) == 1


async def test_of_a_run_that_is_cancelled_no_mark_stays() -> None:
    rig = toy_rig(MemoryStore())
    begun = toy.input_ready(rig.store)
    rig.store.mark(attempts.mark(begun.subject, 1, "reader", 1))  # by a service that has died
    rig.store.mark(attempts.mark("another", 1, "reader", 1))
    rig.control.apply(JobControl(job_id=begun.subject, cancelled_to_run=1))
    await run_job(rig)
    assert rig.store.keys("begun/") == [attempts.mark("another", 1, "reader", 1)]


async def test_a_later_run_takes_over_what_succeeded() -> None:
    store, calls = MemoryStore(), count()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        if work.parameters["mark"] == "r" and work.run == 1:
            raise ValueError
        next(calls)
        return toy.mark(work, store=store)

    rig = toy_rig(store, marker=mark)
    await run_job(rig)
    assert measured(rig) == []
    await run_job(rig, run=2)
    assert measured(rig) == [b"manifest read l + manifest read r"]
    assert next(calls) == 2
    left = outcomes.read(store, rig.bus.records[0].event.subject, 2, "left")
    assert left is not None
    assert (left.reused_from, left.events[0].data["run"]) == (1, 2)


async def test_a_fresh_run_computes_everything_again() -> None:
    store, calls = MemoryStore(), count()

    def mark(work: Work, *, store: PayloadStore) -> Produced:
        next(calls)
        return toy.mark(work, store=store)

    rig = toy_rig(store, marker=mark)
    await run_job(rig)
    await run_job(rig, run=2, fresh=True)
    assert next(calls) == 4


async def test_a_cancelled_run_goes_no_further() -> None:
    rig = toy_rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, cancelled_to_run=1))
    await run_job(rig)
    assert len(rig.bus.records) == 1


async def test_what_runs_when_its_job_is_cancelled_may_finish_and_publishes_nothing() -> None:
    loop = asyncio.get_running_loop()

    def read(work: Work, *, store: PayloadStore) -> Produced:
        cancel = JobControl(job_id=work.job_id, cancelled_to_run=1)
        loop.call_soon_threadsafe(rig.control.apply, cancel)
        return toy.read(work, store=store)

    rig = toy_rig(MemoryStore(), reader=read)
    await run_job(rig)
    assert len(rig.bus.records) == 1


async def test_the_handler_is_told_the_lane_that_the_job_has_now() -> None:
    lanes = []

    def read(work: Work, *, store: PayloadStore) -> Produced:
        lanes.append(work.lane)
        return toy.read(work, store=store)

    rig = toy_rig(MemoryStore(), reader=read)
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await run_job(rig)
    assert lanes == [Lane.STAT]
