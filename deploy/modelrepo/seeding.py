"""Brings the models that come with Clarion into a home, and overrules nobody there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.modelrepo.candidates import candidates, is_triton_model
from deploy.modelrepo.origin import REFERENCE, Source
from deploy.modelrepo.repository import CARD, Candidate, Repository

_SOURCE = Source(source=REFERENCE, licence="Apache-2.0")


@dataclass(frozen=True)
class Seeded:
    """A reference version that is new in this home, and whether it answers from now on."""

    name: str
    version: int
    answers: bool


def seed(repository: Repository, reference: Path, at: datetime) -> list[Seeded]:
    """Add each reference version that the repository lacks.

    The newest answers where nobody chose otherwise: a model whose last promotion was the
    operator's, or that is unloaded, stays as it is, and the new version waits. To be called while
    no server reads the repository.
    """
    with repository.changing():
        models = sorted(each for each in reference.iterdir() if is_triton_model(each))
        return [each for model in models for each in _seed_model(repository, model, at)]


def _seed_model(repository: Repository, model: Path, at: datetime) -> Iterator[Seeded]:
    name = model.name
    for number, candidate in candidates(model, _SOURCE).items():
        held = repository.holding(name, candidate.key)
        if held is not None:
            _renew_card(repository.version(name, held), candidate)
            continue
        added = repository.add(name, candidate, at, number)
        chosen_here = any(each.by == "operator" for each in repository.promotions(name)[-1:])
        answers = not chosen_here and not repository.is_aside(name)
        if answers:
            repository.activate(name, added)
            repository.note(name, added, "promote", "reference", at)
        yield Seeded(name, added, answers)


def _renew_card(version: Path, candidate: Candidate) -> None:
    """A card may come to know more about weights that stay the same."""
    if candidate.card:
        shutil.copyfile(candidate.card, version / CARD)
