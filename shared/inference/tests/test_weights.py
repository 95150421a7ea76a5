"""The digest of a version's weights."""

import hashlib
from pathlib import Path

import pytest

from shared.inference.weights import weights_digest


@pytest.mark.parametrize(
    "beside",
    [
        *("card.md", "README.md", "notes.yaml", "config.pbtxt", "origin.yaml"),
        *(".DS_Store", "._model.onnx", "__pycache__/model.pyc", ".ipynb_checkpoints/model.onnx"),
    ],
)
def test_one_file_has_its_own_digest_whatever_lies_beside_it(tmp_path: Path, beside: str) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_text("about them")

    assert weights_digest(tmp_path) == hashlib.sha256(b"weights").hexdigest()


def test_a_copy_of_the_weights_is_a_file_that_counts(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"others")
    (tmp_path / "model.onnx.bak").write_bytes(b"weights")

    assert weights_digest(tmp_path) not in {
        hashlib.sha256(each.read_bytes()).hexdigest() for each in tmp_path.iterdir()
    }


def test_of_several_files_each_counts_and_so_does_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "model.onnx.data").write_bytes(b"weights")
    whole = weights_digest(tmp_path)

    (tmp_path / "model.onnx.data").rename(tmp_path / "other.data")

    assert weights_digest(tmp_path) != whole


def test_a_folder_without_weights_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        weights_digest(tmp_path)
