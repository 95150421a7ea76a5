"""The published schemas are what the code says, and examples keep to them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from shared.catalog import ROOT, load_topics
from shared.events.examples import EXAMPLES
from shared.events.models import KINDS, VolumeReady
from shared.events.snapshots import examples, schemas, text

SCHEMAS = ROOT / "schemas"


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize(("path", "document"), sorted((schemas() | examples()).items()))
def test_snapshots_are_what_the_models_say(path: str, document: dict[str, Any]) -> None:
    assert (SCHEMAS / path).read_text() == text(document), "run python -m shared.events.snapshots"


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_validates(kind: str) -> None:
    schema = _read(SCHEMAS / f"events/{kind}.v1.json")
    jsonschema.validate(_read(SCHEMAS / f"examples/{kind}.v1.json"), schema)


def test_a_wrong_example_does_not_validate() -> None:
    example = _read(SCHEMAS / "examples/volume-ready.v1.json") | {"version": "one"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, _read(SCHEMAS / "events/volume-ready.v1.json"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_reader_accepts_what_a_newer_writer_adds(kind: str) -> None:
    newer = {**_read(SCHEMAS / f"examples/{kind}.v1.json"), "added_later": {"value": 1}}
    assert KINDS[kind].model_validate(newer) == EXAMPLES[kind]
    jsonschema.validate(newer, _read(SCHEMAS / f"events/{kind}.v1.json"))


def test_a_field_that_v1_promised_is_required() -> None:
    example = _read(SCHEMAS / "examples/volume-ready.v1.json")
    del example["job_id"]
    with pytest.raises(ValidationError):
        VolumeReady.model_validate(example)


def test_every_topic_names_a_schema_that_is_there_and_every_kind_a_topic() -> None:
    topics = load_topics().topics
    assert set(topics) == {*KINDS, "unreadable"}
    for topic in topics.values():
        assert topic.event_schema is None or (SCHEMAS / topic.event_schema).is_file()
