"""A folder of Triton models whose versions lie whole beside each other.

    lung_seg/config.pbtxt         what Triton reads: the active version's, and that it answers
    lung_seg/2/model.onnx         a version: weights, …
    lung_seg/2/config.pbtxt       … what they expect, card.md, and origin.yaml
    lung_seg/promotions.jsonl     which version was chosen when

Triton has one config.pbtxt for all versions of a model and ignores what else lies in a version. It
loads every model that lies here when it starts: one that is set aside lies in a folder beside.
"""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deploy.modelrepo import configuration, history, origin
from deploy.modelrepo.history import Promotion
from deploy.modelrepo.origin import Origin, Source
from deploy.modelrepo.refused import Refused
from shared.inference.weights import weights_digest

CARD = "card.md"
_MODELS = f"*/{configuration.FILE}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Candidate:
    """A version outside the repository: a folder of weights, their configuration and card."""

    weights: Path
    config: Path
    card: Path | None
    source: Source

    @property
    def key(self) -> tuple[str, str]:
        """Two versions with the same key are the same version."""
        return weights_digest(self.weights), configuration.fingerprint(
            configuration.read(self.config)
        )


class Repository:
    """See the module; changes happen inside `changing()`, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._aside = folder.with_name(f"{folder.name}-unloaded")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes the repository meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / "models.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def names(self) -> list[str]:
        here = (*self.folder.glob(_MODELS), *self._aside.glob(_MODELS))
        return sorted(path.parent.name for path in here)

    def is_aside(self, name: str) -> bool:
        """Does Triton not see the model, so that none of its versions answers?"""
        return (self._aside / name / configuration.FILE).is_file()

    def set_aside(self, name: str) -> None:
        """Let no start of Triton load the model."""
        self._aside.mkdir(exist_ok=True)
        if not self.is_aside(name):
            (self.folder / name).rename(self._aside / name)

    def take_back(self, name: str) -> None:
        """Let Triton see the model again."""
        if self.is_aside(name):
            (self._aside / name).rename(self.folder / name)

    def _model(self, name: str) -> Path:
        return (self._aside if self.is_aside(name) else self.folder) / name

    def versions(self, name: str) -> list[int]:
        """Lowest first. Raises `Refused` for a model that is not here."""
        if name not in self.names():
            known = ", ".join(self.names()) or "none"
            raise Refused("unknown-model", f"no model {name} here; there are: {known}")
        folders = (path.parent.name for path in self._model(name).glob(f"*/{origin.FILE}"))
        return sorted(int(each) for each in folders if each.isdigit())

    def version(self, name: str, number: int) -> Path:
        """The folder of a version. Raises `Refused` for one that is not here."""
        if number not in self.versions(name):
            known = ", ".join(map(str, self.versions(name)))
            raise Refused("unknown-version", f"{name} has no version {number}; it has: {known}")
        return self._model(name) / str(number)

    def active(self, name: str) -> int | None:
        """The version that answers, as Triton will read it; of a model set aside, that would."""
        return configuration.chosen_version(self._active_config(name))

    def origin(self, name: str, number: int) -> Origin:
        return origin.read(self.version(name, number))

    def parameters(self, name: str, number: int) -> dict[str, str]:
        config = configuration.read(self.version(name, number) / configuration.FILE)
        return dict(configuration.parameters(config))

    def promotions(self, name: str) -> list[Promotion]:
        return history.read(self._model(name))

    def holding(self, name: str, key: tuple[str, str]) -> int | None:
        """The version with these weights and this configuration, if there is one."""
        if name not in self.names():
            return None
        for number in self.versions(name):
            known = self.origin(name, number)
            if (known.weights, known.configuration) == key:
                return number
        return None

    def add(self, name: str, candidate: Candidate, at: datetime, wished: int | None = None) -> int:
        """Lay a version beside the others, under the wished number if that is free, else the next.

        The first version of a model is active: Triton can't read a model that has none.
        """
        if not _NAME.fullmatch(name):
            raise Refused("bad-name", f"{name!r}: letters, digits, and _ . - after the first")
        taken = self.versions(name) if name in self.names() else []
        number = wished if wished and wished not in taken else max(taken, default=0) + 1
        with TemporaryDirectory(dir=self.folder.parent, prefix=".adding-") as scratch:
            model = Path(scratch, name)
            _lay_out(model / str(number), candidate, at)
            if taken:
                (model / str(number)).rename(self._model(name) / str(number))
            else:
                text = _active_text(name, number, model / str(number))
                (model / configuration.FILE).write_text(text, encoding="utf-8")
                model.rename(self.folder / name)
        return number

    def activate(self, name: str, number: int) -> str:
        """Let a version answer when Triton next loads the model; returns what was said before.

        The digest that it tells is that of the weights as they are now.
        """
        before = (self._model(name) / configuration.FILE).read_text(encoding="utf-8")
        self.put_back(name, _active_text(name, number, self.version(name, number)))
        return before

    def put_back(self, name: str, text: str) -> None:
        """Write what Triton reads of a model, whole or not at all."""
        path = self._model(name) / configuration.FILE
        written = path.with_suffix(".new")
        written.write_text(text, encoding="utf-8")
        written.replace(path)

    def note(
        self,
        name: str,
        number: int,
        action: Literal["promote", "rollback"],
        by: Literal["operator", "reference"],
        at: datetime,
    ) -> None:
        promotion = Promotion(at=at, action=action, version=number, by=by)
        history.note(self._model(name), promotion)

    def remove(self, name: str) -> None:
        """Take a whole model away."""
        shutil.rmtree(self.folder / name)

    def changed(self, name: str, number: int) -> str | None:
        """The code of what is not as it came, found by reading every byte again; or None."""
        folder, known = self.version(name, number), self.origin(name, number)
        try:
            weights = weights_digest(folder)
            config = configuration.read(folder / configuration.FILE)
        except (FileNotFoundError, Refused):
            return "files-missing"
        if weights != known.weights:
            return "weights-changed"
        if configuration.fingerprint(config) != known.configuration:
            return "configuration-changed"
        if number == self.active(name) and self._is_edited(name, number):
            return "active-configuration-changed"
        return None

    def _is_edited(self, name: str, number: int) -> bool:
        """Does Triton read something other than what the active version's folder says?"""
        said, known = self._active_config(name), self.origin(name, number)
        digest = configuration.parameters(said).get("sha256")
        return (digest, configuration.fingerprint(said)) != (known.weights, known.configuration)

    def _active_config(self, name: str) -> configuration.ModelConfig:
        return configuration.read(self._model(name) / configuration.FILE)


def _lay_out(folder: Path, candidate: Candidate, at: datetime) -> None:
    shutil.copytree(candidate.weights, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if candidate.config.parent != candidate.weights:
        shutil.copyfile(candidate.config, folder / configuration.FILE)
    if candidate.card and candidate.card.parent != candidate.weights:
        shutil.copyfile(candidate.card, folder / CARD)
    weights, config = candidate.key
    origin.write(folder, Origin.of(candidate.source, weights, config, at))


def _active_text(name: str, number: int, version: Path) -> str:
    config = configuration.read(version / configuration.FILE)
    return configuration.for_version(config, name, number, weights_digest(version))
