"""Faults of processes: killed, frozen, stopped as an operator stops them."""

import os
import signal
import time
import xmlrpc.client
from collections.abc import Mapping
from contextlib import suppress

from services.statistics.app import SESSION_S
from tests.chaos.scene import Scene
from tests.e2e.processes import children
from tests.e2e.system import until

_SESSION_S = 10.0
_LONGER_BY_S = 3.0
_A_WHILE_S = 5.0
_LOOK_S = 0.01


def kill_service(scene: Scene) -> str:
    """SIGKILL the process that talks to Kafka; its workers go with it."""
    return _kill(scene, scene.any_service())


def kill_worker(scene: Scene) -> str:
    """SIGKILL a worker."""
    return _kill_one_of(scene, scene.workers(), "worker")[1]


def kill_new_worker(scene: Scene) -> str:
    """SIGKILL a worker, and the one that takes its place as soon as it begins to start."""
    name, told = _kill_one_of(scene, scene.workers(), "worker")
    server, deadline = max(scene.fork_servers().get(name, {0})), time.monotonic() + _A_WHILE_S
    known = children(server) if server else set[int]()
    while server and time.monotonic() < deadline:
        if new := children(server) - known:
            send_signal(min(new), signal.SIGKILL)
            return f"{told}, and the next"
        time.sleep(_LOOK_S)
    return told


def kill_fork_server(scene: Scene) -> str:
    """SIGKILL what forks a service's workers, as the kernel does that is short of memory: those
    that are at work go on, and each is missed when it is to be asked again."""
    return _kill_one_of(scene, scene.fork_servers(), "fork server")[1]


def _kill_one_of(scene: Scene, found: Mapping[str, set[int]], what: str) -> tuple[str, str]:
    """Whose it was, and that in words; of those that are not spared."""
    pids = {name: those for name, those in found.items() if not name.startswith(scene.spared)}
    if not pids:
        return "", f"no {what} that there was"
    name = scene.random.choice(sorted(pids))
    send_signal(scene.random.choice(sorted(pids[name])), signal.SIGKILL)
    return name, f"a {what} of {name}"


def kill_kafka(scene: Scene) -> str:
    return _kill(scene, "kafka")


def kill_triton(scene: Scene) -> str:
    return _kill(scene, "triton")


def kill_model(scene: Scene) -> str:
    """SIGKILL the process in which Triton runs a model, as the kernel does when memory is short."""
    return _kill_one_of(scene, scene.models(), "model")[1]


def kill_pacs(scene: Scene) -> str:
    return _kill(scene, "pacs")


def freeze_service(scene: Scene) -> str:
    """SIGSTOP for longer than its group waits, then SIGCONT: it believes that it is a member."""
    name = scene.any_service()
    return _freeze(scene, name, out_of_its_group_s(name))


def out_of_its_group_s(name: str) -> float:
    """How long a process is to stand until Kafka has taken it for gone, in s."""
    session = SESSION_S if name.startswith("statistics") else _SESSION_S
    return session + _LONGER_BY_S


def freeze_kafka(scene: Scene) -> str:
    return _freeze(scene, "kafka", _A_WHILE_S)


def freeze_triton(scene: Scene) -> str:
    """Accepts and does not answer."""
    return _freeze(scene, "triton", _A_WHILE_S)


def freeze_pacs(scene: Scene) -> str:
    return _freeze(scene, "pacs", _A_WHILE_S)


def drain_service(scene: Scene) -> str:
    """SIGTERM, time to end what is in work, and a start, as an update does it."""
    return _restart(scene, scene.any_service())


def restart_kafka(scene: Scene) -> str:
    """An orderly restart of the broker."""
    return _restart(scene, "kafka")


def _kill(scene: Scene, name: str) -> str:
    send_signal(scene.control.pids().get(name), signal.SIGKILL)
    return name


def _freeze(scene: Scene, name: str, seconds: float) -> str:
    pid = scene.control.pids().get(name)
    send_signal(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        send_signal(pid, signal.SIGCONT)
    return f"{name} for {seconds:g} s"


def _restart(scene: Scene, name: str) -> str:
    with suppress(xmlrpc.client.Fault):  # it ended by itself, and is started again
        scene.control.stop(name)
        until(f"{name} stopped", lambda: name not in scene.control.busy())
        scene.control.start(name)
    return name


def send_signal(pid: int | None, number: int) -> None:
    """To a process that may have ended by itself meanwhile."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
