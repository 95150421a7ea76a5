"""Which version answers: chosen, taken back, loaded, and the repository left whole if it fails."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clarion.models.server import ModelServer, ServerDown
from deploy.modelrepo import history
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Candidate, Repository

EDITED = "active-configuration-changed"
_CHANGED = {
    "weights-changed": "its weights are not those that were added",
    "configuration-changed": "its config.pbtxt is not the one that was added",
    EDITED: "what Triton reads of it was edited by hand",
    "files-missing": "files of it are gone or can't be read",
}
_REMEDY = {
    "files-missing": "bring them back; until then promote another version",
    EDITED: "promote or load it again to write that anew; to keep the edit, add it as a version",
}
_OTHER = "bring the file back, or add what is there now as a version of its own"


@dataclass(frozen=True)
class Chosen:
    """The version that answers, the one that did before, and whether the server knows already."""

    name: str
    version: int
    before: int | None
    loaded: bool


@dataclass(frozen=True)
class Added:
    """A version in the repository; `new` unless it was there already."""

    name: str
    version: int
    new: bool
    answers: bool
    loaded: bool


@dataclass(frozen=True)
class Switched:
    """The version that answers now, if one does, and whether the server knows already.

    `renewed`: what Triton reads of it had been edited by hand.
    """

    name: str
    version: int | None
    known: bool
    renewed: bool = False


def explained(code: str) -> str:
    """A code of `Repository.changed` in words, with what to do."""
    return f"{_CHANGED[code]}; {_REMEDY.get(code, _OTHER)}"


def promote(
    repository: Repository, server: ModelServer, name: str, number: int, at: datetime
) -> Chosen:
    """Let a version answer. Raises `Refused`, and then the one before goes on answering."""
    with repository.changing():
        return _choose(repository, server, name, number, at, "promote")


def rollback(repository: Repository, server: ModelServer, name: str, at: datetime) -> Chosen:
    """Let the version answer that did before the last promotion. Raises `Refused`."""
    with repository.changing():
        repository.versions(name)
        before = history.before_last(repository.promotions(name))
        if before is None:
            raise Refused("nothing-before", f"no version of {name} answered before this one")
        return _choose(repository, server, name, before, at, "rollback")


def load(repository: Repository, server: ModelServer, name: str) -> Switched:
    """Load the active version anew, its bytes checked first. Raises `Refused`.

    What Triton reads of it is written anew where it was edited by hand: what answers is what was
    added. A model that was unloaded is the repository's again; it stays aside if it can't be
    loaded.
    """
    with repository.changing():
        active = _chosen(repository, name)
        renewed = _require_unchanged(repository, name, active)
        was_aside = repository.is_aside(name)
        repository.take_back(name)
        if renewed:
            repository.activate(name, active)
        try:
            return Switched(name, active, _loaded(server, name), renewed)
        except Refused:
            if was_aside:
                repository.set_aside(name)
            raise


def unload(repository: Repository, server: ModelServer, name: str) -> Switched:
    """Let no version answer until it is loaded again, however often the server starts.

    Raises `Refused`.
    """
    with repository.changing():
        repository.versions(name)
        try:
            server.unload(name)
            known = True
        except ServerDown:
            known = False
        repository.set_aside(name)
        return Switched(name, None, known)


def add(
    repository: Repository,
    server: ModelServer,
    name: str,
    candidate: Candidate,
    at: datetime,
    wished: int | None = None,
) -> Added:
    """Lay a version into the repository; the first of a new model answers at once.

    It gets the wished number if that is free, else the next. Raises `Refused`; a new model that
    the server can't load is taken out again.
    """
    with repository.changing():
        held = repository.holding(name, _key(candidate))
        if held is not None:
            answers = held == repository.active(name) and not repository.is_aside(name)
            return Added(name, held, False, answers, False)
        is_new = name not in repository.names()
        number = repository.add(name, candidate, at, wished)
        if not is_new:
            return Added(name, number, True, False, False)
        try:
            loaded = _loaded(server, name)
        except Refused:
            repository.remove(name)
            raise
        repository.note(name, number, "promote", "operator", at)
        return Added(name, number, True, True, loaded)


def add_all(
    repository: Repository,
    server: ModelServer,
    name: str,
    versions: Mapping[int, Candidate],
    answering: int,
    at: datetime,
) -> list[Added]:
    """Lay a model's versions into the repository in their order, or none where one is unusable.

    The `answering` one answers at once where the model is new. Raises `Refused`.
    """
    for each in versions.values():
        _key(each)
    numbers = sorted(versions)
    if name in repository.names():
        return [add(repository, server, name, versions[each], at) for each in numbers]
    answering_first = sorted(numbers, key=lambda number: number != answering)
    added = [
        add(repository, server, name, versions[each], at, numbers.index(each) + 1)
        for each in answering_first
    ]
    return sorted(added, key=lambda each: each.version)


def _choose(
    repository: Repository,
    server: ModelServer,
    name: str,
    number: int,
    at: datetime,
    action: Literal["promote", "rollback"],
) -> Chosen:
    repository.version(name, number)
    if repository.is_aside(name):
        raise Refused("unloaded", f"{name} is unloaded: `clarion models load {name}` first")
    _require_unchanged(repository, name, number)
    before = repository.active(name)
    text = repository.activate(name, number)
    try:
        loaded = _loaded(server, name)
    except Refused as refusal:
        repository.put_back(name, text)
        with suppress(Refused, ServerDown):
            server.load(name)
        goes_on = f"version {before} goes on answering" if before else "nothing was changed"
        raise Refused(
            refusal.code, f"{refusal.text}. {name} {number} was not loaded; {goes_on}"
        ) from None
    repository.note(name, number, action, "operator", at)
    return Chosen(name, number, before, loaded)


def _chosen(repository: Repository, name: str) -> int:
    repository.versions(name)
    chosen = repository.chosen(name)
    if chosen is None:
        raise Refused("no-version", f"{name} has no version; add one")
    return chosen


def _require_unchanged(repository: Repository, name: str, number: int) -> bool:
    """Raises `Refused` for a version that changed; whether what Triton reads of it was edited."""
    code = repository.changed(name, number)
    if code in (None, EDITED):
        return code is not None
    raise Refused(code, f"{name} {number}: {explained(code)}")


def _loaded(server: ModelServer, name: str) -> bool:
    """Whether a server that is up has loaded it; one that is down will when it starts."""
    try:
        server.load(name)
    except ServerDown:
        return False
    return True


def _key(candidate: Candidate) -> tuple[str, str]:
    try:
        return candidate.key
    except FileNotFoundError as error:
        raise Refused(
            "no-weights", f"{error}. A version is a numbered folder with its weights"
        ) from None
