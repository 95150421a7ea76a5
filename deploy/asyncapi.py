"""The AsyncAPI document: every topic, its message, who writes and who reads it."""

from typing import Any

import yaml

from shared.catalog import Catalog, Topics
from shared.version import CODE_VERSION

_HEADERS = ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "traceparent")


def asyncapi(catalog: Catalog, topics: Topics) -> str:
    """AsyncAPI 3.0 for the whole bus; schemas are referred to, not repeated."""
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Clarion's bus",
            "version": CODE_VERSION,
            "description": "CloudEvents 1.0 over Kafka in binary mode; JSON data.",
        },
        "channels": {kind: _channel(kind, topics) for kind in topics.topics},
        "operations": {
            f"{name}-{verb}-{kind}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{kind}"},
                "tags": [{"name": name}],
            }
            for name, service in catalog.items()
            for verb, action, kinds in (
                ("reads", "receive", service.consumes),
                ("writes", "send", service.publishes),
            )
            for kind in kinds
        },
    }
    head = "# Generated from topics.yaml and each service.yaml by `python -m deploy.generate`.\n"
    return head + yaml.safe_dump(document, sort_keys=False, width=100)


def _channel(kind: str, topics: Topics) -> dict[str, Any]:
    topic = topics.topics[kind]
    address = f"clarion.{kind}.v1.{{lane}}" if topic.lanes else f"clarion.{kind}.v1"
    channel: dict[str, Any] = {"address": address, "messages": {kind: _message(kind, topics)}}
    if topic.lanes:
        channel["parameters"] = {"lane": {"enum": ["stat", "routine", "bulk"]}}
    channel["bindings"] = {
        "kafka": {
            "partitions": topics.partitions,
            "topicConfiguration": {"cleanup.policy": ["compact" if topic.compacted else "delete"]},
        }
    }
    return channel


def _message(kind: str, topics: Topics) -> dict[str, Any]:
    schema = topics.topics[kind].event_schema
    if schema is None:
        return {"contentType": "application/octet-stream"}
    headers = {name: {"type": "string"} for name in _HEADERS}
    return {
        "contentType": "application/json",
        "headers": {"type": "object", "properties": headers, "required": list(_HEADERS)},
        "payload": {"$ref": f"./{schema}"},
        "examples": [{"name": f"examples/{kind}.v1.json"}],
    }
