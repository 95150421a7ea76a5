"""What the control topic says reaches work that is already queued, at once."""

import asyncio

import pytest

from shared.bus.control import Control, Stopped
from shared.bus.slots import Slots
from shared.bus.tests import virtual_time
from shared.events.models import JobControl, Lane

CANCEL = JobControl(job_id="j", cancelled_to_run=1)


@pytest.mark.parametrize("told", [CANCEL, JobControl(job_id="j", superseded_by="k")])
def test_waiting_work_leaves_at_once_when_its_run_is_stopped(told: JobControl) -> None:
    async def story() -> None:
        control = Control()
        asyncio.get_running_loop().call_later(5, control.apply, told)
        with pytest.raises(Stopped):
            async with control.while_wanted("j", 1):
                await asyncio.Event().wait()
        assert asyncio.get_running_loop().time() == pytest.approx(5)

    virtual_time.run(story())


def test_a_later_run_and_another_job_wait_on() -> None:
    async def story() -> None:
        control = Control()
        asyncio.get_running_loop().call_later(5, control.apply, CANCEL)
        async with control.while_wanted("j", 2), control.while_wanted("k", 1):
            await asyncio.sleep(10)

    virtual_time.run(story())


def test_who_leaves_the_queue_leaves_its_slot_to_the_next() -> None:
    async def story() -> None:
        control, slots, served = Control(), Slots(1), asyncio.Event()

        async def wait(job: str) -> None:
            async with control.while_wanted(job, 1), slots.slot(lambda: Lane.ROUTINE):
                served.set()

        async with asyncio.TaskGroup() as group:
            async with slots.slot(lambda: Lane.STAT):
                first = asyncio.create_task(wait("j"))
                group.create_task(wait("k"))
                await asyncio.sleep(1)
                control.apply(CANCEL)
                await asyncio.wait([first])
                assert isinstance(first.exception(), Stopped)
            await served.wait()

    virtual_time.run(story())
