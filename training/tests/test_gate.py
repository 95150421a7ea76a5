"""The gates that models carry notice what is no chest lying as it should, and pass one that is."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from phantom import Recipe, draw
from shared.imaging.appearance import FEATURES, TURNS
from shared.imaging.gate import Gate, Judged, read_gate
from shared.imaging.model_parameters import SegmentationParameters, read_parameters
from shared.imaging.segment import prepare
from shared.imaging.volume import Volume
from training import config
from training.gate import NAMES, limited, write
from training.gate_figures import warned
from training.phantoms import FIRST_HELD_OUT
from training.strange import STRANGE

CONFIG = (
    'name: "some"\n'
    'parameters { key: "kind" value: { string_value: "segmentation" } }\n'
    'parameters { key: "sha256" value: { string_value: "ab" } }\n'
)
SUBTLE = {"left to right", "below"}
"""What a gate overlooks now and then; `gate.json` tells how often."""


def _rows(count: int) -> NDArray[np.float64]:
    shape = (count, 1 + len(TURNS), len(FEATURES))
    return np.random.default_rng(count).standard_normal(shape)


def _gate() -> Gate:
    return limited(_rows(300)[:, 0], _rows(200))


@pytest.fixture(scope="module")
def chest() -> Volume:
    """A plain phantom that nothing was trained on."""
    phantoms = config.read_phantoms()
    recipe = Recipe(
        seed=FIRST_HELD_OUT,
        kind="healthy",
        lesions=0,
        shape=phantoms.shape,
        spacing=phantoms.spacing,
    )
    z, y, x = phantoms.spacing
    return Volume(draw(recipe).hu, (x, y, z))


def _judged(chest: Volume, name: str, kind: str | None) -> Judged:
    said = config.read_parameters(name)
    parameters = read_parameters(SegmentationParameters, name, said)
    hu = prepare(chest, parameters).hu
    if kind:
        hu = STRANGE[kind](hu, parameters.spacing_mm[0], np.random.default_rng(0))
    return read_gate(said["gate"]).judge(hu, parameters.spacing_mm)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_phantom_is_not_warned_of(chest: Volume, name: str) -> None:
    assert _judged(chest, name, None).reasons == ()


@pytest.mark.parametrize("kind", sorted(set(STRANGE) - SUBTLE))
@pytest.mark.parametrize("name", NAMES)
def test_what_is_strange_is_warned_of(chest: Volume, name: str, kind: str) -> None:
    assert _judged(chest, name, kind).unusual


def test_a_gate_replaces_an_older_one_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text(CONFIG)

    write(_gate(), tmp_path)
    write(_gate().model_copy(update={"limit": 4.5}), tmp_path)
    text = (tmp_path / "config.pbtxt").read_text()
    write(_gate().model_copy(update={"limit": 4.5}), tmp_path)

    parameters = config.read_parameters(str(tmp_path))
    assert (tmp_path / "config.pbtxt").read_text() == text
    assert list(parameters) == ["kind", "sha256", "gate"]
    assert read_gate(parameters["gate"]).limit == 4.5


def test_what_can_not_be_measured_is_not_fitted_to() -> None:
    rows, limiting = _rows(300)[:, 0], _rows(200)
    with_gaps = np.concatenate([rows, np.full((3, len(FEATURES)), np.nan)])

    assert limited(with_gaps, limiting) == limited(rows, limiting)


def test_figures_count_what_is_warned_of() -> None:
    images = _rows(50) * 0.1
    images[:7, 0, 0] += 50

    figures = warned(_gate(), images)

    assert (figures["images"], figures["warned"]) == (50, 7)
    assert figures["reasons"][FEATURES[0]] == 7


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_strange_is_an_image_of_its_own(kind: str) -> None:
    hu = np.random.default_rng(0).uniform(-1000, 400, (40, 48, 48)).astype(np.float32)
    before = hu.copy()

    made = STRANGE[kind](hu, 4.0, np.random.default_rng(1))

    assert np.array_equal(hu, before)
    assert made.ndim == 3
    assert not np.array_equal(made, hu)
