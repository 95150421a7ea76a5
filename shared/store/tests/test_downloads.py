"""Copies of what a remote store keeps: the newest, while there is room, and only of the living."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.catalog import ROOT
from shared.errors import Unavailable
from shared.store.downloads import Downloads, TooLarge

LEAVE = """
import os, signal
from shared.store.downloads import Downloads
mine = Downloads()
print(mine.path("volume", 6, lambda: b"voxels"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@dataclass
class Disk:
    """A disk of `size` bytes that holds what is kept, and `others` bytes that are not ours."""

    folder: Path
    size: int
    others: int = 0

    def __call__(self, _: Path) -> tuple[int, int, int]:
        used = self.others + sum(path.stat().st_size for path in copies(self.folder))
        return self.size, used, self.size - used


def copies(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/copies/**/*") if path.is_file()]


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in copies(folder))


def read(downloads: Downloads, *names: str) -> list[Path]:
    return [downloads.path(f"artifacts/{name}", 10, lambda: b"10 voxels.") for name in names]


def age(*paths: Path) -> None:
    """As if they had been asked for long ago, one after the other."""
    for second, path in enumerate(paths):
        os.utime(path, (second, second))


def is_down(downloads: Downloads) -> bool:
    try:
        downloads.require_room()
    except Unavailable:
        return True
    return False


def fails_to_keep(downloads: Downloads, name: str) -> bool:
    """What it writes meets the system's own full disk, once."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        (folder / "pending").symlink_to("/dev/full")
    try:
        read(downloads, name)
    except Unavailable:
        return True
    return False


def test_the_newest_are_kept_and_who_has_opened_another_keeps_it_too(tmp_path: Path) -> None:
    downloads = Downloads(most=30, room=0)
    [first] = read(downloads, "a")
    with first.open("rb") as opened:
        read(downloads, "b", "c", "d")
        assert kept(tmp_path) == ["b", "c", "d"]
        assert opened.read() == b"10 voxels."


def test_what_is_read_again_is_not_fetched_again_and_is_as_new(tmp_path: Path) -> None:
    downloads = Downloads(most=20, room=0)
    read(downloads, "a", "b")
    [again] = [downloads.path("artifacts/a", 10, lambda: pytest.fail("fetched"))]
    read(downloads, "c")
    assert (kept(tmp_path), again.read_bytes()) == (["a", "c"], b"10 voxels.")


def test_a_disk_that_is_short_keeps_the_last_alone_and_is_an_outage(tmp_path: Path) -> None:
    downloads = Downloads(room=100, disk=Disk(tmp_path, 99))
    read(downloads, "a", "b")
    assert kept(tmp_path) == ["b"]
    assert is_down(downloads)
    assert kept(tmp_path) == []


def test_a_disk_that_is_short_loses_the_oldest_of_others_and_they_fetch_it_again(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path, 35)
    idle, busy = Downloads(room=0, disk=disk), Downloads(room=0, disk=disk)
    first, second, third = read(idle, "a", "b", "c")
    age(second, first, third)
    with second.open("rb") as opened:
        read(busy, "d")
        assert kept(tmp_path) == ["a", "c", "d"]
        assert opened.read() == b"10 voxels."
    [again] = read(idle, "b")
    assert again.read_bytes() == b"10 voxels."


def test_what_another_has_just_asked_for_is_left_to_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 40)
    idle, busy = Downloads(room=0, disk=disk), Downloads(room=30, disk=disk)
    first, _ = read(idle, "a", "b")
    age(first)
    assert is_down(busy) is False
    read(busy, "c")
    assert kept(tmp_path) == ["b", "c"]


def test_what_did_not_fit_is_an_outage_for_every_process_until_there_is_room(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path, 100, others=95)
    reading, beside = Downloads(room=1, disk=disk), Downloads(room=1, disk=disk)
    assert fails_to_keep(reading, "a")
    assert [is_down(reading), is_down(beside)] == [True, True]

    disk.others = 90
    assert not is_down(beside)

    disk.others = 95
    assert [is_down(reading), is_down(beside)] == [False, False]


def test_what_no_disk_of_that_size_can_hold_is_no_outage(tmp_path: Path) -> None:
    downloads = Downloads(room=1, disk=Disk(tmp_path, 9))
    with pytest.raises(TooLarge):
        read(downloads, "a")
    assert not is_down(downloads)


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays() -> None:
    living = Downloads(room=0)
    [held] = read(living, "a")
    told = subprocess.run(
        [sys.executable, "-c", LEAVE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    left = Path(told.stdout.strip())
    assert left.is_file()

    Downloads()

    assert (left.exists(), held.is_file()) == (False, True)


def test_what_others_have_put_into_the_temporary_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clarion-payloads-file").touch()
    (tmp_path / "clarion-payloads-link").symlink_to(tmp_path)
    assert not is_down(Downloads(room=0))
    assert (tmp_path / "clarion-payloads-file").exists()


def test_a_temporary_folder_without_locks_is_an_outage_and_nothing_is_left_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(Unavailable):
        Downloads()
    assert list(tmp_path.iterdir()) == []
