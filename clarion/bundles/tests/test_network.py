"""Which of a bundle's files its network is made from, and what of a TorchScript is never run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clarion.bundles.convert import convert
from clarion.bundles.tests import written
from clarion.bundles.tests.reference import built, inference
from clarion.bundles.tests.written import LOAD, intensity, orientation, spacing
from deploy.modelrepo.refused import Refused
from shared.events.models import Lane

pytestmark = pytest.mark.torch
torch.set_num_threads(1)

SEGRESNET = {
    "_target_": "SegResNet",
    "spatial_dims": 3,
    "init_filters": 8,
    "in_channels": 1,
    "out_channels": 2,
}
SEGMENTING = written.inference(
    [*LOAD, orientation(), spacing(4, 4, 10), intensity(-1500, 500)],
    written.sliding(16, 16, 8),
    written.to_mask(argmax=True),
)
RESIZE = {"_target_": "Resized", "keys": "image", "spatial_size": [8, 8, 4], "mode": "area"}
CLASSIFYING = written.inference(
    [
        *(*LOAD, orientation(), intensity(-1000, 500)),
        {"_target_": "CropForegroundd", "keys": "image", "source_key": "lung"},
        RESIZE,
    ],
    {"_target_": "SimpleInferer"},
    [{"_target_": "Activationsd", "keys": "pred", "softmax": True}],
)
LESIONS = written.metadata("background", "lesion")


class _Doubled(nn.Module):
    """A segmentation as small as can be."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, 1 - image], dim=1)


class _WritesWhenItRuns(nn.Module):
    """Leaves a file where it is told to, in the background."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def leave(self) -> Tensor:
        return torch.from_file(self.path, shared=True, size=4, dtype=torch.uint8)

    def forward(self, image: Tensor) -> Tensor:
        left: Tensor = torch.jit.wait(torch.jit.fork(self.leave))
        return torch.cat([image, 1 - image], dim=1) + left.sum() * 0


class _WritesWhenItIsLoaded(_Doubled):
    """The same, as soon as it is read from its file."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path, self.training = state
        torch.from_file(self.path, shared=True, size=4, dtype=torch.uint8)


class _Scores(nn.Module):
    """A classifier whose first class is the mean, as a logit, and whose others are nothing."""

    def forward(self, image: Tensor) -> Tensor:
        mean = image.mean(dim=(2, 3, 4))
        return torch.cat([mean, 0 * mean, 0 * mean], dim=1)


def _bundle(
    folder: Path,
    configured: Mapping[str, Any],
    said: Mapping[str, Any] = LESIONS,
    script: nn.Module | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> Path:
    bundle = written.bundle(folder / "bundle", said, configured)
    if script is not None:
        torch.jit.script(script.eval()).save(str(bundle / "models" / "model.ts"))
    if state is not None:
        torch.save(state, bundle / "models" / "model.pt")
    return bundle


def test_a_scripted_segresnet_converts_by_its_weights(tmp_path: Path) -> None:
    network = built(SEGRESNET)
    configured = {**SEGMENTING, "network_def": SEGRESNET}
    bundle = _bundle(tmp_path, configured, script=network, state=network.state_dict())

    made = convert(bundle, tmp_path / "models", "lesions")

    assert [each.name for each in (made.folder / "1").iterdir()] == ["model.onnx"]
    assert not made.notes


def test_a_scripted_segresnet_without_weights_is_kept_and_the_note_says_what_helps(
    tmp_path: Path,
) -> None:
    bundle = _bundle(tmp_path, SEGMENTING, script=built(SEGRESNET))

    made = convert(bundle, tmp_path / "models", "lesions")

    assert [each.name for each in (made.folder / "1").iterdir()] == ["model.pt"]
    told = "\n".join(made.notes)
    assert "model.ts, which is a program, was run" in told
    assert "could not be exported to ONNX" in told
    assert "--use_trace True" in told
    assert all(note in (made.folder / "card.md").read_text() for note in made.notes)


def test_nothing_is_fetched_for_a_network_whose_weights_are_there(tmp_path: Path) -> None:
    fetching = SEGRESNET | {"pretrained_url": "http://127.0.0.1:9/weights.pt"}
    configured = {**SEGMENTING, "network_def": fetching}
    bundle = _bundle(tmp_path, configured, state=built(SEGRESNET).state_dict())

    made = convert(bundle, tmp_path / "models", "lesions")

    assert (made.folder / "1" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("definition", "state", "why"),
    [
        (None, {}, "no network_def"),
        ({"_target_": "scripts.ours.Net"}, {}, "no network of monai.networks.nets"),
        (SEGRESNET | {"norm": 3}, {}, "network_def"),
        (SEGRESNET, {"odd": torch.zeros(1)}, "does not fit network_def"),
    ],
    ids=["no definition", "not MONAI's", "not built", "other weights"],
)
def test_the_script_is_run_where_the_weights_can_not_be_used_and_the_note_says_why(
    tmp_path: Path, definition: Mapping[str, Any] | None, state: Mapping[str, Tensor], why: str
) -> None:
    configured = {**SEGMENTING, "network_def": definition} if definition else SEGMENTING
    bundle = _bundle(tmp_path, configured, script=_Doubled(), state=state)

    made = convert(bundle, tmp_path / "models", "lesions")

    assert (made.folder / "1" / "model.onnx").is_file()
    (note,) = made.notes
    assert why in note


@pytest.mark.parametrize("writes", [_WritesWhenItRuns, _WritesWhenItIsLoaded])
def test_a_script_that_writes_files_is_refused_before_it_runs(
    tmp_path: Path, writes: type[_WritesWhenItRuns | _WritesWhenItIsLoaded]
) -> None:
    left = tmp_path / "left"
    bundle = _bundle(tmp_path, SEGMENTING, script=writes(str(left)))

    with pytest.raises(Refused, match=r"script-not-run.*model\.ts"):
        convert(bundle, tmp_path / "models")

    assert not left.exists()


def test_a_script_that_is_no_script_is_refused(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path, SEGMENTING)
    (bundle / "models" / "model.ts").write_bytes(b"weights")

    with pytest.raises(Refused, match=r"unreadable-network.*model\.ts"):
        convert(bundle, tmp_path / "models")


@pytest.mark.parametrize("scripted", [True, False])
def test_the_class_that_is_looked_for_comes_last_out_of_the_model(
    tmp_path: Path, scripted: bool
) -> None:
    said = written.metadata("COVID-19", "normal", "non-COVID-19")
    network = _Scores() if scripted else _traced()
    bundle = _bundle(tmp_path, CLASSIFYING, said)
    script = torch.jit.script(network) if scripted else network
    script.save(str(bundle / "models" / "model.ts"))

    made = convert(bundle, tmp_path / "models", "classifier")

    image = np.ones((1, 1, 4, 8, 8), np.float32)
    answer = inference(made).infer("classifier", {"volume": image}, ("logits",), Lane.ROUTINE)
    assert answer["logits"].tolist() == [[0, 0, 1]]
    assert any("the report is about 'COVID-19'" in note for note in made.notes)
    assert any("no operating point" in note for note in made.notes)


def _traced() -> torch.jit.ScriptModule:
    traced: torch.jit.ScriptModule = torch.jit.trace(_Scores(), torch.zeros(1, 1, 8, 8, 4))
    return traced


def test_a_class_that_the_names_leave_open_is_said_to_be(tmp_path: Path) -> None:
    said = written.metadata("viral", "bacterial", "normal")
    bundle = _bundle(tmp_path, CLASSIFYING, said, script=_Scores())

    made = convert(bundle, tmp_path / "models", "classifier")

    (note,) = (each for each in made.notes if "the report is about" in each)
    assert "'bacterial'" in note
    assert "leaves open" in note
