"""Whose fault an error is: what is wrong with one job, or one event, keeps no other back."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from shared.errors import Unavailable
from shared.telemetry.attributes import JOB
from shared.telemetry.logs import logger, place_of_error

_OURS = (Unavailable, DBAPIError, NoConnectionFree, OSError, MemoryError)
_THEIRS = (DataError, IntegrityError)


def is_ours(error: Exception) -> bool:
    """What database, store, disk or memory lack is the fault of no event and no job."""
    return isinstance(error, _OURS) and not isinstance(error, _THEIRS)


@contextmanager
def passing_over(job_id: str) -> Iterator[None]:
    """An error that is this job's own is logged, and whoever looks at many goes on."""
    try:
        yield
    except Exception as error:
        if is_ours(error):
            raise
        logger().error("job passed over", **{JOB: job_id}, **place_of_error(error))
