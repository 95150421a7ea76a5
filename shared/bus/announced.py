"""Announcements: each input-ready of ingest, kept until the ledger of jobs has it.

Topics come to an end: one is deleted, or its retention is over before it was read. What is behind
an input-ready can be restarted from outcomes, but only by who knows of the job. So ingest writes
the announcement before it publishes, and results removes it when its ledger has the job: what lies
here are the few jobs in between, and no history.
"""

from pydantic import AwareDatetime

from shared.events.models import InputReady, Model
from shared.events.wire import Event
from shared.pipelines.definition import INGEST
from shared.store.port import PayloadStore

_FOLDER = "announced/"
KIND = "input-ready"


class Announced(Model):
    """An input-ready as it was published."""

    id: str
    time: AwareDatetime
    traceparent: str
    partition: int
    data: InputReady

    @property
    def event(self) -> Event:
        """The event, the same as the first time."""
        return Event(
            id=self.id,
            source=INGEST,
            kind=KIND,
            subject=self.data.job_id,
            time=self.time,
            traceparent=self.traceparent,
            data=self.data,
        )


def key(job_id: str) -> str:
    """Where the announcement of a job's first run lies."""
    return f"{_FOLDER}{job_id}.json"


def keep(store: PayloadStore, announced: Announced) -> None:
    """Write it, unless it is there."""
    store.create(key(announced.data.job_id), announced.model_dump_json(exclude_none=True).encode())


def jobs(store: PayloadStore) -> list[str]:
    """The jobs whose announcements lie there, sorted."""
    return [name.removeprefix(_FOLDER).removesuffix(".json") for name in store.keys(_FOLDER)]


def read(store: PayloadStore, job_id: str) -> Announced | None:
    """The announcement of a job, unless it was removed."""
    data = store.read(key(job_id))
    return Announced.model_validate_json(data) if data else None


def remove(store: PayloadStore, job_id: str) -> None:
    """The ledger has the job; from then on it is restarted from its outcomes."""
    store.delete(key(job_id))
