"""A result tells the digest of the weights that made it."""

import shutil
from pathlib import Path

import pytest

from shared.inference.weights import weights_digest
from training.stamp import models, newest_version, stamp, stamped_digest


@pytest.mark.parametrize("model", models(), ids=lambda path: path.name)
def test_each_model_tells_the_digest_of_its_weights(model: Path) -> None:
    assert stamped_digest(model) == weights_digest(newest_version(model)), (
        "run python -m training.stamp"
    )


def test_other_weights_get_another_digest(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(models()[0], copy)
    (copy / "1/model.onnx").write_bytes(b"other weights")
    assert stamped_digest(copy) != weights_digest(newest_version(copy))
    stamp(copy)
    stamp(copy)
    assert stamped_digest(copy) == weights_digest(newest_version(copy))
    assert (copy / "config.pbtxt").read_text().count("sha256") == 1
