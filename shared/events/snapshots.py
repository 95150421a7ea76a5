"""Writes `schemas/`: the JSON Schema of each event and JSON payload, and golden examples.

`python -m shared.events.snapshots` after a deliberate change; a test compares.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.bus.announced import Announced
from shared.bus.outcomes import Outcome
from shared.catalog import ROOT
from shared.events.examples import ANNOUNCED, EXAMPLES, OUTCOME
from shared.events.models import KINDS
from shared.findings import Classification, Measurement
from shared.manifest import Manifest
from shared.selection import Selection

PAYLOADS: dict[str, type[BaseModel]] = {
    "classification": Classification,
    "manifest": Manifest,
    "measurement": Measurement,
    "selection": Selection,
}
"""Payloads in JSON that one service writes and another reads."""


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema, by its path below `schemas/`."""
    found = {f"events/{kind}.v1.json": _schema(kind, model) for kind, model in KINDS.items()}
    found |= {f"payloads/{name}.v1.json": _schema(name, model) for name, model in PAYLOADS.items()}
    kept: dict[str, type[BaseModel]] = {"announced": Announced, "outcome": Outcome}
    return found | {f"{name}.v1.json": _schema(name, model) for name, model in kept.items()}


def examples() -> dict[str, dict[str, Any]]:
    """Every golden example, by its path below `schemas/`."""
    found = {
        f"examples/{kind}.v1.json": data.model_dump(mode="json", exclude_none=True)
        for kind, data in EXAMPLES.items()
    }
    kept = {"announced": ANNOUNCED, "outcome": OUTCOME}
    return found | {
        f"examples/{name}.v1.json": made.model_dump(mode="json", exclude_none=True)
        for name, made in kept.items()
    }


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"clarion.{name}.v1",
        **model.model_json_schema(mode="serialization"),
    }


def text(document: dict[str, Any]) -> str:
    """The form in which snapshots are committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(root: Path = ROOT) -> None:
    """Write all snapshots."""
    for path, document in (schemas() | examples()).items():
        target = root / "schemas" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(document))


if __name__ == "__main__":
    main()
