"""Logs: structlog, for people in a terminal and as JSON elsewhere, with job and trace bound."""

import logging
import sys
import warnings
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")
    for name in _QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    structlog.contextvars.bind_contextvars(service=service)


def logger() -> structlog.stdlib.BoundLogger:
    """The logger; bind context once, in the loop, with `structlog.contextvars`."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger()
    return bound
