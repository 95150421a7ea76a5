"""How long a process stands that is frozen, and what forks the workers."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from inspect import signature
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from services.statistics.app import build
from services.statistics.settings import StatisticsSettings
from shared.bus.kafka import group_consumer
from shared.clock import system_clock
from tests.chaos.processes import out_of_its_group_s, send_signal
from tests.chaos.scene import fork_servers_of
from tests.e2e.processes import children


def _session_of_statistics() -> float:
    app, *_ = build(StatisticsSettings(), ("topic",), 4, system_clock)
    return float(app.conf.broker_session_timeout)


def _session_of_the_others() -> float:
    return float(signature(group_consumer).parameters["session_ms"].default) / 1000


@pytest.mark.parametrize(
    ("name", "session_s"),
    [
        ("statistics", _session_of_statistics()),
        ("statistics-2", _session_of_statistics()),
        ("reader-2", _session_of_the_others()),
    ],
)
def test_who_is_frozen_is_out_of_its_group_when_it_goes_on(name: str, session_s: float) -> None:
    assert session_s < out_of_its_group_s(name) < 2 * session_s


def test_a_fork_server_is_found_and_what_it_forked_outlives_it() -> None:
    """Whoever watches its workers by it alone has them for dead, and they are not."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        assert alone.submit(_outlived).result() == ("still there?", False)


def _outlived() -> tuple[str, bool]:
    """What a worker answers whose fork server was killed, and whether it is thought alive."""
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_echo, args=(theirs,), daemon=True)
    worker.start()
    [server] = fork_servers_of(os.getpid())
    assert children(server) == {worker.pid}
    send_signal(server, signal.SIGKILL)
    worker.join()
    ours.send("still there?")
    return ours.recv(), worker.is_alive()


def _echo(pipe: Connection) -> None:
    pipe.send(pipe.recv())
