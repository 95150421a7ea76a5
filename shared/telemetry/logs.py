"""Logs: structlog, for people in a terminal and as JSON elsewhere, with job and trace bound."""

import logging
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import trace

_QUOTING = ("pydicom", "pynetdicom", "highdicom", "PIL")


def _with_trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event


def configure(service: str, level: int = logging.INFO) -> None:
    """Set this process's logging up; libraries' own loggers stay at WARNING.

    Libraries that read DICOM quote values in what they log and warn of: they are silent here.
    """
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutTraceback("%(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    structlog.contextvars.bind_contextvars(service=service)


def place_of_error(error: BaseException) -> dict[str, str]:
    """An exception's type and its place in the code: its message may quote values."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"exception_type": type(error).__name__, "place": place}


class _WithoutTraceback(logging.Formatter):
    """What libraries log of an exception is its type alone."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        return f"({ei[0].__name__})"


def logger() -> structlog.stdlib.BoundLogger:
    """The logger; bind context once, in the loop, with `structlog.contextvars`."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger()
    return bound
