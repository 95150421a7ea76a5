"""When bulk is told of work that is about to begin."""

import asyncio
import time
from pathlib import Path

from services.ingest.heralding import herald
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.events.models import Lane
from shared.giving_way import let_others_first, under_way


def _waited_s(sign: Path) -> float:
    """How long a unit of bulk lets others go first."""
    with under_way(Lane.BULK, sign):
        began = time.monotonic()
        let_others_first(sign)
        return time.monotonic() - began


async def _heralded(due_at: float, sign: Path) -> tuple[float, float, float]:
    """What bulk waits long before an input is due, just before, and when it was read."""
    soon = lambda within_s: due_at - within_s <= time.monotonic() < due_at  # noqa: E731
    heralding = asyncio.create_task(herald(soon, sign))
    try:
        long_before = await asyncio.to_thread(_waited_s, sign)
        await asyncio.sleep(due_at - 0.25 - time.monotonic())
        before = await asyncio.to_thread(_waited_s, sign)
        return long_before, before, await asyncio.to_thread(_waited_s, sign)
    finally:
        heralding.cancel()


def test_bulk_waits_from_just_before_an_input_is_complete_until_it_was_read(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    sign.touch()
    long_before, before, after = asyncio.run(_heralded(time.monotonic() + 1.5, sign))
    assert long_before < before > after
    assert before > 0.6


def test_ingest_knows_of_every_case_but_bulk(house: House) -> None:
    send(house.scp.port, [ct(1)], "COVID19BULK")
    assert not house.ingest.others_soon(10.0)
    send(house.scp.port, [ct(2)], "COVID19STAT")
    assert (house.ingest.others_soon(4.0), house.ingest.others_soon(6.0)) == (False, True)
    house.quiet()
    assert not house.ingest.others_soon(10.0)
