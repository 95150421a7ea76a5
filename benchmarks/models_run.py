"""A Triton of its own and the services' own worker processes, for a benchmark of the models."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import copytree

import psutil

from deploy.embedded import triton
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from shared.bus.execution import Done
from shared.bus.work import Handler, Ports, Produced, Work
from shared.bus.worker import Recipe
from shared.bus.workers import WorkerPool
from shared.catalog import ROOT, load_service
from shared.events.models import PayloadRef
from shared.settings import TritonSettings
from shared.store.folder import FolderStore

STAGES = {"lung-seg": "lung_seg", "lesion-seg": "lesion_seg", "classifier": "classifier"}
_READY_S = 120


@dataclass(frozen=True)
class Run:
    """What a stage made, how long it took, and what its worker process used for it."""

    payloads: Mapping[str, PayloadRef]
    seconds: float
    worker_cpu_s: float
    worker_mb: int
    """The most that it held."""


class Server:
    """A running Triton and its backends' processes."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.address = address
        self._process = process

    def forget_peak(self) -> None:
        for process in self._family():
            _forget_peak(process.pid)

    def cpu_s(self) -> float:
        """CPU seconds so far of all its processes."""
        used = [process.cpu_times() for process in self._family()]
        return sum(each.user + each.system for each in used)

    def peak_mb(self) -> int:
        """Of all its processes together; what they share counts for each, so at most that."""
        return sum(_peak_mb(process.pid) for process in self._family())

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


@contextmanager
def serving(folder: Path, parameters: Mapping[str, str]) -> Iterator[Server]:
    """Triton with the repository's models; `parameters` replace those in each config.pbtxt."""
    runtime = install(cache_folder(), lambda _: None)
    models = Path(copytree(ROOT / "models", folder / "models"))
    for config in models.glob("*/config.pbtxt"):
        config.write_text(_with(config.read_text(), parameters))
    grpc_port, http_port, metrics_port = free_ports(3)
    server = triton.TritonServer(models, grpc_port, http_port, metrics_port)
    with (folder / "triton.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            triton.command(server, runtime),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | triton.environment(runtime),
        )
    try:
        asyncio.run(triton.wait_until_ready(server, _READY_S))
        yield Server(f"127.0.0.1:{server.grpc_port}", psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _with(config: str, parameters: Mapping[str, str]) -> str:
    kept = [
        line
        for line in config.splitlines()
        if not any(f'key: "{name}"' in line for name in parameters)
    ]
    told = [
        f'parameters {{ key: "{name}" value: {{ string_value: "{value}" }} }}'
        for name, value in parameters.items()
    ]
    return "\n".join((*kept, *told, ""))


class Workers:
    """One warm worker process per stage, with the memory limit of its service.yaml."""

    def __init__(self, store: Path, address: str) -> None:
        self._store = FolderStore(store)
        settings = TritonSettings(store=f"file:{store}", triton=address)
        self._pools = {stage: _pool(service, settings) for stage, service in STAGES.items()}

    async def start(self) -> None:
        for pool in self._pools.values():
            await pool.start()

    def stop(self) -> None:
        for pool in self._pools.values():
            pool.stop()

    async def run(self, work: Work, forget: Mapping[str, PayloadRef]) -> Run:
        """Raises `RuntimeError` unless the stage succeeds. What it made the last time is to be
        forgotten, so that it has to write it again."""
        for ref in forget.values():
            self._store.delete(ref.uri)
        begin = time.perf_counter()
        verdict = await self._pools[work.stage].execute(work)
        seconds = time.perf_counter() - begin
        if not isinstance(verdict, Done):
            raise RuntimeError(f"{work.stage}: {verdict}")
        made = verdict.produced
        return Run(made.payloads, seconds, made.facts["worker_cpu_s"], made.facts["worker_mb"])


def _pool(service: str, settings: TritonSettings) -> WorkerPool:
    resources = load_service(service).resources
    # One fork server serves all three pools: it imports what any of them needs.
    preload = tuple(f"services.{each}.handler" for each in STAGES.values())
    recipe = Recipe(service, settings, partial(build, service), resources.memory_mb, preload)
    return WorkerPool(recipe, 1, resources.deadline_s)


def build(service: str, settings: TritonSettings) -> Ports:
    """The service's own ports; its handler also tells what CPU time and memory it took."""
    ports: Ports = import_module(f"services.{service}.__main__").build(settings)
    return replace(ports, handle=partial(_watched, ports.handle))


def _watched(handle: Handler, work: Work) -> Produced:
    _forget_peak(os.getpid())
    begin = time.process_time()
    produced = handle(work)
    used = {"worker_cpu_s": time.process_time() - begin, "worker_mb": _peak_mb(os.getpid())}
    return replace(produced, facts={**produced.facts, **used})


def _forget_peak(pid: int) -> None:
    """Let VmHWM begin again (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak_mb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0
