"""A MONAI bundle in, a Triton model with the pipeline's parameters out."""

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clarion.bundles import inferer, metadata, postprocessing, preprocessing, recipe
from clarion.bundles.classes import Classes
from clarion.bundles.component import components
from clarion.bundles.model_folder import write_card, write_configuration
from clarion.bundles.package import Bundle, opened
from clarion.bundles.recipe import Recipe
from clarion.bundles.references import followed
from deploy.modelrepo.refused import Refused

_NO_BACKEND = (
    "the weights are TorchScript, which the embedded Triton has no backend for: serve this model "
    "with a Triton that has the pytorch backend (NVIDIA's container)"
)

_EXPORT_ANEW = (
    "give the bundle models/model.pt with network_def in configs/inference.json, or export "
    "model.ts with --use_trace True: a network that is traced goes to ONNX where a scripted one "
    "does not"
)


@dataclass(frozen=True)
class Converted:
    """The model's folder, `<into>/<name>`, and what its operator should know."""

    name: str
    folder: Path
    notes: tuple[str, ...]


def convert(bundle: Path, into: Path, name: str | None = None) -> Converted:
    """Convert a bundle (folder or zip) into a new folder of `into`.

    Python of the bundle is never run; its TorchScript is, where the network can't be had otherwise.
    Raises `Refused` for what the pipeline can't express, for a name that is taken, and where
    PyTorch is missing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = opened(bundle, Path(scratch))
        read = read_recipe(found)
        made = Path(into, named(name or found.folder.name))
        if made.exists():
            raise Refused("name-taken", f"{made} exists already; give another name")
        _need_torch(found)
        staged = Path(scratch, "staged", made.name)
        (staged / "1").mkdir(parents=True)
        notes = _written(staged, made.name, found, read)
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staged, made)
    return Converted(made.name, made, notes)


def read_recipe(bundle: Bundle) -> Recipe:
    """What the configuration says, whole. Raises `Refused`."""
    said = metadata.read(bundle.metadata, bundle.folder)
    steps = {
        section: components(section, followed(bundle.inference.get(section), bundle.inference))
        for section in ("preprocessing", "inferer", "postprocessing")
    }
    return recipe.checked(
        Recipe(
            said,
            preprocessing.read(steps["preprocessing"], said.image),
            inferer.read(steps["inferer"]),
            postprocessing.read(steps["postprocessing"]),
        )
    )


def named(text: str) -> str:
    """A name that a folder, Triton and a pipeline definition can bear."""
    return re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_") or "model"


def _written(folder: Path, name: str, bundle: Bundle, read: Recipe) -> tuple[str, ...]:
    # Imported here: it needs PyTorch, which nothing else of the pipeline does.
    from clarion.bundles import network

    size, any_size = recipe.input_size(read), read.before.size is None and not read.inferer.window
    net, why_script = network.opened(bundle)
    channels = network.output_channels(net, size, read.classifies)
    parameters = recipe.parameters(read, channels)
    classes = read.classes(channels) if read.classifies else None
    order = classes.channels if classes else None
    made = network.export(net, size, folder / "1", order, any_size)
    spatial = [-1, -1, -1] if any_size else list(reversed(size))
    digest = hashlib.sha256(made.path.read_bytes()).hexdigest()
    write_configuration(
        folder / "config.pbtxt",
        name,
        "pytorch" if made.why_torchscript else "onnxruntime",
        (made.input_tensor, made.output_tensor),
        ([1, *spatial], [channels] if read.classifies else [channels, *spatial]),
        parameters
        | {"input_tensor": made.input_tensor, "output_tensor": made.output_tensor}
        | {"sha256": digest},
    )
    notes = (
        *_notes_on_network(why_script, made.why_torchscript),
        *(_notes_on_classes(classes) if classes else _notes_on_masks(read)),
    )
    runtime = "TorchScript" if made.why_torchscript else "ONNX Runtime"
    card = folder / "card.md"
    write_card(card, name, read.metadata, read.before.steps, notes, (runtime, made.difference))
    return notes


def _notes_on_network(why_script: str | None, why_torchscript: str | None) -> list[str]:
    """What the operator should know of where the weights came from, and what they became."""
    notes = []
    if why_script:
        notes.append(f"models/model.ts, which is a program, was run to convert it ({why_script})")
    if why_torchscript:
        notes.append(
            f"the network could not be exported to ONNX ({why_torchscript}); {_NO_BACKEND}"
        )
        if why_script:
            notes.append(_EXPORT_ANEW)
    return notes


def _notes_on_classes(classes: Classes) -> list[str]:
    """What the operator should know of a classifier's report."""
    about = f"the report is about {classes.subject!r}, the last of the model's classes"
    if not classes.plain:
        about += "; channel_def leaves open which of them is looked for"
    notes = [about]
    if classes.threshold is None:
        notes.append("the bundle tells no operating point, so the report has none")
    notes.append("the mask of the lungs is the pipeline's own, at the scan's voxels")
    notes.append("the pipeline reports probabilities; the class is the reader's to judge")
    return notes


def _notes_on_masks(read: Recipe) -> list[str]:
    """What the pipeline does with a mask in its own way."""
    notes = []
    if not read.after.inverted:
        notes.append("the bundle leaves the mask at the model's spacing; here it is the scan's")
    if not read.after.cut:
        notes.append("the bundle leaves probabilities; here the likeliest label is taken")
    if read.inferer.window is None:
        notes.append("a scan goes through the network whole: its memory grows with the scan")
    return notes


def _need_torch(bundle: Bundle) -> None:
    needed = ["torch", "onnx", "onnxruntime", *([] if bundle.torchscript else ["monai"])]
    missing = [each for each in needed if find_spec(each) is None]
    if missing:
        raise Refused(
            "pytorch-missing",
            f"converting a bundle needs {', '.join(missing)}, which only this needs. Install them "
            f"beside it (pip install {' '.join(missing)}), or convert in the training environment: "
            "`python -m clarion.bundles BUNDLE FOLDER`, then add the folder",
        )
