"""The beginning of the trace: its times are the journal's, its ids the job's."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared import identity
from shared.catalog import load_service
from shared.telemetry import tracing
from shared.telemetry.attributes import ALLOWED, KIND, WAIT


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = tracing.configure("ingest")
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


def test_the_spans_of_a_job(house: House, exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    send(house.scp.port, [ct(1)])
    house.clock.advance(2)
    send(house.scp.port, [ct(2)])
    (ready,) = house.quiet()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    root = spans.pop("study")
    (event,) = house.bus.events("input-ready")
    assert root.context
    assert root.context.trace_id == identity.trace_id(ready.job_id, 1)
    assert {*spans, "study"} == set(load_service("ingest").spans)
    assert {_parent(span) for span in spans.values()} == {root.context.span_id}
    assert event.traceparent.split("-")[2] == f"{_id(spans['publish']):016x}"
    assert _seconds(root) == pytest.approx(7.1)
    assert _seconds(spans["quiet-time"]) == pytest.approx(5.1)
    assert dict(spans["quiet-time"].attributes or {}) == {WAIT: "quiet-time"}
    assert dict(spans["publish"].attributes or {}) == {KIND: "input-ready"}
    assert set().union(*(span.attributes or {} for span in (root, *spans.values()))) <= ALLOWED


def _id(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.span_id)


def _parent(span: ReadableSpan) -> int:
    assert span.parent
    return int(span.parent.span_id)


def _seconds(span: ReadableSpan) -> float:
    assert span.start_time
    assert span.end_time
    return (span.end_time - span.start_time) / 1e9
