"""Triton's own spans belong to the trace of the study that was asked about."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import numpy as np
import pytest

from deploy.embedded.runtime import Runtime
from shared.inference.tests import doubling
from shared.inference.tests.conftest import Server
from shared.inference.triton import TritonInference
from shared.telemetry.tracing import span

pytestmark = pytest.mark.e2e

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Collector:
    """An OTLP endpoint that keeps the trace id of every span it gets."""

    address: str
    trace_ids: "Queue[str]" = field(default_factory=Queue)


@contextmanager
def _collecting() -> Iterator[Collector]:
    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in body["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for each in scope["spans"]:
                        collector.trace_ids.put(each["traceId"].lower())
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


def test_the_servers_spans_join_the_trace(triton_runtime: Runtime, tmp_path: Path) -> None:
    doubling.put(tmp_path / "models")
    with _collecting() as collector:
        server = Server(triton_runtime, tmp_path / "models", otlp_traces=collector.address)
        server.start()
        inference = TritonInference(server.address, shared_memory=True)

        with span("stage", parent=f"00-{TRACE}-00f067aa0ba902b7-01"):
            inference.infer("doubling", {"x": np.ones((1, 2, 3), np.float32)}, ("y",))

        assert collector.trace_ids.get(timeout=20) == TRACE
        inference.close()
        server.stop()
