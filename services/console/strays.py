"""Spans of Triton that lost their trace, brought back to it.

Triton reads a gRPC header beyond its end, so that now and then a `traceparent` does not parse and
the request begins a trace of its own (its `GrpcServerCarrier` takes a string that no zero ends for
one that a zero ends). The caller tells its `traceparent` a second time, as the request's id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.console.otlp import Span

_REQUEST_ID = "triton.request_id"


def brought_home(spans: Sequence[Span]) -> list[Span]:
    """The spans of one export, each in the trace of its caller and its root below the caller."""
    homes = dict(_homes(spans))
    return [
        replace(
            span,
            trace_id=homes[span.trace_id][0],
            parent_id=span.parent_id or homes[span.trace_id][1],
        )
        if span.trace_id in homes
        else span
        for span in spans
    ]


def _homes(spans: Iterable[Span]) -> Iterable[tuple[str, tuple[str, str]]]:
    """The caller's trace and span, of each trace that a request began for itself."""
    for span in spans:
        told = str(span.attributes.get(_REQUEST_ID, "")).split("-")
        if len(told) == 4 and told[1] != span.trace_id:
            yield span.trace_id, (told[1], told[2])
