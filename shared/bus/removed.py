"""Removals: the jobs whose payloads were pruned, until ingest has let go of their input too.

Ingest alone knows which journal segments a case shares among its versions, and what of them is
still to be decided; results alone knows which jobs nobody needs. So results leaves a note of each
job that it has pruned, and ingest removes the note when it has done its part.
"""

from shared.store.port import PayloadStore

_FOLDER = "removed/"


def note(store: PayloadStore, job_id: str) -> None:
    """The job's payloads are gone, and its input may go."""
    store.create(f"{_FOLDER}{job_id}", b"")


def jobs(store: PayloadStore) -> list[str]:
    """The jobs of which there is a note, sorted."""
    return [name.removeprefix(_FOLDER) for name in store.keys(_FOLDER)]


def forget(store: PayloadStore, job_id: str) -> None:
    """Nothing of the job's input is left."""
    store.delete(f"{_FOLDER}{job_id}")
