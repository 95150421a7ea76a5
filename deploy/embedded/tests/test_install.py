"""What is installed is there whole or not at all, and is what the lock names."""

from pathlib import Path

import pytest

from deploy.embedded import triton_files
from deploy.embedded.cache import InstallFailed, install_once, named_after
from deploy.embedded.jars import LOCK, locked_jars, verify_jars


def test_an_installation_that_broke_off_is_begun_anew(tmp_path: Path) -> None:
    target = tmp_path / "thing"

    def breaks(scratch: Path) -> None:
        (scratch / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_once(target, breaks)
    assert not target.exists()

    assert install_once(target, lambda scratch: (scratch / "whole").touch())
    assert [each.name for each in target.iterdir()] == ["whole"]


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    install_once(tmp_path / "thing", lambda scratch: (scratch / "first").touch())

    assert not install_once(tmp_path / "thing", lambda scratch: (scratch / "second").touch())
    assert (tmp_path / "thing" / "first").exists()


def test_another_lock_is_another_folder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("a 1")
    before = named_after("kafka", lock)
    lock.write_text("a 2")

    assert named_after("kafka", lock) != before


def test_an_altered_jar_is_found(tmp_path: Path) -> None:
    for jar in locked_jars():
        (tmp_path / jar.file_name).write_bytes(b"something else")

    with pytest.raises(InstallFailed, match="sha256"):
        verify_jars(tmp_path)


def test_every_part_of_the_broker_is_of_one_version() -> None:
    versions = {jar.version for jar in locked_jars() if jar.group == "org.apache.kafka"}

    assert versions == {"4.1.1"}


@pytest.mark.parametrize("lock", [LOCK, triton_files.LOCK])
def test_locks_hold_hashes_and_no_addresses(lock: Path) -> None:
    content = lock.read_text()

    assert "://" not in content
    assert "sha256" in content or all(len(line.split()[1]) == 64 for line in content.splitlines())
