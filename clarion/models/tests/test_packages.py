"""What an operator hands over: zips of every make, a version by itself, a bundle under a name."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.bundles import convert
from clarion.models.packages import opened
from clarion.models.tests import bundles
from deploy.modelrepo.candidates import candidates
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.tests.models import OURS, put

ENCRYPTED = 1
"""Bit 0 of a member's flags."""


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A model, `lungs`, in a zip as it should be."""
    model = put(tmp_path / "made" / "lungs", b"weights" * 1000)
    with zipfile.ZipFile(tmp_path / "lungs.zip", "w") as archive:
        for each in sorted(model.rglob("*")):
            archive.write(each, each.relative_to(model.parent))
    return tmp_path / "lungs.zip"


def _with_what_a_mac_adds(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/lungs/._config.pbtxt", b"attributes")
        archive.writestr(".DS_Store", b"the places of icons")


def test_what_a_mac_packs_is_the_model(packed: Path, tmp_path: Path) -> None:
    _with_what_a_mac_adds(packed)

    package = opened(packed, tmp_path / "scratch", None)

    assert (package.name, [*candidates(package.folder, OURS)]) == ("lungs", [1])


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.find(b"weights") + 100] ^= 1
    path.write_bytes(content)


def _encrypt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags] |= ENCRYPTED
            at = content.find(signature, at + 1)
    path.write_bytes(content)


def _inflate(path: Path) -> None:
    """Let it tell of more than any disk holds."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("lungs/1/more", b"")
        archive.filelist[-1].file_size = 2**60


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_damage, "bad-zip"), (_encrypt, "bad-zip"), (_inflate, "no-room")],
)
def test_a_zip_that_can_not_be_unpacked_is_refused(
    packed: Path, tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(packed)
    with pytest.raises(Refused, match=code):
        opened(packed, tmp_path / "scratch", None)


def test_a_version_by_itself_goes_by_its_models_name(tmp_path: Path) -> None:
    version = put(tmp_path / "ours", b"weights", version="12") / "12"

    package = opened(version, tmp_path / "scratch", None)

    assert (package.name, [*candidates(package.folder, OURS)]) == ("ours", [12])


@pytest.mark.parametrize(
    ("given", "name"), [("lung-seg", "lung-seg"), ("Lungs_2", "Lungs_2"), (None, "their_lungs")]
)
def test_a_bundle_goes_by_the_name_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, name: str
) -> None:
    monkeypatch.setattr(convert, "convert", bundles.convert)
    bundle = bundles.bundle(tmp_path / "Their-Lungs")

    assert opened(bundle, tmp_path / "scratch", given).name == name
