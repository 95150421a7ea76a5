"""A Triton of the embedded runtime with one small model."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.embedded import triton
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime, missing_shared_library, unsupported_platform
from deploy.embedded.triton_files import STUB
from shared.inference.regions import SHM
from shared.inference.tests import doubling


def _three_ports() -> tuple[int, int, int]:
    grpc, http, metrics = free_ports(3)
    return grpc, http, metrics


@dataclass
class Server:
    """A Triton that a test can kill and start again at the same address."""

    runtime: Runtime
    repository: Path
    ports: tuple[int, int, int] = field(default_factory=_three_ports)
    process: subprocess.Popen[bytes] | None = None
    otlp_traces: str | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def _server(self) -> triton.TritonServer:
        return triton.TritonServer(self.repository, *self.ports, self.otlp_traces)

    def start(self) -> None:
        with (self.repository.parent / "triton.log").open("ab") as log:
            self.process = subprocess.Popen(
                triton.command(self._server, self.runtime),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **triton.environment(self.runtime)},
            )
        asyncio.run(triton.wait_until_ready(self._server, 60))

    def processes_of(self, model: str) -> list[int]:
        """In which it runs the model's instances: children that are told the model's folder."""
        tasks = Path("/proc", str(self.process.pid if self.process else 0), "task")
        children = " ".join(path.read_text() for path in tasks.glob("*/children")).split()
        told = {pid: Path("/proc", pid, "cmdline").read_text() for pid in children}
        return [int(pid) for pid, words in told.items() if STUB in words and f"/{model}/" in words]

    def start_again(self) -> None:
        """As a supervisor does when it has ended."""
        assert self.process
        assert self.process.wait(10)
        self.start()

    def kill(self) -> None:
        """End it at once; what it can't clean up any more is cleaned up for it."""
        if self.process:
            self.process.kill()
            self.process.wait()
            for left in SHM.glob(f"{self._server.shared_memory_prefix}*"):
                left.unlink()

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process:
            self.process.terminate()
            self.process.wait()


@pytest.fixture(scope="session")
def triton_runtime() -> Runtime:
    missing = unsupported_platform() or missing_shared_library()
    if missing:
        pytest.skip(f"no Triton here: {missing}")
    return install(cache_folder(), print)


@pytest.fixture(scope="module")
def triton_address(
    triton_runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    repository = tmp_path_factory.mktemp("triton") / "models"
    doubling.put(repository)
    server = Server(triton_runtime, repository)
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def server(triton_runtime: Runtime, tmp_path: Path) -> Iterator[Server]:
    doubling.put(tmp_path / "models")
    server = Server(triton_runtime, tmp_path / "models")
    server.start()
    yield server
    server.stop()
