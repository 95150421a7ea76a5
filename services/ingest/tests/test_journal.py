"""The journal: what is in it whole is found again, and nothing else."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from services.ingest.journal import Journal
from services.ingest.records import INSTANCE, scan
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import ct, send
from shared.catalog import ROOT


def _filled(folder: Path) -> tuple[Journal, str]:
    journal = Journal(folder)
    for number in range(3):
        name, _ = journal.append("case", INSTANCE, {"number": number}, [b"data", bytes([number])])
    return journal, name


def test_records_are_found_with_their_data_aligned(tmp_path: Path) -> None:
    journal, name = _filled(tmp_path)
    journal.seal("case")
    records = list(journal.recover(name, 0))
    raw = journal.path(name).read_bytes()
    assert [r.meta["number"] for r in records] == [0, 1, 2]
    assert [raw[r.offset : r.offset + r.length] for r in records] == [
        b"data\0",
        b"data\1",
        b"data\2",
    ]
    assert all(record.offset % 8 == 0 for record in records)
    assert journal.digest(name) == hashlib.sha256(raw).hexdigest()


def test_a_tail_cut_at_any_byte_is_cut_off_and_the_rest_kept(tmp_path: Path) -> None:
    journal, name = _filled(tmp_path)
    path = journal.path(name)
    whole, keep = path.read_bytes(), [record.end for record in scan(path)][1]
    for length in range(keep, len(whole)):
        path.write_bytes(whole[:length])
        assert len(list(journal.recover(name, 0))) == 2
        assert path.stat().st_size == keep


def test_a_damaged_byte_anywhere_in_the_last_record_is_noticed(tmp_path: Path) -> None:
    journal, name = _filled(tmp_path)
    path = journal.path(name)
    whole, keep = path.read_bytes(), [record.end for record in scan(path)][1]
    for at in range(keep, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert len(list(scan(path))) == 2


def test_a_sealed_segment_is_never_appended_to(tmp_path: Path) -> None:
    journal, name = _filled(tmp_path)
    journal.seal("case")
    other, _ = journal.append("case", INSTANCE, {}, [b""])
    assert (other != name, len(list(scan(journal.path(name))))) == (True, 3)


def test_an_oversized_instance_has_a_segment_of_its_own(tmp_path: Path) -> None:
    journal, small = _filled(tmp_path)
    large, _ = journal.append("case", INSTANCE, {}, [bytes((64 << 20) + 1)])
    after, _ = journal.append("case", INSTANCE, {}, [b""])
    assert len({small, large, after}) == 3


def test_a_full_disk_leaves_the_segment_as_it_was(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    journal, name = _filled(tmp_path)
    size = journal.path(name).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(OSError, match="large"):
            journal.append("case", INSTANCE, {}, [bytes(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.path(name).stat().st_size == size


def test_no_digest_is_kept_of_a_study_that_makes_no_version(house: House) -> None:
    assert send(house.scp.port, [ct(1, Modality="MR")]) == [0]
    assert house.quiet() == []
    journal = house.ingest.journal
    (name,) = [each for each in journal.names() if not each.startswith("decisions")]

    journal.path(name).write_bytes(b"something else")

    assert journal.digest(name) == hashlib.sha256(b"something else").hexdigest()


def test_two_processes_never_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    code = "import pathlib, sys, services.ingest.journal as j; j.Journal(pathlib.Path(sys.argv[1]))"
    second = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    journal.close()
    assert "BlockingIOError" in second.stderr
