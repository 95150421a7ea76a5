"""The OTLP endpoint takes what SDKs and Triton post, and tells the way of a job."""

import gzip
import json
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient

from services.console.app import app
from services.console.coverage import covered
from services.console.otlp import Span
from services.console.spans import SpanDatabase
from services.console.strays import brought_home

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(app(SpanDatabase(tmp_path / "spans.db")))


def _request() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    name = resource.resource.attributes.add(key="service.name")
    name.value.string_value = "reader"
    span = resource.scope_spans.add().spans.add(name="read", start_time_unix_nano=10)
    span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex("b7ad6b7169203331")
    span.end_time_unix_nano = 30
    return request


@pytest.mark.parametrize("zipped", [False, True])
def test_protobuf_spans_are_kept(client: TestClient, zipped: bool) -> None:
    body = _request().SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    if zipped:
        body, headers = gzip.compress(body), {**headers, "content-encoding": "gzip"}
    assert client.post("/v1/traces", content=body, headers=headers).status_code == 200
    (span,) = client.get(f"/api/traces/{TRACE}").json()["spans"]
    assert (span["service"], span["name"], span["parent_id"]) == ("reader", "read", None)


def test_json_spans_with_hexadecimal_ids_are_kept(client: TestClient) -> None:
    span = {
        "traceId": TRACE,
        "spanId": "00f067aa0ba902b7",
        "parentSpanId": "b7ad6b7169203331",
        "name": "compute",
        "startTimeUnixNano": "10",
        "endTimeUnixNano": "20",
    }
    name = {"key": "service.name", "value": {"stringValue": "triton"}}
    resource = {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [span]}]}
    body = json.dumps({"resourceSpans": [resource]})
    answer = client.post("/v1/traces", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    (kept,) = client.get(f"/api/traces/{TRACE}").json()["spans"]
    assert (kept["service"], kept["parent_id"]) == ("triton", "b7ad6b7169203331")


def test_a_request_that_began_a_trace_of_its_own_comes_back_to_its_callers() -> None:
    told = {"triton.request_id": f"00-{TRACE}-00f067aa0ba902b7-01"}
    model = Span("5" * 32, "2" * 16, "1" * 16, "triton", "lung_seg", 10, 20, told, False)
    request = Span("5" * 32, "1" * 16, None, "triton", "InferRequest", 10, 20, {}, False)
    other = Span("6" * 32, "3" * 16, None, "reader", "read", 10, 20, {}, False)

    home = brought_home([model, request, other])

    assert [span.trace_id for span in home] == [TRACE, TRACE, "6" * 32]
    assert [span.parent_id for span in home] == ["1" * 16, "00f067aa0ba902b7", None]


def test_a_span_that_comes_twice_is_kept_once(client: TestClient) -> None:
    for _ in range(2):
        client.post("/v1/traces", content=_request().SerializeToString())
    assert len(client.get(f"/api/traces/{TRACE}").json()["spans"]) == 1


@pytest.mark.parametrize("kind", ["application/json", "application/x-protobuf"])
def test_what_is_not_otlp_is_refused_with_a_code(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/traces", content=b"\xff{", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "not-otlp")


def test_an_unknown_trace_says_so(client: TestClient) -> None:
    answer = client.get(f"/api/traces/{TRACE}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-trace")


def test_old_spans_are_dropped(tmp_path: Path) -> None:
    database = SpanDatabase(tmp_path / "spans.db")
    database.add([_span("a", None, 0, 10), _span("b", None, 0, 100)])
    assert database.drop_before(50) == 1
    assert [span.span_id for span in database.of_trace(TRACE)] == ["b"]


def _span(span_id: str, parent: str | None, start: int, end: int, name: str = "work") -> Span:
    return Span(TRACE, span_id, parent, "reader", name, start, end, {}, False)


def test_time_inside_leaf_spans_is_covered_and_quiet_time_does_not_count() -> None:
    spans = [
        _span("root", None, 0, 200),
        _span("wait", "root", 0, 100, "quiet-time"),
        _span("read", "root", 100, 150),
        _span("seg", "root", 130, 180),
    ]
    assert covered(spans) == pytest.approx(0.8)


def test_the_first_page_lists_jobs_and_links_to_their_way(client: TestClient) -> None:
    assert "No study has come in yet" in client.get("/").text
    request = _request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="clarion.job_id").value.string_value = "<job>"
    client.post("/v1/traces", content=request.SerializeToString())
    assert f'<a href="/traces/{TRACE}"><code>&lt;job&gt;' in client.get("/").text
    assert "reader" in client.get(f"/traces/{TRACE}").text


def test_a_page_of_an_unknown_trace_says_so(client: TestClient) -> None:
    assert client.get(f"/traces/{TRACE}").status_code == 404
