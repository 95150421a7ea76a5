"""A gate stands in a model's configuration once, however often it is fitted."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.imaging.appearance import FEATURES
from shared.imaging.gate import Gate, fitted, read_gate
from training.config import read_parameters
from training.gate import distances, warned, write
from training.strange import STRANGE

CONFIG = (
    'name: "some"\n'
    'parameters { key: "kind" value: { string_value: "segmentation" } }\n'
    'parameters { key: "sha256" value: { string_value: "ab" } }\n'
)


def _rows(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(count).standard_normal((count, len(FEATURES)))


def _gate(limit: float) -> Gate:
    return fitted(_rows(200), 0.02, limit)


def test_a_gate_replaces_an_older_one_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text(CONFIG)

    write(_gate(3.5), {}, tmp_path)
    write(_gate(4.5), {}, tmp_path)
    text = (tmp_path / "config.pbtxt").read_text()
    write(_gate(4.5), {}, tmp_path)

    parameters = read_parameters(str(tmp_path))
    assert (tmp_path / "config.pbtxt").read_text() == text
    assert list(parameters) == ["kind", "sha256", "gate"]
    assert read_gate(parameters["gate"]).limit == 4.5


def test_the_limit_decides_what_is_warned_of() -> None:
    gate, rows = _gate(3.5), _rows(400)
    rows[:7] += 50

    figures = warned(gate, rows)

    assert figures["warned"] == int((distances(gate, rows) > 3.5).sum()) >= 7
    assert figures["images"] == 400


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_strange_is_an_image_of_its_own(kind: str) -> None:
    hu = np.random.default_rng(0).uniform(-1000, 400, (40, 48, 48)).astype(np.float32)
    before = hu.copy()

    made = STRANGE[kind](hu, 4.0, np.random.default_rng(1))

    assert np.array_equal(hu, before)
    assert made.ndim == 3
    assert not np.array_equal(made, hu)
