"""Jobs that are only told of: their events, with times that fall into every window."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from shared.events.examples import EXAMPLES
from shared.events.models import Common, Lane, ReasonModel
from shared.events.wire import Event
from shared.identity import event_id

_PARTS = {
    "input-ready": (-28.0, -25.0),
    "volume-ready": (-24.0, -20.0),
    "stage-failed": (-24.0, -19.0),
    "mask-ready": (-18.0, -12.0),
    "dicom-ready": (-11.0, -9.0),
    "job-finished": (-9.0, 0.0),
    "dicom-delivered": (1.0, 2.0),
}
"""When each begins and ends, in s from the end of the job."""
_MADE = ("input-ready", "volume-ready", "mask-ready", "dicom-ready", "job-finished")
_DELIVERED = (*_MADE, "dicom-delivered")
_REFUSED = ("input-ready", "stage-failed", "job-finished")
_LATE = ("input-ready", "volume-ready", "mask-ready", "job-finished")
_OPEN = ("input-ready", "volume-ready")
_STORIES = (_DELIVERED, _REFUSED, _MADE, _LATE, _OPEN)
_EARLIER_MIN = 25
_APART_S = 11.0


def events(numbers: Sequence[int], now: datetime) -> list[Event]:
    """Jobs in all lanes. Every second one ends in the quarter of an hour to come, which every
    minute has some of; the others did within the last two hours.
    """
    return [event for number in numbers for event in _job(number, now)]


def partition_of(event: Event) -> int:
    """That of its job."""
    return int(event.subject.removeprefix("job-")) % 4


def _job(number: int, now: datetime) -> Iterator[Event]:
    earlier = timedelta(minutes=_EARLIER_MIN * (number // 2 % 4))
    end = now - earlier if number % 2 else now + timedelta(seconds=_APART_S * number)
    for kind in _STORIES[number % len(_STORIES)]:
        yield _event(kind, number, end)


def _event(kind: str, number: int, end: datetime) -> Event:
    example = EXAMPLES[kind]
    assert isinstance(example, Common)
    slower = 1 + number % 7 / 5
    started, finished = (end + timedelta(seconds=slower * at) for at in _PARTS[kind])
    job = f"job-{number}"
    update = {
        "job_id": job,
        "lane": list(Lane)[number % 3],
        "received_at": end - timedelta(seconds=40 * slower),
        "started_at": started,
        "finished_at": finished,
    }
    if kind == "job-finished":
        update |= _ended(number)
    data = example.model_copy(update=update)
    return Event(event_id(job, 1, data.stage, kind), "test", kind, job, finished, "", data)


def _ended(number: int) -> dict[str, object]:
    story = _STORIES[number % len(_STORIES)]
    if story == _REFUSED:
        refused = EXAMPLES["stage-failed"].model_dump()["reasons"]
        return {"status": "refused", "reasons": tuple(map(ReasonModel.model_validate, refused))}
    if story == _LATE:
        return {"status": "partial", "reasons": (ReasonModel(code="deadline"),)}
    return {}
