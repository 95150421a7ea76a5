"""Who ends a server that has lost a model, and lets go on one that has lost none."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from deploy.embedded import watch_models

_LOOKS = 8 * watch_models.LOOK_S
_SERVER = """
import subprocess, sys, time
model = subprocess.Popen(["sleep", "20"])
print(model.pid, flush=True)
if sys.argv[1] == "puts-away":
    model.wait()
time.sleep(20)
"""


@contextmanager
def _serving(way: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that is watched, with one model, and the process of that."""
    command = [
        sys.executable,
        "-I",
        "-S",
        watch_models.__file__,
        sys.executable,
        "-c",
        _SERVER,
        way,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server, int(server.stdout.readline())
        finally:
            server.kill()


def test_a_server_that_leaves_a_dead_model_is_ended_and_says_why() -> None:
    with _serving("forgets") as (server, model):
        os.kill(model, signal.SIGKILL)
        assert server.wait(_LOOKS) == -signal.SIGKILL
        assert server.stdout
        assert "the process of a model has ended" in server.stdout.read()


@pytest.mark.parametrize("ends", [True, False])
def test_a_server_that_puts_its_models_away_goes_on(ends: bool) -> None:
    with _serving("puts-away") as (server, model):
        if ends:
            os.kill(model, signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(_LOOKS)


def test_the_watch_ends_with_the_server() -> None:
    with _serving("forgets") as (server, model):
        [watch] = _children(server.pid) - {model}
    stop = stop_after_delay(10)
    Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.05), stop=stop)(_lives, watch)


def _lives(pid: int) -> bool:
    """An orphan that has ended may not have been put away yet."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path("/proc", str(pid), "stat").read_text()
    return False


def _children(pid: int) -> set[int]:
    tasks = Path("/proc", str(pid), "task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}
