"""A broker and services, each stage service with an instant handler, for a benchmark."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from deploy.embedded import kafka
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from shared.bus.topics import create
from shared.catalog import ROOT, load_catalog, load_topics

_READY_S = 300
ALL = tuple(name for name in load_catalog() if name != "ingest")
"""Every service but ingest, whose place the benchmark takes."""


@dataclass(frozen=True)
class System:
    """The broker, the services, and how to ask them."""

    folder: Path
    kafka: str
    console: str
    told: Mapping[str, str]
    """The environment of every service."""
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def store(self) -> str:
        return self.told["CLARION_STORE"]

    @property
    def processes(self) -> Mapping[str, psutil.Process]:
        """The main process of each, by name."""
        return {name: psutil.Process(process.pid) for name, process in self.started.items()}


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def broker(folder: Path) -> Iterator[System]:
    """A broker with all topics; whatever is started on it ends with it."""
    runtime = install(cache_folder(), _tell)
    port, controller_port, http, api, figures = free_ports(5)
    node = kafka.KafkaNode(folder / "kafka", port, controller_port)
    kafka.prepare(node, runtime)
    told = {
        "CLARION_KAFKA": node.bootstrap,
        "CLARION_STORE": f"file:{folder}/payloads",
        "CLARION_SPANS": str(folder / "spans.db"),
        "CLARION_LEDGER": f"sqlite:///{folder}/ledger.db",
        "CLARION_HTTP_PORT": str(http),
        "CLARION_API_PORT": str(api),
        "CLARION_STATISTICS_PORT": str(figures),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http}",
    }
    system = System(folder, node.bootstrap, f"http://127.0.0.1:{http}", told)
    try:
        _start(system, "kafka", kafka.command(node, runtime))
        asyncio.run(kafka.wait_until_ready(node.bootstrap, _READY_S))
        asyncio.run(create(node.bootstrap, load_topics()))
        yield system
    finally:
        _end(system)


def serve(system: System, names: Sequence[str] = ALL, sampled: str = "") -> None:
    """Start services, and return when all are ready; of one, samples of its stacks are kept."""
    catalog = load_catalog()
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    for name, port in ports.items():
        module = ["benchmarks.instant", name] if catalog[name].operations else [f"services.{name}"]
        if name == sampled:
            module = ["benchmarks.sampler", str(samples(system)), *module]
        _start(system, name, [sys.executable, "-m", *module], CLARION_HEALTH_PORT=str(port))
    for name, port in ports.items():
        _wait_until_ready(system.started[name], name, port)


def samples(system: System) -> Path:
    """Where the samples of the service lie that is sampled, once it has ended."""
    return system.folder / "samples.json"


def _start(system: System, name: str, command: list[str], **told: str) -> None:
    with (system.folder / f"{name}.log").open("wb") as log:
        environment = {**os.environ, **system.told, **told}
        system.started[name] = subprocess.Popen(  # noqa: S603
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
        )


def end(system: System, name: str) -> None:
    """End one service, which may put away what it has."""
    process = system.started.pop(name)
    process.terminate()
    process.wait(60)


def _end(system: System) -> None:
    for process in reversed(system.started.values()):
        process.terminate()
    for process in system.started.values():
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], name: str, port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{name} is not ready")


def cpu_s(system: System) -> dict[str, float]:
    """CPU seconds so far: of the broker, of each service's main process, and of its workers."""
    used: dict[str, float] = {}
    for name, process in system.processes.items():
        used[name] = _cpu_s([process])
        if workers := process.children(recursive=True):
            used[f"{name} workers"] = _cpu_s(workers)
    return used


def _cpu_s(family: Sequence[psutil.Process]) -> float:
    return sum(used.user + used.system for used in (one.cpu_times() for one in family))
