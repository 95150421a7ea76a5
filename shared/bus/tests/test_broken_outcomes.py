"""Outcomes that were cut off, or are of another make: told at once, and made good by a replay."""

import pytest

from shared.bus import outcomes
from shared.bus.tests.rig import measured, run_job, toy_rig
from shared.events.models import StageFailed
from shared.store.memory import MemoryStore
from shared.testing import toy
from shared.testing.stages import Rig

CUT_OFF = [b"", b'{"job_id": "', b"\xff"]


def failures(rig: Rig) -> dict[str, str]:
    """The code of each stage that failed."""
    told = [event.data for event in rig.bus.events("stage-failed")]
    return {each.stage: each.reasons[0].code for each in told if isinstance(each, StageFailed)}


def _of_another_make(store: MemoryStore, job: str, stage: str) -> bytes:
    """An outcome of this form, with an event that nobody knows."""
    held = outcomes.read(store, job, 1, stage)
    assert held
    (event,) = held.events
    strange = event.model_copy(update={"kind": "hologram-ready"})
    return held.model_copy(update={"events": (strange,)}).model_dump_json().encode()


@pytest.mark.parametrize("data", CUT_OFF)
async def test_a_stage_whose_outcome_says_nothing_fails_and_is_made_anew_by_a_replay(
    data: bytes,
) -> None:
    rig = toy_rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.store.create(outcomes.key(job, 1, "reader"), data)
    await run_job(rig)
    assert failures(rig) == {"reader": "outcome-unreadable"}
    await run_job(rig, run=2)
    assert measured(rig) == [b"manifest read l + manifest read r"]


async def test_its_failure_names_the_outcome_and_quotes_it_in_the_payload_alone() -> None:
    rig = toy_rig(MemoryStore())
    job = toy.input_ready(rig.store).subject
    rig.store.create(outcomes.key(job, 1, "reader"), b'{"run": "Vera^Phantom"}')
    await run_job(rig)
    (event,) = rig.bus.events("stage-failed")
    assert isinstance(event.data, StageFailed)
    assert (event.data.place, event.data.attempts) == ("reader", 0)
    assert "Vera" not in event.data.model_dump_json()
    assert event.data.details is not None
    assert b"Vera^Phantom" in rig.store.get(event.data.details)


async def test_a_join_fails_whose_partner_s_outcome_says_nothing() -> None:
    store = MemoryStore()
    job = toy.input_ready(store).subject
    await run_job(toy_rig(store))
    strange = _of_another_make(store, job, "right")
    for stage in ("right", "both"):
        store.delete(outcomes.key(job, 1, stage))
    store.create(outcomes.key(job, 1, "right"), strange)
    again = toy_rig(store)
    await run_job(again)
    assert failures(again) == {"right": "outcome-unreadable", "both": "outcome-unreadable"}
    await run_job(again, run=2)
    assert measured(again) == [b"manifest read l + manifest read r"]
