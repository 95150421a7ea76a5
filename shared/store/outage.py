"""A disk that fails is an outage of the store, and no fault of the study."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable
from shared.telemetry.logs import logger


@contextmanager
def as_outage() -> Iterator[None]:
    """Raises `Unavailable("store")` for every `OSError`; what the system said is in the log."""
    try:
        yield
    except OSError as error:
        logger().error("disk failed", exception_type=type(error).__name__, reason=error.strerror)
        raise Unavailable("store") from error
