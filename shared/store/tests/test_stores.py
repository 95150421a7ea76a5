"""Every payload store keeps the same promises, the one in memory included."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import cast

import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from shared.errors import Unavailable
from shared.events.models import PayloadRef
from shared.store.folder import FolderStore
from shared.store.lacking import lacking
from shared.store.memory import MemoryStore
from shared.store.open import open_store
from shared.store.port import PayloadMissing, PayloadStore


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A real S3 API on a free port of this machine."""
    import boto3  # only this fixture talks S3 itself

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "phantom",
        "AWS_SECRET_ACCESS_KEY": "phantom",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    create = retry(stop=stop_after_delay(30), wait=wait_fixed(0.1))(
        boto3.client("s3").create_bucket
    )
    create(Bucket="payloads")
    yield "s3://payloads/clarion"
    server.terminate()
    server.wait()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PayloadStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return open_store(f"file:{tmp_path}/payloads")
    return open_store(f"{request.getfixturevalue('s3')}/{tmp_path.name}")


def test_an_artifact_is_named_by_its_content(store: PayloadStore) -> None:
    first, second = store.put(b"voxels", "text/plain"), store.put(b"voxels", "text/plain")
    assert first == second
    assert store.get(first) == b"voxels"
    assert store.path(first).read_bytes() == b"voxels"


def test_parts_are_kept_under_the_same_name_as_their_bytes_in_a_row(store: PayloadStore) -> None:
    parts: list[bytes | memoryview] = [b"header", memoryview(b"voxels")]
    assert store.put_parts(parts, "text/plain") == store.put(b"headervoxels", "text/plain")
    assert store.get(store.put(b"headervoxels", "text/plain")) == b"headervoxels"


def test_nothing_is_kept_of_parts_that_could_not_all_be_made(store: PayloadStore) -> None:
    def parts() -> Iterator[bytes]:
        yield b"header"
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        store.put_parts(parts(), "text/plain")
    assert store.keys("artifacts/") == []


def test_a_file_is_kept_under_the_same_name_as_its_bytes(
    store: PayloadStore, tmp_path: Path
) -> None:
    file = tmp_path / "segment"
    file.write_bytes(b"voxels")
    assert store.put_file(file, "text/plain") == store.put(b"voxels", "text/plain")


def test_what_is_gone_says_so(store: PayloadStore) -> None:
    ref = PayloadRef(uri="artifacts/00/0", sha256="0" * 64, size=1, media_type="text/plain")
    with pytest.raises(PayloadMissing):
        store.get(ref)


def test_a_keyed_object_is_created_once(store: PayloadStore) -> None:
    assert store.create("outcomes/a/1/reader.json", b"first")
    assert not store.create("outcomes/a/1/reader.json", b"first")
    assert not store.create("outcomes/a/1/reader.json", b"second")
    assert store.read("outcomes/a/1/reader.json") == b"first"


def test_a_mark_is_there_until_it_is_deleted(store: PayloadStore) -> None:
    for _ in range(2):
        store.mark("begun/a")
    assert (store.keys("begun/"), store.read("begun/a")) == (["begun/a"], b"")
    store.delete("begun/a")
    assert store.keys("begun/") == []


def test_keys_are_listed_by_prefix_and_deleted(store: PayloadStore) -> None:
    for key in ("outcomes/a/1/x", "outcomes/a/2/x", "outcomes/b/1/x"):
        store.create(key, b"")
    assert store.keys("outcomes/a/") == ["outcomes/a/1/x", "outcomes/a/2/x"]
    store.delete("outcomes/a/1/x")
    store.delete("outcomes/a/1/x")
    assert store.keys("outcomes/a/") == ["outcomes/a/2/x"]
    assert store.read("outcomes/a/1/x") is None


def test_an_artifact_is_discarded_unless_it_was_kept_since(store: PayloadStore) -> None:
    ref, now = store.put(b"voxels", "text/plain"), datetime.now(UTC)
    assert not store.discard(ref.uri, now - timedelta(hours=1))
    assert store.get(ref) == b"voxels"
    assert store.discard(ref.uri, now + timedelta(hours=1))
    assert not store.discard(ref.uri, now + timedelta(hours=1))
    assert store.keys("artifacts/") == []
    assert store.get(store.put(b"voxels", "text/plain")) == b"voxels"


def test_what_is_kept_again_in_a_folder_is_as_new(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    ref, now = store.put(b"voxels", "text/plain"), datetime.now(UTC)
    file = tmp_path / "segment"
    file.write_bytes(b"voxels")
    keeps: tuple[Callable[[bytes, str], PayloadRef], ...] = (
        store.put,
        lambda data, kind: store.put_parts([data], kind),
        lambda _, kind: store.put_file(file, kind),
    )
    for keep in keeps:
        os.utime(tmp_path / ref.uri, (0, 0))
        keep(b"voxels", "text/plain")
        assert not store.discard(ref.uri, now - timedelta(hours=1))


def test_an_old_file_that_is_kept_now_is_as_new(tmp_path: Path) -> None:
    store, now, file = FolderStore(tmp_path), datetime.now(UTC), tmp_path / "segment"
    file.write_bytes(b"voxels")
    os.utime(file, (0, 0))
    assert not store.discard(store.put_file(file, "text/plain").uri, now - timedelta(hours=1))


def test_who_discards_waits_for_whoever_keeps_it_again_and_never_takes_it_away(
    tmp_path: Path,
) -> None:
    store, now = FolderStore(tmp_path), datetime.now(UTC)
    ref = store.put(b"voxels", "text/plain")
    os.utime(tmp_path / ref.uri, (0, 0))
    with ThreadPoolExecutor(1) as pool:
        with (tmp_path / ref.uri).open("rb") as keeping:
            fcntl.flock(keeping, fcntl.LOCK_SH)
            discarding = pool.submit(store.discard, ref.uri, now - timedelta(hours=1))
            with pytest.raises(TimeoutError):
                discarding.result(0.2)
            assert store.get(ref) == b"voxels"
            os.utime(keeping.fileno())
        assert not discarding.result()
    assert store.get(ref) == b"voxels"


def test_a_store_that_works_passes_its_probe(store: PayloadStore) -> None:
    store.probe()


def test_a_folder_that_is_gone_is_an_outage(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "payloads")
    (tmp_path / "payloads/pending").rmdir()
    with pytest.raises(Unavailable):
        store.probe()


def test_what_a_folder_that_is_gone_held_is_not_missing(tmp_path: Path) -> None:
    """Nobody is told that there is no outcome, no earlier attempt, no payload: all are away."""
    root = tmp_path / "payloads"
    store = FolderStore(root)
    ref = store.put(b"volume", "text/plain")
    store.create("outcomes/a/1/x", b"")
    root.rename(tmp_path / "away")

    asked: tuple[Callable[[], object], ...] = (
        lambda: store.get(ref),
        lambda: store.path(ref),
        lambda: store.read("outcomes/a/1/x"),
        lambda: store.keys("outcomes/a/1/"),
        lambda: store.delete("outcomes/a/1/x"),
        lambda: store.mark("begun/a"),
        lambda: store.create("outcomes/a/1/y", b""),
        lambda: store.put(b"mask", "text/plain"),
    )
    assert [is_outage(ask) for ask in asked] == [True] * len(asked)

    assert not root.exists()


def is_outage(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Unavailable:
        return True
    return False


def test_a_disk_without_room_for_an_artifact_is_an_outage(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, room=shutil.disk_usage(tmp_path).total + 1)
    store.put(b"a few bytes", "text/plain")
    with pytest.raises(Unavailable):
        store.probe()


def unwritable(file: Path, size: int) -> bytes:
    """Bytes that the system fails to write, as on a full disk: their file is empty by now."""
    with file.open("wb+") as opened:
        opened.truncate(size)
        mapped = mmap(opened.fileno(), size, access=ACCESS_READ)
        opened.truncate(0)
    return cast(bytes, mapped)


def test_what_did_not_fit_into_a_folder_is_an_outage_until_there_is_room(tmp_path: Path) -> None:
    store, beside = (FolderStore(tmp_path / "payloads", room=1) for _ in range(2))
    notes = [tmp_path / "payloads/pending/lacking"]
    much = unwritable(tmp_path / "segment", shutil.disk_usage(tmp_path).total)
    assert is_outage(lambda: store.create("outcomes/a/1/x", much))
    assert (is_outage(store.probe), is_outage(beside.probe)) == (True, True)

    os.utime(notes[0], (0, 0))
    FolderStore(tmp_path / "payloads", room=1).probe()  # nobody waits for it any more
    little = unwritable(tmp_path / "segment", 4096)
    assert is_outage(lambda: store.create("outcomes/a/1/x", little))
    assert lacking(notes) == 4097
    assert not is_outage(beside.probe)
    assert lacking(notes) == 0


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="use file:FOLDER or s3:"):
        open_store("ftp://payloads")


def test_what_a_killed_writer_left_is_gone_a_day_later(tmp_path: Path) -> None:
    FolderStore(tmp_path)
    left, written = tmp_path / "pending/left", tmp_path / "pending/written"
    for path in (left, written):
        path.write_bytes(b"half a volume")
    os.utime(left, (0, 0))

    FolderStore(tmp_path)

    assert list((tmp_path / "pending").iterdir()) == [written]


def test_a_store_says_where_it_keeps_an_artifact_on_this_machine(store: PayloadStore) -> None:
    ref = store.put(b"voxels", "text/plain")
    file = store.where(ref)
    assert file is None or file.read_bytes() == b"voxels"


def test_what_is_gone_lies_nowhere(store: PayloadStore) -> None:
    ref = PayloadRef(uri="artifacts/00/0", sha256="0" * 64, size=1, media_type="text/plain")
    with pytest.raises(PayloadMissing):
        store.where(ref)
