"""STOW-RS: the same instances, the same journal, answers in HTTP."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from starlette.applications import Starlette
from starlette.testclient import TestClient

from services.ingest.multipart import parts
from services.ingest.part10 import file_meta
from services.ingest.serving import routes_of_stow
from services.ingest.settings import IngestSettings
from services.ingest.stow import stow_routes
from services.ingest.tests.conftest import House, started
from services.ingest.tests.instances import STUDY, ct, encoded
from shared.clock import ManualClock
from shared.store.memory import MemoryStore

BOUNDARY = "limit"
HEADERS = {"content-type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}


def file(number: int, *, named: int | None = None) -> bytes:
    uid = f"{STUDY}.1.{number if named is None else named}"
    meta = file_meta(CTImageStorage, uid, ExplicitVRLittleEndian, "X")
    return meta + encoded(ct(number))


def body(*files: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + content + b"\r\n" for content in files) + f"--{BOUNDARY}--".encode()


def client(house: House) -> TestClient:
    return TestClient(Starlette(routes=stow_routes(house.ingest.receiver, house.settings.aes)))


def test_a_study_over_http_becomes_a_version(house: House) -> None:
    content = body(file(1), file(2))
    answer = client(house).post("/COVID19/studies", content=content, headers=HEADERS)
    (ready,) = house.quiet()
    assert (answer.status_code, ready.completeness.instances) == (200, 2)
    assert len(answer.json()["00081199"]["Value"]) == 2


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (body(file(1), file(2, named=3)), 202),
        (body(file(2, named=3)), 409),
        (body(b"no file"), 409),
        (body(), 400),
        (body(file(1))[:-10], 400),
        (b"nothing of the kind", 400),
    ],
)
def test_what_is_answered(house: House, content: bytes, status: int) -> None:
    answer = client(house).post(f"/COVID19/studies/{STUDY}", content=content, headers=HEADERS)
    assert answer.status_code == status


def test_a_failure_says_which_and_why(house: House) -> None:
    content = body(file(2, named=3))
    answer = client(house).post("/COVID19/studies", content=content, headers=HEADERS)
    (item,) = answer.json()["00081198"]["Value"]
    assert item["00081155"]["Value"] == [f"{STUDY}.1.3"]
    assert item["00081197"]["Value"] == [0xA900]


def test_unknown_resources_and_types(house: House) -> None:
    http = client(house)
    assert http.post("/NOBODY/studies", content=b"", headers=HEADERS).status_code == 404
    assert http.post("/COVID19/studies", json={}).status_code == 415


def test_the_disk_below_its_reserve(settings: IngestSettings) -> None:
    full = settings.model_copy(update={"reserve_mb": 1 << 40})
    ingest = started(full, MemoryStore(), ManualClock())
    http = TestClient(Starlette(routes=stow_routes(ingest.receiver, full.aes)))
    assert http.post("/COVID19/studies", content=body(), headers=HEADERS).status_code == 503
    ingest.close()


@pytest.mark.parametrize(
    ("asked", "status"),
    [({}, 404), ({"stow": True}, 200), ({"stow": True, "callers": ("SCANNER",)}, 404)],
    ids=["by default", "switched on", "where callers are listed"],
)
def test_it_is_there_only_where_it_is_switched_on(
    house: House, asked: dict[str, object], status: int
) -> None:
    settings = house.settings.model_copy(update=asked)
    http = TestClient(Starlette(routes=routes_of_stow(settings, house.ingest)))
    answer = http.post("/COVID19/studies", content=body(file(1)), headers=HEADERS)
    assert answer.status_code == status


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.integers(1, 60))
async def test_parts_are_whole_however_they_arrive(contents: list[bytes], size: int) -> None:
    whole = body(*contents)

    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(whole), size):
            yield whole[at : at + size]

    assert [part async for part in parts(stream(), BOUNDARY)] == contents
