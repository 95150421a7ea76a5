"""Triton's own spans belong to the trace of the study that was asked about."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest

from deploy.embedded.runtime import Runtime
from shared.inference.tests import doubling
from shared.inference.tests.conftest import Server
from shared.inference.triton import TritonInference
from shared.telemetry.tracing import span

pytestmark = pytest.mark.e2e

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


REQUESTS = 10


@dataclass
class Collector:
    """An OTLP endpoint that keeps every span it gets."""

    address: str
    spans: "Queue[dict[str, Any]]" = field(default_factory=Queue)


@contextmanager
def _collecting() -> Iterator[Collector]:
    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in body["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for each in scope["spans"]:
                        collector.spans.put(each)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: what is asked shows in the assertions."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield collector
    server.shutdown()
    server.server_close()


@contextmanager
def _traced(runtime: Runtime, folder: Path, collector: Collector) -> Iterator[Server]:
    server = Server(runtime, folder / "models", otlp_traces=collector.address)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _requests(collector: Collector) -> Iterator[dict[str, Any]]:
    """The span that tells the request's id, of each request."""
    while True:
        each = collector.spans.get(timeout=20)
        if each["name"] == "doubling":
            yield each


def _request_id(request: dict[str, Any]) -> str:
    told = {each["key"]: each["value"] for each in request["attributes"]}
    return str(told["triton.request_id"]["stringValue"])


def test_the_servers_spans_join_the_trace(triton_runtime: Runtime, tmp_path: Path) -> None:
    """Nearly all do, and each says whose it is: see `services.console.strays`."""
    doubling.put(tmp_path / "models")
    with _collecting() as collector, _traced(triton_runtime, tmp_path, collector) as server:
        inference = TritonInference(server.address, shared_memory=True)

        with span("stage", parent=f"00-{TRACE}-00f067aa0ba902b7-01"):
            for _ in range(REQUESTS):
                inference.infer("doubling", {"x": np.ones((1, 2, 3), np.float32)}, ("y",))
        inference.close()
        spans = list(islice(_requests(collector), REQUESTS))

    assert TRACE in {each["traceId"].lower() for each in spans}
    assert {_request_id(each).split("-")[1] for each in spans} == {TRACE}
