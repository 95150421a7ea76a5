"""A job that is given another lane goes by it at every stage, however long the queues are."""

from shared.bus.tests.rig import run_job, toy_rig
from shared.events.models import JobControl, Lane
from shared.store.memory import MemoryStore
from shared.testing import toy


async def test_what_a_job_causes_goes_by_the_lane_that_was_told() -> None:
    rig = toy_rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await run_job(rig)
    begun, *later = [received.place for received in rig.bus.records]
    assert begun.lane is Lane.ROUTINE
    assert {(place.lane, place.partition) for place in later} == {(Lane.STAT, begun.partition)}


async def test_what_was_done_before_is_said_again_by_the_lane_that_was_told_since() -> None:
    before = toy_rig(MemoryStore())
    await run_job(before)
    after = toy_rig(before.store)
    job = toy.input_ready(after.store).subject
    after.control.apply(JobControl(job_id=job, lane=Lane.STAT))
    await run_job(after)
    assert {r.event.id for r in after.bus.records} == {r.event.id for r in before.bus.records}
    assert {r.place.lane for r in after.bus.records[1:]} == {Lane.STAT}
