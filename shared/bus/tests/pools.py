"""Pools of worker processes, for tests: what they are asked, and what they are short of."""

import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from shared.bus.work import Ports, Produced, Work
from shared.bus.worker import Recipe
from shared.bus.workers import WorkerPool
from shared.pipelines.definition import parse
from shared.settings import Settings
from shared.testing import toy

PLAIN = parse(toy.DEFINITION_TEXT)


@asynccontextmanager
async def pool_of(build: Callable[[Any], Ports], size: int = 1) -> AsyncIterator[WorkerPool]:
    """Started workers, which end with the test."""
    recipe = Recipe("marker", Settings(), build, memory_mb=2048)
    pool = WorkerPool(recipe, size, deadline_s=300)
    await pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def tell_process(_: Work) -> Produced:
    """Which process it is, and how much more courteous than the one that talks to Kafka."""
    nice = os.getpriority(os.PRIO_PROCESS, 0) - os.getpriority(os.PRIO_PROCESS, os.getppid())
    return Produced({}, facts={"pid": os.getpid(), "courtesy": nice})


def telling(_: Settings) -> Ports:
    """Workers that say which process they are."""
    return Ports(tell_process, {})


@contextmanager
def no_descriptor() -> Iterator[None]:
    """The system opens nothing more for this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    with ExitStack() as opened:
        with suppress(OSError):
            while True:
                opened.enter_context(Path(os.devnull).open())
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def open_process(pid: int) -> Iterator[int]:
    """A descriptor that is readable when the process has ended."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)
