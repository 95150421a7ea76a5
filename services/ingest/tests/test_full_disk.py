"""A disk without room, at the start and later: ingest waits, and goes on with what it had."""

import asyncio
import errno
import os
import resource
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from services.ingest import serving
from services.ingest.checks import KEPT, Received
from services.ingest.serving import OnBatch, Troubles
from services.ingest.settings import IngestSettings
from services.ingest.tests.conftest import settled, started
from services.ingest.tests.instances import ct, encoded
from shared.bus.received import Received as Fact
from shared.clock import ManualClock
from shared.store.memory import MemoryStore
from shared.testing import toy

_PATIENCE_S = 30.0


class Told(dict[str, str]):
    """Troubles that somebody waits for."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def __setitem__(self, what: str, why: str) -> None:
        super().__setitem__(what, why)
        self.told.set()


def image(number: int) -> Received:
    made = ct(number)
    named = (made.SOPClassUID, made.SOPInstanceUID, ExplicitVRLittleEndian)
    return Received(*named, encoded(made), "association", "COVID19", "SCANNER")


def limit_files(size: int) -> None:
    """What this process writes to files beyond this size fails, as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def test_it_starts_on_a_full_disk_and_serves_by_itself_when_there_is_room(tmp_path: Path) -> None:
    before = started(settled(tmp_path), MemoryStore(), ManualClock())
    assert before.receiver.receive(image(1)) is KEPT
    before.close()
    index = settled(tmp_path).journal_folder() / "index.sqlite"
    inode = index.stat().st_ino

    with get_context("spawn").Pool(1) as other:
        waited, arrivals = other.apply(starts_full, (tmp_path,))

    assert list(waited) == ["ingest"]
    assert (arrivals, index.stat().st_ino) == (2, inode)


def starts_full(folder: Path) -> tuple[dict[str, str], int]:
    """What an ingest that starts on a full disk waits for, and what it knows once it serves.

    Its own output is a pipe to the supervisor, not a file of that disk.
    """
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    plain = settled(folder)
    settings = plain.model_copy(update={"store": f"file:{folder}/payloads"})
    return asyncio.run(_starts_full(settings))


async def _starts_full(settings: IngestSettings) -> tuple[dict[str, str], int]:
    limit_files(0)
    troubles = Told()
    starting = asyncio.ensure_future(serving.started(toy.CATALOG, toy.topics(), settings, troubles))
    async with asyncio.timeout(_PATIENCE_S):
        await troubles.told.wait()
    waited = dict(troubles)
    limit_files(resource.RLIM_INFINITY)
    ingest, _ = await starting
    assert not troubles
    assert ingest.receiver.receive(image(2)) is KEPT
    ((case, _),) = ingest.index.unexamined()
    return waited, len(ingest.index.arrivals(case))


def test_our_own_output_is_noted_as_soon_as_there_is_room() -> None:
    assert asyncio.run(_recognised()) == ({"recognising"}, {}, 2)


async def _recognised() -> tuple[set[str], Troubles, int]:
    """What waits while the disk is full, what waits after that, and how often it was tried."""
    troubles, kept = Told(), asyncio.Event()
    tried: list[set[str]] = []

    async def read(on_batch: OnBatch) -> None:
        await on_batch([])
        kept.set()
        await asyncio.Event().wait()

    def keep(_: Sequence[Fact]) -> None:
        tried.append(set(troubles))
        if len(tried) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recognising = asyncio.ensure_future(serving.recognise(read, keep, troubles))
    async with asyncio.timeout(_PATIENCE_S):
        await kept.wait()
    recognising.cancel()
    return tried[1], dict(troubles), len(tried)
