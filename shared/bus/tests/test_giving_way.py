"""Whom bulk lets go first."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from shared.events.models import Lane
from shared.giving_way import let_others_first, under_way


def _work(lane: Lane, sign: Path, pipe: Connection) -> None:
    with under_way(lane, sign):
        pipe.send("begun")
        pipe.recv()


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """What the processes of no other test lock."""
    made = tmp_path / "sign"
    made.touch()
    return made


@contextmanager
def worker(lane: Lane, sign: Path) -> Iterator[tuple[int, Connection]]:
    """Another process that is at work until it is told to end, or is killed."""
    ours, theirs = multiprocessing.Pipe()
    spawned = multiprocessing.get_context("spawn")
    process = spawned.Process(target=_work, args=(lane, sign, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "begun"
    try:
        yield process.pid or 0, ours
    finally:
        process.kill()
        process.join()


def waited_s(sign: Path) -> float:
    """How long bulk lets others go first."""
    began = time.monotonic()
    let_others_first(sign)
    return time.monotonic() - began


@pytest.mark.parametrize("lane", [Lane.STAT, Lane.ROUTINE])
def test_bulk_lets_other_work_go_first_but_not_for_ever(lane: Lane, sign: Path) -> None:
    with worker(lane, sign), under_way(Lane.BULK, sign):
        assert waited_s(sign) >= 3


def test_bulk_waits_for_no_other_bulk(sign: Path) -> None:
    with worker(Lane.BULK, sign), under_way(Lane.BULK, sign):
        assert waited_s(sign) < 2


def test_work_whose_worker_was_killed_is_not_waited_for(sign: Path) -> None:
    with worker(Lane.STAT, sign) as (pid, pipe):
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EOFError):
            pipe.recv()
        with under_way(Lane.BULK, sign):
            assert waited_s(sign) < 2


def test_a_unit_that_was_alone_waits_no_more_until_others_come(sign: Path) -> None:
    with under_way(Lane.BULK, sign):
        assert waited_s(sign) >= 0.2
        assert max(waited_s(sign) for _ in range(5)) < 0.2
        with worker(Lane.STAT, sign):
            assert waited_s(sign) >= 2


def test_a_study_on_its_way_from_one_service_to_the_next_is_waited_for(sign: Path) -> None:
    with under_way(Lane.BULK, sign), ThreadPoolExecutor(1) as other:
        between = other.submit(_twice_with_a_gap, sign, 0.15)
        time.sleep(0.1)
        let_others_first(sign)
        assert between.done()


def _twice_with_a_gap(sign: Path, gap_s: float) -> None:
    for pause in (gap_s, 0.0):
        with under_way(Lane.STAT, sign):
            time.sleep(0.3)
        time.sleep(pause)


def test_a_unit_of_bulk_waits_so_long_in_all_however_many_inferences_it_has(sign: Path) -> None:
    with worker(Lane.STAT, sign), under_way(Lane.BULK, sign):
        assert waited_s(sign) >= 3
        assert waited_s(sign) < 2
        with under_way(Lane.BULK, sign):
            assert waited_s(sign) >= 3
