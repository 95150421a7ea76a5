"""Whatever was acknowledged is there after a kill, and makes the versions it would have made."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from services.ingest.checks import NOT_NOW, Received
from services.ingest.publishing import Outbox
from services.ingest.tests.conftest import House, settled, started
from services.ingest.tests.instances import associate, ct, encoded, send, with_meta
from shared.bus import announced
from shared.catalog import ROOT
from shared.clock import ManualClock
from shared.errors import Unavailable
from shared.events.models import Lane, PayloadRef
from shared.events.wire import Event
from shared.store.memory import MemoryStore


class Full(MemoryStore):
    """A store that takes nothing."""

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - the port's
        raise Unavailable("store")


class Away(MemoryStore):
    """A store that is not there, and counts who asks."""

    asked = 0

    def put_file(self, path: Path, media_type: str, sha256: str | None = None) -> PayloadRef:  # noqa: ARG002 - the port's
        self.asked += 1
        raise Unavailable("store")


SERVE = """
import signal, time
from pathlib import Path
from services.ingest.assembly import assemble, listen
from services.ingest.tests.conftest import settled
from shared.clock import system_clock
from shared.store.memory import MemoryStore
from shared.testing import toy
settings, topics = settled(Path({folder!r})), toy.topics()
ingest = assemble(settings, toy.CATALOG, topics, MemoryStore(), system_clock, time.monotonic)
print(listen(settings, ingest).port, flush=True)
signal.pause()
"""


def test_an_incomplete_case_goes_on_with_its_quiet_time(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.clock.advance(4)
    house.restart()
    send(house.scp.port, [ct(2)])
    assert house.quiet(4) == []
    (ready,) = house.quiet(1.1)
    assert ready.completeness.instances == 2


def test_a_decided_version_is_published_after_a_crash_and_once(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.clock.advance(6)
    house.ingest.decider.decide_due()
    house.restart()
    house.publish()
    house.restart()
    house.publish()
    assert len(house.bus.records) == 1


def test_a_crash_between_publishing_and_its_mark_repeats_the_same_event(house: House) -> None:
    async def published_then_killed(event: Event, lane: Lane | None, at: int | None) -> None:
        await house.bus.publish(event, lane, at)
        raise KeyboardInterrupt

    send(house.scp.port, [ct(1)])
    house.clock.advance(6)
    house.ingest.decider.decide_due()
    ingest = house.ingest
    outbox = Outbox(
        published_then_killed, ingest.journal, ingest.index, house.store, 4, house.clock
    )
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(outbox.flush())
    house.restart()
    house.publish()
    first, second = house.bus.records
    assert first.event == second.event


def test_what_is_announced_lies_in_the_store_as_it_was_published(house: House) -> None:
    send(house.scp.port, [ct(1)])
    (ready,) = house.quiet()
    kept = announced.read(house.store, ready.job_id)
    (published,) = house.bus.records
    assert kept
    assert (kept.event, kept.partition) == (published.event, published.place.partition)


def test_while_the_store_is_down_nothing_is_announced_and_nothing_lost(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.clock.advance(6)
    house.ingest.decider.decide_due()
    with pytest.raises(Unavailable):
        house.publish(Full())
    assert house.published() == []
    house.publish()
    assert len(house.published()) == 1


def test_while_the_store_is_down_one_case_is_tried_and_none_is_forgotten(house: House) -> None:
    send(house.scp.port, [ct(1, StudyInstanceUID="1.2.3"), ct(2, StudyInstanceUID="1.2.4")])
    house.clock.advance(6)
    decider, tried = house.ingest.decider, Away()
    there, decider._store = decider._store, tried

    assert decider.decide_due().failed == "store does not answer"
    assert tried.asked == 1
    decider._store = there
    house.clock.advance(2)
    assert decider.decide_due().versions == 2


def test_the_index_is_made_again_when_it_is_lost(house: House) -> None:
    send(house.scp.port, [ct(1), ct(2)])
    house.quiet()
    send(house.scp.port, [ct(3)])
    house.ingest.close()
    for path in house.settings.journal_folder().glob("index.sqlite*"):
        path.unlink()
    house.restart()
    _, second = house.quiet()
    assert (second.version, second.completeness.instances) == (2, 3)
    assert len(house.bus.records) == 2


def test_the_index_is_made_again_when_it_is_broken(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.quiet()
    house.ingest.close()
    (house.settings.journal_folder() / "index.sqlite").write_bytes(b"no database" * 1000)
    house.restart()
    assert send(house.scp.port, [ct(1)]) == [0]
    assert len(house.quiet()) == 1


def test_an_arrival_that_names_no_association_keeps_no_start_from_ending(house: House) -> None:
    """As a version before wrote it, of an association that was lost while it was handled."""
    nobody = cast("str", None)
    image = ct(1)
    lost = Received(
        image.SOPClassUID,
        image.SOPInstanceUID,
        ExplicitVRLittleEndian,
        encoded(image),
        nobody,
        "COVID19",
        "SCANNER",
    )
    assert house.ingest.receiver.receive(lost) is NOT_NOW

    house.restart()

    (ready,) = house.quiet()
    assert ready.completeness.instances == 1


def test_an_index_that_lags_behind_the_journal_catches_up(house: House) -> None:
    send(house.scp.port, [ct(1)])
    path = house.settings.journal_folder() / "index.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old = path.read_bytes()
    send(house.scp.port, [ct(2)])
    house.ingest.close()
    path.write_bytes(old)
    house.restart()
    (ready,) = house.quiet()
    assert ready.completeness.instances == 2


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """A process with ingest's port open: its id and the port. It is killed at the end."""
    command = [sys.executable, "-c", SERVE.format(folder=str(folder))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        port = next(int(line) for line in process.stdout if line.strip().isdigit())
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with serving(tmp_path) as (pid, port):
        association = associate(port)
        for number in range(5):
            assert association.send_c_store(with_meta(ct(number))).Status == 0
        os.kill(pid, signal.SIGKILL)
    association.abort()
    ingest = started(settled(tmp_path), MemoryStore(), ManualClock())
    ((case, _),) = ingest.index.unexamined()
    assert len(ingest.index.arrivals(case)) == 5
    ingest.close()
