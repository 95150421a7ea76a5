"""Who types `clarion models` for a home that is up."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from typer.testing import CliRunner

from clarion.__main__ import build


@dataclass(frozen=True)
class Operator:
    """The operator of a home, who cares for one model."""

    home: Path
    model: str

    def types(self, *words: str) -> Any:
        """What the command answers as JSON."""
        command = ["models", *words, "--json", "--home", str(self.home)]
        done = CliRunner().invoke(build(), command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def answering(self) -> int:
        """The version that answers."""
        [active] = [
            each["version"]
            for each in self.types("list")
            if each["name"] == self.model and each["active"]
        ]
        return int(active)


def another(
    model: Path, version: int, folder: Path, change: Callable[[onnx.ModelProto], None]
) -> Path:
    """A model like this one whose graph is changed, to be added as its next version."""
    made = folder / model.name
    shutil.copytree(model / str(version), made / "1")
    shutil.copyfile(model / "config.pbtxt", made / "config.pbtxt")
    graph = onnx.load(made / "1" / "model.onnx")
    change(graph)
    onnx.save(graph, made / "1" / "model.onnx")
    return made
