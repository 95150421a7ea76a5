"""Shared memory that a server on the same host maps too: files in /dev/shm, each locked.

The lock tells whether the owner lives, across PID namespaces and reused PIDs: the kernel drops
it when the process ends, however it ends.
"""

import fcntl
import os
import secrets
from mmap import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHM = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lies on Linux
PREFIX = "clarion-infer-"
_ALIGNMENT = 64


class Region:
    """One piece of shared memory, owned by this process until `close`."""

    def __init__(self, size: int) -> None:
        """Raises `OSError` where the host has no room for it."""
        self.size = size
        self.name, self._descriptor = _locked_file()
        try:
            # Reserved now: writing to a page that can't be had would kill the process (SIGBUS).
            os.posix_fallocate(self._descriptor, 0, size)
            self._map = mmap(self._descriptor, size)
        except OSError:
            self._release()
            raise

    def write(self, offset: int, tensor: NDArray[np.generic]) -> None:
        """Copy a tensor into the region."""
        np.ndarray(tensor.shape, tensor.dtype, self._map, offset)[...] = tensor

    def read(
        self, offset: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> NDArray[np.generic]:
        """A copy of a tensor that the server wrote."""
        return np.ndarray(shape, dtype, self._map, offset).copy()

    def close(self) -> None:
        """Give the memory back."""
        self._map.close()
        self._release()

    def _release(self) -> None:
        (SHM / self.name).unlink(missing_ok=True)
        os.close(self._descriptor)


def aligned(size: int) -> int:
    """The size rounded up, so that the next tensor begins on a cache line."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def remove_orphans() -> list[str]:
    """Unlink the regions whose owner is dead; their names, for the server to forget."""
    return [path.name for path in SHM.glob(f"{PREFIX}*") if _remove_unless_owned(path)]


def _locked_file() -> tuple[str, int]:
    while True:
        name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        descriptor = os.open(SHM / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Another process may have taken the new file for an orphan before it was locked.
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_unless_owned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        orphan = _lock(descriptor)
        if orphan:
            path.unlink(missing_ok=True)
        return orphan
    finally:
        os.close(descriptor)
