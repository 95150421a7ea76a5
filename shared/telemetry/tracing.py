"""Spans: made while something happens, or afterwards from stored timestamps."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from random import SystemRandom

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.telemetry.attributes import ALLOWED
from shared.version import CODE_VERSION

Attributes = Mapping[str, str | int | float | bool]

EXPORTED_EVERY_S = 2.0
"""Every process posts what it has, so often at most: a request costs as much as fifty spans."""

_W3C = TraceContextTextMapPropagator()
_random = SystemRandom()
_TRACER = trace.get_tracer("clarion")
"""Stands for the tracer of the provider that `configure` sets later."""
_given_trace: ContextVar[int | None] = ContextVar("given_trace", default=None)
_given_span: ContextVar[int | None] = ContextVar("given_span", default=None)


class _Ids(IdGenerator):
    """Random ids, except where the trace id follows from the job (`shared.identity`)."""

    def generate_span_id(self) -> int:
        return _given_span.get() or _random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return _given_trace.get() or _random.getrandbits(128) or 1


def configure(service: str) -> TracerProvider:
    """Send this process's spans to OTEL_EXPORTER_OTLP_ENDPOINT; nowhere when it is unset."""
    resource = Resource.create({"service.name": service, "service.version": CODE_VERSION})
    provider = TracerProvider(resource=resource, id_generator=_Ids())
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        exporter = OTLPSpanExporter(timeout=5)
        batches = BatchSpanProcessor(exporter, schedule_delay_millis=EXPORTED_EVERY_S * 1e3)
        provider.add_span_processor(batches)
    trace.set_tracer_provider(provider)
    return provider


def _checked(attributes: Attributes) -> Attributes:
    unknown = set(attributes) - ALLOWED
    if unknown:
        raise ValueError(f"span attributes {sorted(unknown)} are not in shared.telemetry")
    return attributes


def _nanoseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1e9) if moment else None


def _context(traceparent: str | None) -> otel_context.Context | None:
    return _W3C.extract({"traceparent": traceparent}) if traceparent else None


def traceparent_of(span: Span) -> str:
    """The W3C `traceparent` under which others hang their spans below this one."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")


def current_traceparent() -> str:
    """The W3C `traceparent` of the span that is open here; empty when none is."""
    return traceparent_of(trace.get_current_span())


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: tuple[str, ...] = (),
) -> Iterator[Span]:
    """A span around what happens here; below `parent` (a traceparent) or the span open here.

    An exception marks the span as failed with its type alone: messages quote values.
    """
    with _TRACER.start_as_current_span(
        name,
        _context(parent),
        kind,
        _checked(attributes or {}),
        links=_links(links),
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def record(
    name: str,
    start: datetime,
    end: datetime,
    attributes: Attributes | None = None,
    *,
    parent: str | None,
    kind: SpanKind = SpanKind.INTERNAL,
    trace_id: int | None = None,
    span_id: int | None = None,
    links: tuple[str, ...] = (),
) -> str:
    """A span from stored timestamps: a wait, or what was over before the trace was known.

    Without `parent` it is the root of trace `trace_id`. Gives the new span's traceparent.
    """
    given_trace, given_span = _given_trace.set(trace_id), _given_span.set(span_id)
    try:
        made = _TRACER.start_span(
            name,
            _context(parent) or otel_context.Context(),
            kind,
            _checked(attributes or {}),
            links=_links(links),
            start_time=_nanoseconds(start),
        )
    finally:
        _given_trace.reset(given_trace)
        _given_span.reset(given_span)
    made.end(_nanoseconds(end))
    return traceparent_of(made)


def _links(traceparents: tuple[str, ...]) -> list[Link]:
    spans = (trace.get_current_span(_context(parent)) for parent in traceparents)
    return [Link(linked.get_span_context()) for linked in spans]
