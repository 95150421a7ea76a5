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

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        server = triton.TritonServer(self.repository, *self.ports)
        with (self.repository.parent / "triton.log").open("ab") as log:
            self.process = subprocess.Popen(
                triton.command(server, self.runtime),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **triton.environment(self.runtime)},
            )
        asyncio.run(triton.wait_until_ready(server, 60))

    def kill(self) -> None:
        if self.process:
            self.process.kill()
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
    server.kill()


@pytest.fixture
def server(triton_runtime: Runtime, tmp_path: Path) -> Iterator[Server]:
    doubling.put(tmp_path / "models")
    server = Server(triton_runtime, tmp_path / "models")
    server.start()
    yield server
    server.kill()
