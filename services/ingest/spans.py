"""The beginning of a job's trace, made when the job exists, from the journal's times.

study           the root: from the version's first arrival to its publication
├── association one for each that brought instances of the version
├── quiet-time  the wait for more
├── complete    from the end of the wait to the version in the journal
└── publish     below it hangs what follows on the bus
"""

from datetime import datetime
from typing import Any

from opentelemetry.trace import SpanKind

from shared import identity
from shared.bus.announced import KIND
from shared.events.models import InputReady
from shared.telemetry import attributes, tracing

_RUN = 1
_STUDY, _PUBLISH = "study", "publish"


def _traceparent(job: str, span: str) -> str:
    trace = identity.trace_id(job, _RUN)
    return f"00-{trace:032x}-{identity.span_id(job, _RUN, span):016x}-01"


def publish_traceparent(job: str) -> str:
    """The traceparent of the publish span, known before the span is made."""
    return _traceparent(job, _PUBLISH)


def record_spans(
    ready: InputReady, announcement: dict[str, Any], started: datetime, published: datetime
) -> None:
    """Make the spans; `started` and `published` are the publication's own times."""
    job, at = ready.job_id, datetime.fromisoformat
    root = _traceparent(job, _STUDY)
    last, decided = at(announcement["last_arrival"]), at(announcement["decided_at"])

    def child(name: str, start: datetime, end: datetime, **given: str | int) -> None:
        own = identity.span_id(job, _RUN, name)
        shown = {getattr(attributes, key.upper()): value for key, value in given.items()}
        kind = SpanKind.PRODUCER if name == _PUBLISH else SpanKind.INTERNAL
        plain = name.partition("/")[0]
        tracing.record(plain, start, end, shown, parent=root, kind=kind, span_id=own)

    tracing.record(
        _STUDY,
        ready.received_at,
        published,
        {
            attributes.JOB: job,
            attributes.PIPELINE: ready.pipeline,
            attributes.LANE: str(ready.lane),
            attributes.RUN: _RUN,
            attributes.INSTANCES: ready.completeness.instances,
        },
        parent=None,
        trace_id=identity.trace_id(job, _RUN),
        span_id=identity.span_id(job, _RUN, _STUDY),
    )
    for number, (first, final, instances) in enumerate(announcement["associations"]):
        child(f"association/{number}", at(first), at(final), instances=instances)
    child("quiet-time", last, decided, wait=ready.completeness.rule)
    child("complete", decided, started, rule=ready.completeness.rule)
    child(_PUBLISH, started, published, kind=KIND)
