"""A worker that hangs costs one attempt, and no longer than its stage may take."""

import threading
from typing import NoReturn

from shared.bus.execution import Defect
from shared.bus.work import Ports, Work
from shared.bus.workers import Recipe, WorkerPool
from shared.pipelines.definition import parse
from shared.settings import Settings
from shared.store.memory import MemoryStore
from shared.testing import toy
from shared.testing.work import work_for

HASTY = parse(toy.DEFINITION_TEXT.replace("{mark: l}", "{mark: l}, deadline: 0.2 s"))


def _hang(_: Work) -> NoReturn:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


def hanging(_: Settings) -> Ports:
    """What each worker process builds."""
    return Ports(_hang, {})


async def test_the_deadline_of_a_stage_ends_its_work_before_that_of_the_service() -> None:
    pool = WorkerPool(Recipe("marker", Settings(), hanging, memory_mb=2048), 1, deadline_s=300)
    await pool.start()
    try:
        verdict = await pool.execute(work_for("left", MemoryStore(), {}, definition=HASTY))
    finally:
        pool.stop()
    assert isinstance(verdict, Defect)
    assert (verdict.code, verdict.details) == ("deadline-exceeded", "no answer within 0.2 s")
