"""Notes of attempts that failed, kept in the payload store so that a restart forgives none."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from itertools import count

from pydantic import AwareDatetime

from shared.bus.execution import Defect
from shared.bus.settling import Settled
from shared.events.models import Model, PayloadRef
from shared.store.port import PayloadStore

_BEGUN = "begun/"


class Attempt(Model):
    """One attempt that failed; the exception's message lies in `details`."""

    code: str
    exception_type: str
    place: str
    details: PayloadRef
    traceparent: str
    finished_at: AwareDatetime


@dataclass(frozen=True)
class History:
    """What was tried before: the attempts that failed, and the starts whose end nobody saw."""

    failed: tuple[Attempt, ...]
    lost: tuple[int, ...]


def history(store: PayloadStore, job_id: str, run: int, stage: str) -> History:
    """What was tried before, of a unit that has no outcome."""
    failed, lost = earlier(store, job_id, run, stage), begun(store, job_id, run, stage)
    return History(tuple(failed), tuple(lost))


def folder(job_id: str) -> str:
    """Where the notes of a job's attempts lie."""
    return f"attempts/{job_id}/"


def key(job_id: str, run: int, stage: str, number: int) -> str:
    """Where the note of an attempt lies."""
    return f"{folder(job_id)}{run}/{stage}/{number}.json"


def earlier(store: PayloadStore, job_id: str, run: int, stage: str) -> list[Attempt]:
    """The attempts of a unit of work that have failed, first to last."""
    return _notes(store, f"{folder(job_id)}{run}/{stage}/")


def of_job(store: PayloadStore, job_id: str) -> list[Attempt]:
    """The attempts of a job's units that have failed, whatever became of the units."""
    return _notes(store, folder(job_id))


def _notes(store: PayloadStore, where: str) -> list[Attempt]:
    notes = (store.read(name) for name in store.keys(where))
    return [Attempt.model_validate_json(note) for note in notes if note]


def begun(store: PayloadStore, job_id: str, run: int, stage: str) -> list[int]:
    """The numbers of the starts whose end nobody saw: the whole service died meanwhile.

    One folder holds the marks of all units that are in work now: they are few.
    """
    own = mark(job_id, run, stage, 0)[:-1]
    marks = (key for key in store.keys(_BEGUN) if key.startswith(own))
    return sorted(int(key.removeprefix(own)) for key in marks)


def marks_of(store: PayloadStore, job_ids: Set[str]) -> list[str]:
    """The marks of these jobs' starts: a run that was stopped has no outcome that ends them."""
    marks = store.keys(_BEGUN)
    return [name for name in marks if name.removeprefix(_BEGUN).partition(".")[0] in job_ids]


def mark(job_id: str, run: int, stage: str, number: int) -> str:
    """The key under which it is marked that the unit is about to be worked on."""
    return f"{_BEGUN}{job_id}.{run}.{stage}.{number}"


def forget_all(store: PayloadStore, job_id: str, run: int, stage: str) -> None:
    """The unit has its outcome: a service that died just after it was kept left its mark."""
    numbers = begun(store, job_id, run, stage)
    forget(store, (mark(job_id, run, stage, number) for number in numbers))


def forget(store: PayloadStore, marks: Iterable[str]) -> None:
    """What was marked has ended."""
    for key in marks:
        store.delete(key)


def keep(store: PayloadStore, settled: Settled, run: int, defect: Defect) -> None:
    """Note the attempt that `settled` tells of; kept twice it is one note.

    Another replica may have noted one under the same number meanwhile: each is of its own.
    """
    note = Attempt(
        code=defect.code,
        exception_type=defect.exception_type,
        place=defect.place,
        details=store.put(defect.details.encode(), "text/plain"),
        traceparent=settled.traceparent,
        finished_at=settled.finished_at,
    )
    text = note.model_dump_json().encode()
    for number in count(settled.attempts):
        where = key(settled.job_id, run, settled.unit.name, number)
        if store.create(where, text) or store.read(where) == text:
            return
