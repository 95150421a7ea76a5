"""`clarion send` stores files as they are, and says of each that was not why."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import JPEG2000Lossless, MRImageStorage
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.failure import Failure
from clarion.tests.receiver import Receiver, listening
from phantom.dicom import file_meta, write
from phantom.studies import slab


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as ready:
        yield ready


@pytest.fixture
def study() -> list[Dataset]:
    return slab(1)[:3]


def test_a_folder_arrives_whole_over_one_association(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    paths = write(study, tmp_path / "deep" / "series")
    (tmp_path / "report.txt").write_text("no DICOM")

    done = _send(tmp_path, "--to", receiver.address, "--json")

    said = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (said["stored"], said["skipped"]) == (3, [str(tmp_path / "report.txt")])
    assert receiver.datasets == {_uid(path): _dataset(path) for path in paths}
    assert len(receiver.associations) == 1


def test_compressed_images_are_sent_as_they_lie(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    study[0].file_meta = file_meta(study[0], JPEG2000Lossless)
    study[0].PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\2\0\0\0\xff\x4f"
    study[0]["PixelData"].is_undefined_length = True
    [path, *_] = write(study, tmp_path)

    done = _send(tmp_path, "--to", receiver.address)

    assert done.exit_code == 0
    assert receiver.datasets[_uid(path)] == _dataset(path)


@pytest.mark.parametrize(("lane", "priority"), [(["--lane", "stat"], 1), ([], 0)])
def test_stat_is_asked_for_with_the_priority_of_c_store(
    receiver: Receiver, study: list[Dataset], tmp_path: Path, lane: list[str], priority: int
) -> None:
    write(study, tmp_path)
    _send(tmp_path, "--to", receiver.address, *lane)
    assert receiver.priorities == {priority}


@pytest.mark.parametrize("lane", ["bulk", "routine"])
def test_a_lane_that_c_store_can_not_ask_for_is_wrong_usage(
    receiver: Receiver, study: list[Dataset], tmp_path: Path, lane: str
) -> None:
    write(study, tmp_path)
    done = _send(tmp_path, "--to", receiver.address, "--lane", lane)
    assert done.exit_code == 2
    assert f"stat only, not for {lane}" in " ".join(done.stderr.replace("│", " ").split())
    assert len(receiver.associations) == 0


def test_what_is_refused_is_named_with_status_and_meaning(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    paths = write(study, tmp_path)
    receiver.statuses = {_uid(paths[1]): 0xA700}
    receiver.comment = "The disk is full"

    done = _send(tmp_path, "--to", receiver.address)

    assert done.exit_code == 1
    assert f"{paths[1]}: A700 Refused: Out of Resources: The disk is full" in done.stderr
    assert "2 of 3 instances stored" in done.stdout


def test_a_warning_is_stored_and_told(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    paths = write(study, tmp_path)
    receiver.statuses = {_uid(paths[0]): 0xB000}

    done = _send(tmp_path, "--to", receiver.address, "--json")

    said = json.loads(done.stdout)
    assert done.exit_code == 0
    assert said["noted"] == [
        {"path": str(paths[0]), "status": "B000", "meaning": "Coercion of Data Elements"}
    ]


def test_what_a_lost_association_left_unanswered_is_sent_over_another(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    paths = write(study, tmp_path)
    receiver.silent_once = {_uid(paths[1])}

    done = _send(tmp_path, "--to", receiver.address, "--json")

    assert (done.exit_code, json.loads(done.stdout)["stored"]) == (0, 3)
    assert len(receiver.associations) == 2


def test_a_target_that_goes_for_good_leaves_an_account_of_what_was_stored(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    paths = write(study, tmp_path)
    receiver.ends_at = _uid(paths[1])

    done = _send(tmp_path, "--to", receiver.address, "--json")

    said = json.loads(done.stdout)
    assert (done.exit_code, said["stored"], len(said["refused"])) == (1, 1, 2)
    assert "association" in said["refused"][0]["meaning"]


def test_a_sop_class_that_is_not_accepted_stops_nothing_else(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    study[1].SOPClassUID = MRImageStorage
    study[1].file_meta = file_meta(study[1])
    write(study, tmp_path)

    done = _send(tmp_path, "--to", receiver.address, "--json")

    said = json.loads(done.stdout)
    assert done.exit_code == 1
    assert said["stored"] == 2
    assert "not accepted" in said["refused"][0]["meaning"]


def test_a_rejected_association_says_why(
    receiver: Receiver, study: list[Dataset], tmp_path: Path
) -> None:
    write(study, tmp_path)
    done = _send(tmp_path, "--to", f"NOBODY@127.0.0.1:{receiver.port}")
    assert isinstance(done.exception, Failure)
    assert "1/1/7" in str(done.exception)


def test_without_anything_to_send_nobody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("no DICOM")
    done = _send(tmp_path, "--to", "PACS@127.0.0.1:1")
    assert isinstance(done.exception, Failure)
    assert "no DICOM instance among 1 files" in str(done.exception)


@pytest.mark.parametrize("target", ["PACS", "@127.0.0.1:104", "PACS@127.0.0.1:99999", "A" * 17])
def test_a_target_that_is_none_is_wrong_usage(target: str, tmp_path: Path) -> None:
    assert _send(tmp_path, "--to", target).exit_code == 2


def _send(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(build(), ["send", str(path), *arguments])


def _uid(path: Path) -> str:
    return str(read_file_meta_info(path).MediaStorageSOPInstanceUID)


def _dataset(path: Path) -> bytes:
    """What follows the File Meta Information, whose length its first element tells."""
    meta = dcmread(path, stop_before_pixels=True).file_meta
    start = 128 + 4 + 12 + int(meta.FileMetaInformationGroupLength)
    return path.read_bytes()[start:]
