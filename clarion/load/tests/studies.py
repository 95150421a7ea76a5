"""What the tests of this folder have in common: orders, studies that were sent, their jobs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from clarion.load.figures import Done
from clarion.load.plan import Fault, Order
from clarion.load.sending import Sent
from shared.events.models import Lane


def order(number: int = 0, fault: Fault = Fault.NONE, modality: str = "CT") -> Order:
    return Order(number, 0.0, Lane.ROUTINE, fault, 0, modality)


def sent(
    case: str = "case", ended: float = 100.0, why_not: str = "", *, makes_job: bool = True
) -> Sent:
    """A study on its way for ten seconds until `ended`."""
    return Sent(
        order=order(),
        study_instance_uid=f"2.25.{case}",
        case_id=case,
        began=ended - 10,
        ended=ended,
        instances=4,
        size=1000,
        late_s=0.0,
        why_not=why_not,
        makes_job=makes_job,
    )


def done(case: str = "case", came: float = 90.0, shown_at: float = 150.0, **changed: Any) -> Done:
    """A job whose first image came at `came`, and that was shown as ended at `shown_at`."""
    return Done(sent(case), job(case, received_at=moment(came), **changed), shown_at)


def job(
    case: str = "case",
    stages: Mapping[str, tuple[float, float]] | None = None,
    **changed: Any,
) -> dict[str, Any]:
    """A job whose first image came at 90 s and that ended at 150 s; stages: start and end."""
    return {
        "job_id": f"job-of-{case}",
        "case_id": case,
        "version": 1,
        "lane": "routine",
        "status": "completed",
        "reasons": [],
        "received_at": moment(90),
        "finished_at": moment(150),
        "stages": [
            {"stage": name, "started_at": moment(start), "finished_at": moment(end)}
            for name, (start, end) in (stages or {}).items()
        ],
        "outputs": [],
        "deliveries": {},
    } | changed


def output(uid: str, status: str = "delivered") -> dict[str, Any]:
    return {
        "sop_instance_uid": uid,
        "deliveries": [{"destination": "pacs", "status": status}],
    }


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def chance(seed: int) -> Random:
    """Chance that is the same each time."""
    return Random(seed)  # noqa: S311  it decides no secret
