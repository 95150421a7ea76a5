"""A disk that fails is an outage of the store, and no fault of the study."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable


@contextmanager
def as_outage() -> Iterator[None]:
    """Raises `Unavailable("store")` for every `OSError`."""
    try:
        yield
    except OSError as error:
        raise Unavailable("store") from error
