"""Models that answer in a moment, in place of the trained ones: same tensors, same parameters.

They make some sense of a phantom, so that every plausibility check passes and each stage has
something to do: what is as dark as lung is lung, left or right by its place; what is half as dark
is lesion.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from onnx import parser

from deploy.embedded.cache import REPOSITORY
from deploy.embedded.home import Home
from deploy.modelrepo import configuration
from deploy.modelrepo.origin import Source
from deploy.modelrepo.repository import Candidate, Repository

_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
_SOURCE = Source(source="chaos")
_TRAINED = ('key: "gate"', 'key: "border_hu"')
"""Of the trained weights alone: these models take the skin for lung, too, and air is beside it."""

# Intensities are scaled: -1000 HU is -1 and 400 HU is 1. DICOM's x runs to the patient's left.
_LUNGS = """
lung_seg (float[n,1,z,y,x] volume) => (float[n,3,z,y,x] probabilities) {
  smooth = AveragePool <kernel_shape = [3,3,3], pads = [1,1,1,1,1,1]> (volume)
  air = Constant <value_float = -0.95> ()
  tissue = Constant <value_float = -0.3> ()
  above = Greater (smooth, air)
  below = Less (smooth, tissue)
  lung = And (above, below)
  shape = Shape (volume)
  ones = ConstantOfShape <value = float[1] {1}> (shape)
  last = Constant <value_int = 4> ()
  place = CumSum (ones, last)
  width = Gather (shape, last)
  wide = Cast <to = 1> (width)
  two = Constant <value_float = 2.0> ()
  middle = Div (wide, two)
  on_the_left = Greater (place, middle)
  on_the_right = Not (on_the_left)
  left = And (lung, on_the_left)
  right = And (lung, on_the_right)
  background = Not (lung)
  every = Concat <axis = 1> (background, left, right)
  probabilities = Cast <to = 1> (every)
}
"""
_LESIONS = """
lesion_seg (float[n,1,z,y,x] volume) => (float[n,1,z,y,x] probabilities) {
  smooth = AveragePool <kernel_shape = [3,3,3], pads = [1,1,1,1,1,1]> (volume)
  lung = Constant <value_float = -0.6> ()
  tissue = Constant <value_float = -0.2> ()
  above = Greater (smooth, lung)
  below = Less (smooth, tissue)
  lesion = And (above, below)
  probabilities = Cast <to = 1> (lesion)
}
"""
_CLASSES = """
covid_classifier (float[n,1,64,96,96] volume)
    => (float[n,2] probabilities, float[n,1,32,48,48] saliency) {
  mean = ReduceMean <axes = [2,3,4], keepdims = 0> (volume)
  one = Constant <value_float = 1.0> ()
  covid = Sigmoid (mean)
  other = Sub (one, covid)
  probabilities = Concat <axis = 1> (other, covid)
  lifted = Add (volume, one)
  saliency = AveragePool <kernel_shape = [2,2,2], strides = [2,2,2]> (lifted)
}
"""
GRAPHS: Mapping[str, str] = {
    "lung_seg": _LUNGS,
    "lesion_seg": _LESIONS,
    "covid_classifier": _CLASSES,
}


def make_instant(home: Home) -> None:
    """Put the instant models into a new home, where they answer from the start.

    As an operator's choice: the reference models are then laid beside them, and wait.
    """
    repository, now = Repository(home.models), datetime.now(UTC)
    with repository.changing():
        for name, graph in GRAPHS.items():
            with TemporaryDirectory() as scratch:
                number = repository.add(name, _candidate(Path(scratch), name, graph), now)
            repository.note(name, number, "promote", "operator", now)


def _candidate(folder: Path, name: str, graph: str) -> Candidate:
    model = parser.parse_model(_HEAD + graph)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    reference = (REPOSITORY / "models" / name / configuration.FILE).read_text(encoding="utf-8")
    kept = (line for line in reference.splitlines() if not any(own in line for own in _TRAINED))
    (folder / configuration.FILE).write_text("\n".join(kept), encoding="utf-8")
    return Candidate(folder, folder / configuration.FILE, None, _SOURCE)
