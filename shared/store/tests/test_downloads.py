"""Copies of what a remote store keeps: the newest, while there is room, and only of the living."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.catalog import ROOT
from shared.errors import Unavailable
from shared.store.downloads import Downloads

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


def read(downloads: Downloads, *names: str) -> list[Path]:
    return [downloads.path(f"artifacts/{name}", 10, lambda: b"10 voxels.") for name in names]


def kept(downloads: Downloads) -> list[str]:
    return sorted(path.name for path in downloads.folder.rglob("*") if path.is_file())


def test_the_newest_are_kept_and_who_has_opened_another_keeps_it_too() -> None:
    downloads = Downloads(most=30, room=0)
    [first] = read(downloads, "a")
    with first.open("rb") as opened:
        read(downloads, "b", "c", "d")
        assert kept(downloads) == ["b", "c", "d"]
        assert opened.read() == b"10 voxels."


def test_what_is_read_again_is_not_fetched_again_and_is_as_new() -> None:
    downloads = Downloads(most=20, room=0)
    read(downloads, "a", "b")
    [again] = [downloads.path("artifacts/a", 10, lambda: pytest.fail("fetched"))]
    read(downloads, "c")
    assert (kept(downloads), again.read_bytes()) == (["a", "c"], b"10 voxels.")


def test_a_disk_that_is_short_keeps_the_last_alone_and_is_an_outage(tmp_path: Path) -> None:
    downloads = Downloads(room=shutil.disk_usage(tmp_path).total + 1)
    read(downloads, "a", "b")
    assert kept(downloads) == ["b"]
    with pytest.raises(Unavailable):
        downloads.require_room()
    assert kept(downloads) == []


def test_a_disk_that_takes_nothing_is_an_outage() -> None:
    downloads = Downloads(room=0)
    downloads.folder.rmdir()
    downloads.folder.touch()
    with pytest.raises(Unavailable):
        read(downloads, "a")


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
