"""The command line in front of a results API."""

import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest
from typer.testing import CliRunner

from clarion.tests.results_api import Answers


@pytest.fixture
def clarion() -> Iterator[CliRunner]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield CliRunner(env={"CLARION_RESULTS_URL": url, "COLUMNS": "120"})
        server.shutdown()
