"""The digest of a version's weights."""

import hashlib
from pathlib import Path

import pytest

from shared.inference.weights import weights_digest


def test_one_file_has_its_own_digest_whatever_is_said_beside_it(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    (tmp_path / "card.md").write_text("about them")

    assert weights_digest(tmp_path) == hashlib.sha256(b"weights").hexdigest()


def test_of_several_files_each_counts_and_so_does_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "model.onnx.data").write_bytes(b"weights")
    whole = weights_digest(tmp_path)

    (tmp_path / "model.onnx.data").rename(tmp_path / "other.data")

    assert weights_digest(tmp_path) != whole


def test_a_folder_without_weights_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        weights_digest(tmp_path)
