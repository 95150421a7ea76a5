"""The pipelines that our AE titles stand for, read and kept once at start."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.catalog import Catalog, Topics
from shared.events.models import PayloadRef
from shared.pipelines.definition import Definition
from shared.pipelines.validation import validated
from shared.store.port import PayloadStore

_MEDIA_TYPE = "application/yaml"


@dataclass(frozen=True)
class Deployed:
    """A definition and where every event of its jobs finds it."""

    definition: Definition
    ref: PayloadRef


def deploy(
    names: Iterable[str], folder: Path, store: PayloadStore, catalog: Catalog, topics: Topics
) -> Mapping[str, Deployed]:
    """Read the named definitions, check them against what is deployed, and keep them.

    Raises `FileNotFoundError`, `InvalidPipeline` or `ValueError`: nothing is received for a
    pipeline that can't run.
    """
    found = {}
    for name in sorted(set(names)):
        text = (folder / f"{name}.yaml").read_text()
        definition = validated(text, catalog, topics)
        if definition.pipeline != name:
            raise ValueError(f"{name}.yaml defines the pipeline {definition.pipeline!r}")
        found[name] = Deployed(definition, store.put(text.encode(), _MEDIA_TYPE))
    return found
