"""An embedded system comes up, stays up, goes down, and comes back after a crash."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.embedded.home import Home, create_home
from deploy.embedded.runtime import Runtime, missing_shared_library, unsupported_platform
from deploy.embedded.survivors import Marked, marked_processes
from deploy.embedded.system import AlreadyRunning, NotStarted, bring_down, bring_up, parts
from shared.bus import courtesy
from shared.catalog import Service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        bool(unsupported_platform() or missing_shared_library()),
        reason=f"no Triton here: {unsupported_platform() or missing_shared_library()}",
    ),
]

LITTLE = "deploy.embedded.tests.little_service"
CATALOG = {
    "little": Service(service="little", summary="does nothing", command=f"python -m {LITTLE}")
}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    made = create_home(tmp_path / "home", CATALOG, any_ports=True)
    yield made
    await bring_down(made, _untold)


async def test_up_is_up_once_and_down_leaves_nothing(home: Home, runtime: Runtime) -> None:
    await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)
    assert {each.name: each.ready for each in await parts(home, runtime, CATALOG)} == {
        "kafka": True,
        "triton": True,
        "pacs": True,
        "little": True,
    }

    with pytest.raises(AlreadyRunning):
        await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)

    await bring_down(home, _untold)
    assert marked_processes(home.folder) == []


async def test_triton_gives_way_to_services_and_to_workers_but_those_of_bulk(
    home: Home, runtime: Runtime
) -> None:
    await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)
    service = _one(home, lambda each: LITTLE in each.command)
    server = _one(home, lambda each: each.command[0].endswith("/tritonserver"))
    nice = [os.getpriority(os.PRIO_PROCESS, each.pid) for each in (service, server)]
    assert nice[0] < nice[1] < nice[0] + courtesy.NICE


async def test_a_model_that_can_not_be_loaded_is_told_of_and_stops_nobody(
    home: Home, runtime: Runtime
) -> None:
    broken = home.models / "broken"
    (broken / "1").mkdir(parents=True)
    (broken / "1" / "model.onnx").write_bytes(b"no network")
    (broken / "config.pbtxt").write_text('name: "broken"\nbackend: "onnxruntime"\n')
    told: list[str] = []

    await bring_up(home, runtime, CATALOG, lambda *both: told.append(" ".join(both)), 60)

    [said] = [each for each in told if "does not answer" in each]
    assert said.startswith("models broken 1 does not answer: ")


async def test_a_killed_service_comes_back_and_a_killed_supervisor_takes_all_along(
    home: Home, runtime: Runtime
) -> None:
    await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)

    killed = _one(home, lambda each: LITTLE in each.command)
    os.kill(killed.pid, signal.SIGKILL)
    await _until(lambda: _pids(home, lambda each: LITTLE in each.command) - {killed.pid})

    os.kill(_one(home, lambda each: each.is_supervisor).pid, signal.SIGKILL)
    await _until(lambda: not marked_processes(home.folder))

    await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)
    assert all(each.ready for each in await parts(home, runtime, CATALOG))


async def test_a_port_that_somebody_else_has_is_named(home: Home, runtime: Runtime) -> None:
    port = home.ports["triton-http"]
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with taken:
        with pytest.raises(NotStarted, match=f"triton-http {port}"):
            await bring_up(home, runtime, CATALOG, _untold, deadline_s=60)
    assert marked_processes(home.folder) == []


def _untold(part: str, what: str) -> None:
    """Nobody listens to the progress."""


def _pids(home: Home, wanted: Callable[[Marked], bool]) -> set[int]:
    return {each.pid for each in marked_processes(home.folder) if wanted(each)}


def _one(home: Home, wanted: Callable[[Marked], bool]) -> Marked:
    [found] = [each for each in marked_processes(home.folder) if wanted(each)]
    return found


async def _until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not reached():
            await asyncio.sleep(0.05)
