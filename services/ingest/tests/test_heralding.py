"""When bulk is told of work that is about to begin."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from services.ingest import serving
from services.ingest.heralding import herald
from services.ingest.settings import IngestSettings
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.catalog import load_service
from shared.events.models import Lane
from shared.giving_way import let_others_first, under_way
from shared.testing import toy


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


def test_a_study_is_announced_half_a_second_before_it_is_complete(tmp_path: Path) -> None:
    sign, asked = tmp_path / "sign", list[float]()
    sign.touch()

    def soon(within_s: float) -> bool:
        asked.append(within_s)
        return False

    async def heralding() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(herald(soon, sign), 0.05)

    asyncio.run(heralding())
    assert asked == [0.5]


def test_ingest_knows_of_every_case_but_bulk(house: House) -> None:
    send(house.scp.port, [ct(1)], "COVID19BULK")
    assert not house.ingest.others_soon(10.0)
    send(house.scp.port, [ct(2)], "COVID19STAT")
    assert (house.ingest.others_soon(4.0), house.ingest.others_soon(6.0)) == (False, True)
    house.restart()
    assert (house.ingest.others_soon(4.0), house.ingest.others_soon(6.0)) == (False, True)
    house.quiet()
    assert not house.ingest.others_soon(10.0)


def test_ingest_heralds_what_it_knows(
    settings: IngestSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = {**toy.CATALOG, "ingest": load_service("ingest")}
    own = settings.model_copy(update={"store": f"file:{tmp_path}/payloads"})
    told: asyncio.Queue[Callable[[float], bool]] = asyncio.Queue()
    monkeypatch.setattr(serving, "herald", told.put)

    async def starting() -> Callable[[float], bool]:
        serves = asyncio.create_task(serving.run(catalog, toy.topics(), own))
        try:
            return await asyncio.wait_for(told.get(), 20)
        finally:
            serves.cancel()
            with suppress(asyncio.CancelledError):
                await serves

    assert not asyncio.run(starting())(10.0)
