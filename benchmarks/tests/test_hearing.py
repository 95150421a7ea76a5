"""When a benchmark takes a job for ended, and its objects for delivered."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.hearing import Heard
from shared.bus.received import Place, Received
from shared.events.examples import EXAMPLES
from shared.events.models import Common, JobFinished, Lane
from shared.events.wire import Event
from shared.identity import trace_id

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TRACE = f"{trace_id('job', 1):032x}"


def received(kind: str, **more: object) -> Received:
    """An event of the golden job, whose stages have ended 15 minutes ago."""
    example = EXAMPLES[kind]
    assert isinstance(example, Common)
    data = example.model_copy(update={"finished_at": NOW - timedelta(minutes=15), **more})
    event = Event("id", "test", kind, "job", NOW, f"00-{TRACE}-{1:016x}-01", data)
    return Received(event, Place(kind, 0, 0, Lane.ROUTINE))


async def test_a_job_ends_when_it_is_heard_that_it_has() -> None:
    heard = Heard(NOW.timestamp)
    await heard.hear([received("job-finished", case_id="case")])
    ended = await heard.end_of("case")
    assert (ended.at, ended.trace_id) == (NOW.timestamp(), TRACE)


async def test_a_job_that_does_not_complete_ends_the_benchmark() -> None:
    with pytest.raises(RuntimeError, match="partial"):
        await Heard().hear([received("job-finished", status="partial")])


async def test_what_is_announced_is_queued_until_it_ends() -> None:
    heard = Heard()
    await heard.hear([received("input-ready", case_id=case, lane=Lane.BULK) for case in "ab"])
    assert (heard.queued(Lane.BULK), heard.ended(Lane.BULK)) == (2, 0)
    await heard.hear([received("job-finished", case_id="a", lane=Lane.BULK)])
    assert (heard.queued(Lane.BULK), heard.ended(Lane.BULK)) == (1, 1)


async def test_a_case_is_delivered_with_its_last_object() -> None:
    heard = Heard()
    golden = EXAMPLES["job-finished"]
    assert isinstance(golden, JobFinished)
    ref = next(iter(golden.payloads.values()))
    made = {"volume.dicom-like": ref, "lung.dicom": ref, "lesion.dicom": ref}
    await heard.hear([received("job-finished", case_id="case", payloads=made)])
    for uid, status, delivered in (
        ("1", "delivered", False),
        ("2", "held", False),
        ("2", "delivered", True),
    ):
        told = received("dicom-delivered", case_id="case", sop_instance_uid=uid, status=status)
        await heard.hear([told, told])
        assert heard.is_delivered("case") == delivered
