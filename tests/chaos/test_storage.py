"""The faults of the disk are outages to who writes, and leave nothing behind."""

import os
import resource
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from shared.errors import Unavailable
from shared.store.folder import FolderStore
from tests.chaos.storage import limit_files, replaced_by_a_file


def test_a_store_without_its_folder_is_down_until_it_is_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "payloads")

    with replaced_by_a_file(tmp_path / "payloads" / "pending", tmp_path / "aside"):
        assert is_down(store.probe)
        assert is_down(lambda: FolderStore(tmp_path / "payloads"))

    assert not is_down(store.probe)
    assert not (tmp_path / "aside").exists()


def test_a_full_disk_takes_no_byte_until_there_is_room(tmp_path: Path) -> None:
    context = get_context("spawn")
    with context.Pool(1) as other:
        assert other.apply(fills_and_clears, (tmp_path,)) == (True, True, False)


def fills_and_clears(folder: Path) -> tuple[bool, bool, bool]:
    """Whether probe and put are down on a full disk, and put afterwards."""
    store = FolderStore(folder)
    limit_files(os.getpid(), 0)
    full = is_down(store.probe), is_down(lambda: store.put(b"volume", "text/plain"))
    limit_files(os.getpid(), resource.RLIM_INFINITY)
    return *full, is_down(lambda: store.put(b"volume", "text/plain"))


def is_down(act: Callable[[], object]) -> bool:
    try:
        act()
    except Unavailable:
        return True
    return False
