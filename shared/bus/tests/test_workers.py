"""A worker that hangs or dies costs one attempt, and one that dies before it was asked none."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import NoReturn

import pytest

from shared.bus.execution import Defect, Done, Down
from shared.bus.tests.pools import (
    PLAIN,
    no_descriptor,
    open_process,
    pool_of,
    tell_process,
    telling,
)
from shared.bus.watch import Watch
from shared.bus.work import Ports, Produced, Work
from shared.bus.worker import WorkerLost
from shared.clock import system_clock
from shared.pipelines.definition import parse
from shared.settings import Settings
from shared.store.memory import MemoryStore
from shared.testing import toy
from shared.testing.work import work_for

HASTY = parse(toy.DEFINITION_TEXT.replace("{mark: l}", "{mark: l}, deadline: 0.2 s"))
LONG = parse(toy.DEFINITION_TEXT.replace("{mark: l}", "{mark: l}, deadline: 2 s"))


def _hang(_: Work) -> NoReturn:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


def hanging(_: Settings) -> Ports:
    """What each worker process builds."""
    return Ports(_hang, {})


async def test_the_deadline_of_a_stage_ends_its_work_before_that_of_the_service() -> None:
    async with pool_of(hanging) as pool:
        verdict = await pool.execute(work_for("left", MemoryStore(), {}, definition=HASTY))
    assert isinstance(verdict, Defect)
    assert (verdict.code, verdict.details) == ("deadline-exceeded", "no answer within 0.2 s")


async def test_a_worker_that_ends_before_it_has_read_the_question_blames_no_study() -> None:
    work = work_for("left", MemoryStore(), {}, definition=PLAIN)
    async with pool_of(telling) as pool:
        first = await pool.execute(work)
        assert isinstance(first, Done)
        os.kill(first.produced.facts["pid"], signal.SIGSTOP)  # alive, and deaf
        second = asyncio.create_task(pool.execute(work))
        await asyncio.sleep(0)
        os.kill(first.produced.facts["pid"], signal.SIGKILL)
        assert isinstance(await second, Done)


async def test_a_worker_that_can_t_be_started_blames_no_study_and_is_waited_for() -> None:
    work = work_for("left", MemoryStore(), {}, definition=PLAIN)
    async with pool_of(telling) as pool:
        first = await pool.execute(work)
        assert isinstance(first, Done)
        os.kill(first.produced.facts["pid"], signal.SIGKILL)
        with no_descriptor():
            down = await pool.execute(work)
            assert down == Down("worker", asked=False)
            assert not await pool.is_up(down.what, work.lane)
        await Watch(system_clock).until_up(down.what, partial(pool.is_up, down.what, work.lane))
        assert isinstance(await pool.execute(work), Done)


async def test_nor_does_one_whose_fork_server_is_killed_while_it_is_started() -> None:
    work = work_for("left", MemoryStore(), {}, definition=PLAIN)
    async with pool_of(telling) as pool:
        first = await pool.execute(work)
        assert isinstance(first, Done)
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        os.kill(server, signal.SIGSTOP)
        os.kill(first.produced.facts["pid"], signal.SIGKILL)
        asyncio.get_running_loop().call_later(0.3, os.kill, server, signal.SIGKILL)
        assert isinstance(await pool.execute(work), Done)


def short_of_memory(flag: Path, _: Settings) -> Ports:
    """Workers that do not come to hold their ports while there is a flag: it says why."""
    if flag.exists():
        if flag.read_text() == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise MemoryError("no room for the ports")
    return Ports(tell_process, {})


@pytest.mark.parametrize("how", ["killed", "refused"])
async def test_nor_does_one_that_is_lost_while_it_starts(how: str, tmp_path: Path) -> None:
    work = work_for("left", MemoryStore(), {}, definition=PLAIN)
    flag = tmp_path / "short of memory"
    async with pool_of(partial(short_of_memory, flag)) as pool:
        first = await pool.execute(work)
        assert isinstance(first, Done)
        os.kill(first.produced.facts["pid"], signal.SIGKILL)
        flag.write_text(how)
        assert await pool.execute(work) == Down("worker", asked=False)
        assert not await pool.is_up("worker", work.lane)
        flag.unlink()
        assert isinstance(await pool.execute(work), Done)


async def test_a_service_whose_workers_can_t_build_their_ports_does_not_start(
    tmp_path: Path,
) -> None:
    flag = tmp_path / "short of memory"
    flag.write_text("refused")
    with pytest.raises(WorkerLost, match="no room for the ports"):
        async with pool_of(partial(short_of_memory, flag)):
            pass


async def test_one_that_hangs_ends_by_its_deadline_though_its_fork_server_is_gone() -> None:
    work = work_for("left", MemoryStore(), {}, definition=LONG)
    async with pool_of(hanging) as pool:
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        [worker] = children(server)
        with open_process(worker) as hung:
            asked = asyncio.create_task(pool.execute(work))
            await asyncio.sleep(0)
            os.kill(server, signal.SIGKILL)
            assert isinstance(await asked, Defect)
            ended, *_ = await asyncio.to_thread(select.select, [hung], [], [], 10)
    assert ended


def children(pid: int) -> list[int]:
    """The processes that another has forked."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _reckon(_: Work) -> Produced:
    """A tenth of a second of work on one processor that others want as well."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass
    return Produced({})


def reckoning(_: Settings) -> Ports:
    """Workers that need a processor."""
    return Ports(_reckon, {})


@contextmanager
def crowded() -> Iterator[None]:
    """Four others have enough to do on the processor that a worker which reckons takes."""
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(flush=True)\n"
    others = [
        subprocess.Popen(
            [sys.executable, "-c", f"{code}while os.getppid() == {os.getpid()}: pass"],
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    try:
        for each in others:
            assert each.stdout
            assert each.stdout.readline()
        yield
    finally:
        for each in others:
            each.kill()
            each.communicate()


async def test_a_worker_that_gets_no_processor_is_not_late_for_that() -> None:
    work = work_for("left", MemoryStore(), {}, definition=HASTY)
    async with pool_of(reckoning) as pool:
        with crowded():
            assert isinstance(await pool.execute(work), Done)


def _die(_: Work) -> NoReturn:
    os._exit(3)


def dying(_: Settings) -> Ports:
    """Workers that their work ends."""
    return Ports(_die, {})


async def test_a_worker_that_dies_at_its_work_is_that_study_s_defect() -> None:
    work = work_for("left", MemoryStore(), {}, definition=PLAIN)
    async with pool_of(dying) as pool:
        verdict = await pool.execute(work)
    assert isinstance(verdict, Defect)
    assert (verdict.code, verdict.details) == ("worker-died", "exit code 3")


async def test_time_in_which_both_were_stopped_is_not_the_worker_s() -> None:
    """As after SIGSTOP of them all, or of their container: awake, each goes on where it was."""
    work = work_for("left", MemoryStore(), {}, definition=LONG)
    async with pool_of(telling) as pool:
        first = await pool.execute(work)
        assert isinstance(first, Done)
        worker = first.produced.facts["pid"]
        os.kill(worker, signal.SIGSTOP)
        second = asyncio.create_task(pool.execute(work))
        await asyncio.sleep(0)
        threading.Event().wait(2.1)  # this process stands still as well
        os.kill(worker, signal.SIGCONT)
        assert isinstance(await second, Done)
