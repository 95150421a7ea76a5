"""The embedded Triton: its command line, its environment, its readiness."""

import asyncio
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.embedded import watch_models
from deploy.embedded.cache import InstallFailed
from deploy.embedded.runtime import (
    Runtime,
    missing_shared_library,
    shared_library_folder,
    unsupported_platform,
)

PROBE_INTERVAL_S = 0.1
SPAN_DELAY_MS = 200
EACH_MODEL_FOR_ITSELF = ("--exit-on-error=false", "--strict-readiness=false")
"""A model that can't be loaded is an error in the log. It neither ends the server nor keeps it from
being ready, which only a restart would mend."""


@dataclass(frozen=True)
class TritonServer:
    """Which repository it serves, on which local ports, and where its spans go.

    `otlp_traces` is the whole address of an OTLP traces endpoint (`http://…/v1/traces`), or None.
    """

    repository: Path
    grpc_port: int
    http_port: int
    metrics_port: int
    otlp_traces: str | None = None

    @property
    def shared_memory_prefix(self) -> str:
        """The start of its names in /dev/shm: one repository's leftovers can be told apart."""
        digest = hashlib.sha256(f"{self.repository}:{self.grpc_port}".encode()).hexdigest()
        return f"clarion-triton-{digest[:8]}-"


def command(server: TritonServer, runtime: Runtime) -> list[str]:
    """tritonserver with every model loaded, and more to be loaded through its API.

    It is ended when the process of a model dies (`watch_models`).
    """
    prefix = f"shm-region-prefix-name={server.shared_memory_prefix}"
    return [
        *[sys.executable, "-I", "-S", watch_models.__file__],
        str(runtime.tritonserver),
        f"--model-repository={server.repository}",
        *["--model-control-mode=explicit", "--load-model=*", *EACH_MODEL_FOR_ITSELF],
        *["--disable-auto-complete-config"],
        f"--backend-directory={runtime.triton_backends}",
        f"--backend-config=python,{prefix}",
        *["--grpc-address=127.0.0.1", f"--grpc-port={server.grpc_port}"],
        *["--http-address=127.0.0.1", f"--http-port={server.http_port}"],
        *["--metrics-address=127.0.0.1", f"--metrics-port={server.metrics_port}"],
        *_tracing(server.otlp_traces),
    ]


def environment(runtime: Runtime) -> dict[str, str]:
    """What the server needs beyond the caller's environment; InstallFailed without libpython.

    The python backend's stub embeds an interpreter: it needs that interpreter's library, and the
    `python3` that is first on PATH tells it where Triton's packages are.
    """
    library = shared_library_folder()
    if library is None or unsupported_platform():
        raise InstallFailed(unsupported_platform() or missing_shared_library() or "")
    first_on_path = runtime.triton_environment / "bin"
    return {
        "LD_LIBRARY_PATH": f"{runtime.triton_libraries}:{library}",
        "PATH": f"{first_on_path}:{os.environ.get('PATH', os.defpath)}",
    }


async def wait_until_ready(server: TritonServer, deadline_s: float) -> None:
    """Return once it serves every model that could be loaded; TimeoutError at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await _answers(f"http://127.0.0.1:{server.http_port}/v2/health/ready"):
            await asyncio.sleep(PROBE_INTERVAL_S)


async def _answers(address: str) -> bool:
    """One probe: does a GET of `address` succeed now? No proxy stands before a local server."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5) as client:  # noqa: S501
        try:
            return (await client.get(address)).is_success
        except httpx.HTTPError:
            return False


def _tracing(otlp_traces: str | None) -> list[str]:
    """Every request traced, as children of the caller's `traceparent`, in OpenTelemetry's form."""
    if otlp_traces is None:
        return []
    settings = [
        "mode=opentelemetry",
        f"opentelemetry,url={otlp_traces}",
        "opentelemetry,resource=service.name=triton",
        f"opentelemetry,bsp_schedule_delay={SPAN_DELAY_MS}",
        *["rate=1", "level=TIMESTAMPS"],
    ]
    return [f"--trace-config={setting}" for setting in settings]
