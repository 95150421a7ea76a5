"""What is counted as growth, and of which process."""

import multiprocessing
import time

import psutil

from benchmarks.memory import family, slopes


def test_growth_is_told_of_who_was_there_all_the_time() -> None:
    samples = [
        (0, {"results": 100.0, "worker that died": 50.0}),
        (20, {"results": 140.0, "worker that came": 70.0}),
        (40, {"results": 180.0, "worker that came": 70.0}),
    ]
    assert slopes(samples) == {"results": 2.0}


def test_fork_servers_and_workers_are_told_apart() -> None:
    worker = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        named = dict(family(psutil.Process(), "reader"))
        forked = psutil.Process(worker.pid)
        server = forked.parent()
        assert named[psutil.Process()] == "reader"
        assert named[forked].startswith("reader worker ")
        assert server
        assert named[server] == "reader fork server 0"
    finally:
        worker.kill()
        worker.join()
