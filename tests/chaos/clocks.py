"""Faults of the clock: it jumps for every process of the system, as after a pause or a correction.

libfaketime stands before the C library and adds what a file says to the time of day; the clock that
only counts, by which timeouts are measured, goes on as it did, as on a machine.
"""

import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from deploy.embedded.home import Home
from tests.chaos.scene import Scene

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
_LOOKS_EVERY_S = 1
_AN_HOUR_S = 3600
_A_WHILE_S = 10.0


def adjustable(folder: Path) -> Mapping[str, str]:
    """The environment of a home whose clock can jump."""
    said = folder / "clock"
    folder.mkdir(parents=True, exist_ok=True)
    said.write_text("+0\n")
    return {
        "LD_PRELOAD": str(files("libfaketime") / _LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(said),
        "FAKETIME_CACHE_DURATION": str(_LOOKS_EVERY_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else Java's waits end at once
        "NO_FAKE_STAT": "1",  # the times of files are the disk's
    }


def clock_goes_ahead(scene: Scene) -> str:
    """An hour on, and after a while back: what was put off meanwhile was put off by an hour."""
    return _jump(scene.home, _AN_HOUR_S)


def clock_goes_back(scene: Scene) -> str:
    return _jump(scene.home, -_AN_HOUR_S)


def _jump(home: Home, seconds: int) -> str:
    _set(home, seconds)
    try:
        time.sleep(_A_WHILE_S)
    finally:
        _set(home, 0)
    return f"by {seconds} s for {_A_WHILE_S:g} s"


def _set(home: Home, seconds: int) -> None:
    """At once: who reads in the middle of a write would take it for the epoch."""
    new = home.folder / "clock.new"
    new.write_text(f"{seconds:+d}\n")
    new.rename(home.folder / "clock")
