"""A disk that fails is an outage of the store, and no fault of the study."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from shared.errors import Unavailable
from shared.telemetry.logs import logger


@contextmanager
def as_outage() -> Iterator[None]:
    """Raises `Unavailable("store")` for every `OSError`; what the system said is in the log."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # the log may lie on the same disk
            kind = type(error).__name__
            logger().error("disk failed", exception_type=kind, reason=error.strerror)
        raise Unavailable("store") from error
