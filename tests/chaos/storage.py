"""Faults of the disk and of shared memory, made so that the system's own calls fail or wait."""

import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.embedded.survivors import marked_processes
from deploy.embedded.system import INFRASTRUCTURE
from shared.inference.regions import PREFIX, SHM
from tests.chaos.scene import Scene

_OUTAGE_S = 5.0
_SLOW_S = 15.0
_SLOWED = Path(__file__).parent / "slowed"


def store_refuses_writes(scene: Scene) -> str:
    """The folder in which every write begins is none: reads go on, and the store's probe fails."""
    pending = scene.home.payloads / "pending"
    with replaced_by_a_file(pending, scene.home.run / "pending"):
        time.sleep(_OUTAGE_S)
    return f"for {_OUTAGE_S:g} s"


def journal_gone(scene: Scene) -> str:
    """The folder in which ingest keeps what it has acknowledged is none: nothing is stored."""
    with replaced_by_a_file(scene.home.folder / "ingest", scene.home.run / "ingest"):
        time.sleep(_OUTAGE_S)
    return f"for {_OUTAGE_S:g} s"


def slowable(folder: Path) -> Mapping[str, str]:
    """The environment of a home whose store can be slow; see `slowed/sitecustomize.py`."""
    return {
        "PYTHONPATH": str(_SLOWED),
        "SLOW_STORE": str(folder / "payloads"),
        "SLOW_STORE_SWITCH": str(_switch(folder)),
    }


def _switch(folder: Path) -> Path:
    return folder / "slow-store"


def store_slow(scene: Scene) -> str:
    """Every call takes half a second longer, and none fails."""
    switch = _switch(scene.home.folder)
    switch.touch()
    try:
        time.sleep(_SLOW_S)
    finally:
        switch.unlink()
    return f"for {_SLOW_S:g} s"


def disk_full(scene: Scene) -> str:
    """No file of any service grows: files are made, and every write fails, as on a full disk.

    RLIMIT_FSIZE with the signal ignored, as Python ignores it, is EFBIG where a disk gives ENOSPC.
    """
    pids = scene.control.pids()
    mains = {pid for name, pid in pids.items() if name not in INFRASTRUCTURE}
    limited = [
        each.pid for each in marked_processes(scene.home.folder) if _ancestry(each.pid) & mains
    ]
    for pid in limited:
        limit_files(pid, 0)
    try:
        time.sleep(_OUTAGE_S)
    finally:
        for each in (*marked_processes(scene.home.folder), *marked_processes(scene.home.folder)):
            limit_files(each.pid, resource.RLIM_INFINITY)
    return f"for {_OUTAGE_S:g} s"


def shared_memory_orphaned(scene: Scene) -> str:
    """The names of the regions between services and Triton are gone, as a cleaner takes them."""
    own = {str(each.pid) for each in marked_processes(scene.home.folder)}
    regions = [
        path
        for path in SHM.glob(f"{PREFIX}*")
        if path.name.removeprefix(PREFIX).split("-")[0] in own
    ]
    for path in regions:
        path.unlink(missing_ok=True)
    return f"{len(regions)} regions"


@contextmanager
def replaced_by_a_file(folder: Path, aside: Path) -> Iterator[None]:
    """A folder's place is taken by a file, so that nobody can make it anew meanwhile."""
    folder.rename(aside)
    with suppress(FileExistsError):  # made anew already: then this outage is over before it began
        folder.touch(exist_ok=False)
    try:
        yield
    finally:
        if folder.is_file():
            folder.unlink()
        with suppress(OSError):  # made anew and in use
            aside.rename(folder)


def limit_files(pid: int, size: int) -> None:
    """What a process writes to files beyond this size fails from now on; pipes are none."""
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def _ancestry(pid: int) -> set[int]:
    """A process and those that it descends from."""
    found = set()
    while pid > 1:
        found.add(pid)
        try:
            status = Path("/proc", str(pid), "stat").read_text()
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
    return found
