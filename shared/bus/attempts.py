"""Notes of attempts that failed, kept in the payload store so that a restart forgives none."""

from pydantic import AwareDatetime

from shared.bus.execution import Defect
from shared.bus.settling import Settled
from shared.events.models import Model, PayloadRef
from shared.store.port import PayloadStore


class Attempt(Model):
    """One attempt that failed; the exception's message lies in `details`."""

    code: str
    exception_type: str
    place: str
    details: PayloadRef
    traceparent: str
    finished_at: AwareDatetime


def key(job_id: str, run: int, stage: str, number: int) -> str:
    """Where the note of an attempt lies."""
    return f"attempts/{job_id}/{run}/{stage}/{number}.json"


def earlier(store: PayloadStore, job_id: str, run: int, stage: str) -> list[Attempt]:
    """The attempts of a unit of work that have failed, first to last."""
    folder = key(job_id, run, stage, 0).rpartition("/")[0]
    notes = (store.read(name) for name in store.keys(f"{folder}/"))
    return [Attempt.model_validate_json(note) for note in notes if note]


def begun(store: PayloadStore, job_id: str, run: int, stage: str) -> list[int]:
    """The numbers of the starts whose end nobody saw: the whole service died meanwhile."""
    notes = store.keys(f"begun/{job_id}/{run}/{stage}/")
    return [int(note.rpartition("/")[2]) for note in notes]


def begin(store: PayloadStore, job_id: str, run: int, stage: str, number: int) -> str:
    """Note that the unit is about to be worked on; to be deleted when that has ended."""
    where = f"begun/{job_id}/{run}/{stage}/{number}"
    store.create(where, b"")
    return where


def keep(store: PayloadStore, settled: Settled, run: int, defect: Defect) -> Attempt:
    """Note the attempt that `settled` tells of."""
    note = Attempt(
        code=defect.code,
        exception_type=defect.exception_type,
        place=defect.place,
        details=store.put(defect.details.encode(), "text/plain"),
        traceparent=settled.traceparent,
        finished_at=settled.finished_at,
    )
    where = key(settled.job_id, run, settled.unit.name, settled.attempts)
    store.create(where, note.model_dump_json().encode())
    return note
