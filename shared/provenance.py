"""Where a result comes from: the hashes from which its UIDs follow."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from shared.bus.work import Work
from shared.events.models import PayloadRef
from shared.identity import digest
from shared.store.port import PayloadStore
from shared.version import CODE_VERSION

MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class ModelIdentity:
    """Which model was asked: `digest` is the sha256 of its weights.

    `parameters` is the digest of all that it said of itself: a threshold may change and the weights
    stay. `training_data` is what it says that it has learned from. Both are empty in what versions
    of Clarion kept that did not note them.
    """

    name: str
    version: str
    digest: str
    algorithm: str
    parameters: str = ""
    training_data: str = ""

    @classmethod
    def told(cls, name: str, version: str, said: Mapping[str, str]) -> "ModelIdentity":
        """The identity of a version by what it says of itself in its `parameters { }`."""
        algorithm = said.get("algorithm_name", name)
        learned = said.get("training_data", "")
        return cls(name, version, said.get("sha256", ""), algorithm, digest(dict(said)), learned)


@dataclass(frozen=True)
class Provenance:
    """Everything that a result depends upon, and nothing else."""

    stage: str
    service: str
    code_version: str
    inputs: Mapping[str, str]
    parameters: Mapping[str, Any]
    model: ModelIdentity | None = None

    @property
    def digest(self) -> str:
        return digest(asdict(self))


def of(work: Work, model: ModelIdentity | None = None) -> Provenance:
    """The provenance of a unit of work.

    An input counts with its own provenance where it has one, so that a new model gives new
    UIDs behind it even where it happens to give the same mask.
    """
    inputs = {port: work.input(port).sha256 for port in work.sources}
    for port in work.sources:
        behind = work.companion(port, "provenance")
        if behind:
            inputs[f"{port}.provenance"] = behind.sha256
    stage, _, shadow = work.stage.partition("~")
    wired = work.definition.stages[stage]
    service = (wired.shadow or shadow) if shadow else wired.service
    return Provenance(work.stage, service, CODE_VERSION, inputs, dict(work.parameters), model)


def keep(provenance: Provenance, store: PayloadStore) -> PayloadRef:
    """Write a provenance as a payload of its own."""
    return store.put(json.dumps(asdict(provenance), sort_keys=True).encode(), MEDIA_TYPE)


def read(ref: PayloadRef, store: PayloadStore) -> Provenance:
    """Read what `keep` wrote, of this version of Clarion or another."""
    return _READER.validate_json(store.get(ref))


_READER = TypeAdapter(Provenance)
