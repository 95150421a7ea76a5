"""A broker and every service, each stage service with an instant handler, for a benchmark."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from deploy.embedded import kafka
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from shared.bus.topics import create
from shared.catalog import ROOT, load_catalog, load_topics

_READY_S = 120


@dataclass(frozen=True)
class System:
    """The broker, the services, and how to ask them."""

    kafka: str
    store: str
    console: str
    processes: Mapping[str, psutil.Process]


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """A broker and every service, each stage service with an instant handler."""
    catalog = load_catalog()
    runtime = install(cache_folder(), _tell)
    port, controller_port = free_ports(2)
    node = kafka.KafkaNode(folder / "kafka", port, controller_port)
    kafka.prepare(node, runtime)
    started: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, command: list[str], **told: str) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            environment = {**os.environ, **told}
            process = subprocess.Popen(  # noqa: S603
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
            )
        started[name] = process

    try:
        start("kafka", kafka.command(node, runtime))
        asyncio.run(kafka.wait_until_ready(node.bootstrap, 60))
        asyncio.run(create(node.bootstrap, load_topics()))
        http, api = free_ports(2)
        told = {
            "CLARION_KAFKA": node.bootstrap,
            "CLARION_STORE": f"file:{folder}/payloads",
            "CLARION_SPANS": str(folder / "spans.db"),
            "CLARION_LEDGER": f"sqlite:///{folder}/ledger.db",
            "CLARION_HTTP_PORT": str(http),
            "CLARION_API_PORT": str(api),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{http}",
        }
        names = [name for name in catalog if name != "ingest"]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        for name, port in ports.items():
            module = (
                ["benchmarks.instant", name] if catalog[name].operations else [f"services.{name}"]
            )
            start(name, [sys.executable, "-m", *module], CLARION_HEALTH_PORT=str(port), **told)
        for name, port in ports.items():
            _wait_until_ready(name, port)
        processes = {name: psutil.Process(process.pid) for name, process in started.items()}
        yield System(node.bootstrap, told["CLARION_STORE"], f"http://127.0.0.1:{http}", processes)
    finally:
        for process in reversed(started.values()):
            process.terminate()
        for process in started.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(name: str, port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{name} is not ready")


def cpu_s(system: System) -> dict[str, float]:
    """CPU seconds so far of the broker and of each service with its workers."""
    return {name: _cpu_s(process) for name, process in system.processes.items()}


def _cpu_s(process: psutil.Process) -> float:
    family = (process, *process.children(recursive=True))
    return sum(used.user + used.system for used in (one.cpu_times() for one in family))
