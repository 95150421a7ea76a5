"""Where the embedded runtime is kept, and how a folder of it comes to exist all at once.

What is installed is named after the digest of the lock file that it was made from, so that a
changed lock makes a new folder beside the old one, and the folder's existence is the stamp:
no state says "done" apart from the thing itself.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class InstallFailed(RuntimeError):
    """The runtime can't be had: a download failed, or is not what the lock names. Says which."""


def cache_folder() -> Path:
    """`CLARION_CACHE`, or `.cache/clarion` in the repository."""
    named = os.environ.get("CLARION_CACHE")
    return Path(named).resolve() if named else REPOSITORY / ".cache" / "clarion"


def named_after(stem: str, *sources: Path, salt: str = "") -> str:
    """`stem-<digest>`: one name per content of the files that decide what gets installed."""
    digest = hashlib.sha256(salt.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return f"{stem}-{digest.hexdigest()[:12]}"


def install_once(target: Path, build: Callable[[Path], None]) -> bool:
    """Fill `target` through `build(scratch)` unless it exists; True if it was built now.

    The scratch folder becomes the target by one rename after a sync: a kill in the middle leaves
    only a scratch folder, which the next call removes. Two callers at once wait for each other.
    """
    if target.is_dir():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target.with_name(f"{target.name}.lock")):
        if target.is_dir():
            return False
        scratch = target.with_name(f"{target.name}.partial")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        build(scratch)
        os.sync()
        scratch.rename(target)
    return True


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
