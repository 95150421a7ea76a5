"""Whose fault an error is: what is wrong with one job, or one event, keeps no other back."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from shared.errors import Unavailable
from shared.store.port import PayloadStore
from shared.telemetry.attributes import JOB
from shared.telemetry.logs import logger, place_of_error

_STORE = "store"
_OURS = (Unavailable, DBAPIError, NoConnectionFree, OSError, MemoryError)
_THEIRS = (DataError, IntegrityError)


def is_ours(error: Exception) -> bool:
    """What database, store, disk or memory lack is the fault of no event and no job."""
    return isinstance(error, _OURS) and not isinstance(error, _THEIRS)


def is_of_one_file(error: Exception, store: PayloadStore) -> bool:
    """Whether a file that can't be read is all that is down: the store itself says that it is up.

    A bad sector under one job's file is no outage: nobody brings it back by waiting.
    """
    if not isinstance(error, Unavailable) or error.what != _STORE:
        return False
    try:
        store.probe()
    except Unavailable:
        return False
    return True


@contextmanager
def passing_over(job_id: str, store: PayloadStore) -> Iterator[None]:
    """An error that is this job's own is logged, and whoever looks at many goes on."""
    try:
        yield
    except Exception as error:
        if is_ours(error) and not is_of_one_file(error, store):
            raise
        logger().error("job passed over", **{JOB: job_id}, **place_of_error(error))
