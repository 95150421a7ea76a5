"""A folder of Triton models whose versions lie whole beside each other.

    lung_seg/config.pbtxt         what Triton reads: the active version's, and that it answers
    lung_seg/2/model.onnx         a version: weights, …
    lung_seg/2/config.pbtxt       … what they expect, card.md, and origin.yaml
    lung_seg/promotions.jsonl     which version was chosen when

Triton has one config.pbtxt for all versions of a model and ignores what else lies in a version. It
loads every model that lies here when it starts: one that is set aside lies in a folder beside.
"""

import errno
import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deploy.modelrepo import configuration, history, origin
from deploy.modelrepo.history import Promotion
from deploy.modelrepo.origin import Origin, Source
from deploy.modelrepo.refused import Refused
from shared.inference.weights import LEFT_BEHIND, weights_digest

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

    @cached_property
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
            _move(self.folder / name, self._aside / name)

    def take_back(self, name: str) -> None:
        """Let Triton see the model again."""
        if self.is_aside(name):
            _move(self._aside / name, self.folder / name)

    def _model(self, name: str) -> Path:
        return (self._aside if self.is_aside(name) else self.folder) / name

    def versions(self, name: str) -> list[int]:
        """Lowest first. Raises `Refused` for a model that is not here."""
        if name not in self.names():
            known = ", ".join(self.names()) or "none"
            raise Refused("unknown-model", f"no model {name} here; there are: {known}")
        folders = (path.parent.name for path in self._model(name).glob(f"*/{origin.FILE}"))
        return sorted(int(each) for each in folders if each.isdigit())

    def known(self, name: str) -> list[int]:
        """The versions that are here, and those that answered or are to answer and are gone."""
        here, active = self.versions(name), self.active(name)
        chosen = [each.version for each in self.promotions(name)]
        return sorted({*here, *chosen, *([] if active is None else [active])})

    def version(self, name: str, number: int) -> Path:
        """The folder of a version. Raises `Refused` for one that is not here."""
        if number not in self.versions(name):
            known = ", ".join(map(str, self.versions(name)))
            raise Refused("unknown-version", f"{name} has no version {number}; it has: {known}")
        return self._model(name) / str(number)

    def active(self, name: str) -> int | None:
        """The version that answers, as Triton will read it; of a model set aside, that would.

        None where what Triton reads names no version, or is none of its configurations.
        """
        config = self._active_config(name)
        return None if config is None else configuration.chosen_version(config)

    def chosen(self, name: str) -> int | None:
        """The version that is to answer.

        An edit may have taken the number out of what Triton reads, which then lets the highest
        answer, or nothing: it is the one that was chosen last.
        """
        active = self.active(name)
        if active is not None:
            return active
        numbers = [each.version for each in self.promotions(name)] or self.versions(name)
        return numbers[-1] if numbers else None

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

        A number that answered once is never another's: results tell it. What is active and gone
        comes back under its own. The first version of a model is active: Triton can't read a model
        that has none.
        """
        if not _NAME.fullmatch(name):
            raise Refused("bad-name", f"{name!r}: letters, digits, and _ . - after the first")
        is_new = name not in self.names()
        number = (wished or 1) if is_new else self._number(name, candidate, wished)
        with TemporaryDirectory(dir=self.folder.parent, prefix=".adding-") as scratch:
            model = Path(scratch, name)
            _lay_out(model / str(number), candidate, at)
            if is_new:
                text = _active_text(name, number, model / str(number))
                (model / configuration.FILE).write_bytes(text)
                _move(model, self.folder / name)
            else:
                _move(model / str(number), self._model(name) / str(number))
        return number

    def activate(self, name: str, number: int) -> bytes:
        """Let a version answer when Triton next loads the model; returns what was said before.

        The digest that it tells is that of the weights as they are now.
        """
        before = (self._model(name) / configuration.FILE).read_bytes()
        self.put_back(name, _active_text(name, number, self.version(name, number)))
        return before

    def put_back(self, name: str, text: bytes) -> None:
        """Write what Triton reads of a model, whole or not at all."""
        path = self._model(name) / configuration.FILE
        written = path.with_suffix(".new")
        written.write_bytes(text)
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
        if number not in self.versions(name):
            return "files-missing"
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
        if number == self.chosen(name) and self._is_edited(name, number):
            return "active-configuration-changed"
        return None

    def _number(self, name: str, candidate: Candidate, wished: int | None) -> int:
        taken, active, config = self.known(name), self.active(name), self._active_config(name)
        is_gone = active not in self.versions(name)
        if active is not None and is_gone and configuration.key(config) == candidate.key:
            return active
        return wished if wished and wished not in taken else max(taken, default=0) + 1

    def _is_edited(self, name: str, number: int) -> bool:
        """Does Triton read something other than what the active version's folder says?"""
        said, known = self._active_config(name), self.origin(name, number)
        if said is None or configuration.chosen_version(said) != number:
            return True
        return configuration.key(said) != (known.weights, known.configuration)

    def _active_config(self, name: str) -> configuration.ModelConfig | None:
        """What Triton reads; None where an edit made it no configuration."""
        try:
            return configuration.read(self._model(name) / configuration.FILE)
        except Refused:
            return None


def _lay_out(folder: Path, candidate: Candidate, at: datetime) -> None:
    shutil.copytree(candidate.weights, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    if candidate.config.parent != candidate.weights:
        shutil.copyfile(candidate.config, folder / configuration.FILE)
    if candidate.card and candidate.card.parent != candidate.weights:
        shutil.copyfile(candidate.card, folder / CARD)
    weights, config = candidate.key
    origin.write(folder, Origin.of(candidate.source, weights, config, at))


def _active_text(name: str, number: int, version: Path) -> bytes:
    config = configuration.read(version / configuration.FILE)
    return configuration.for_version(config, name, number, weights_digest(version)).encode()


def _move(source: Path, target: Path) -> None:
    """Whole or not at all, also to another disk, on which a home's models may lie."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with TemporaryDirectory(dir=target.parent, prefix=".moving-") as scratch:
            shutil.copytree(source, Path(scratch, target.name)).rename(target)
        shutil.rmtree(source)
