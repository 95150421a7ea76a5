"""OTLP requests (opentelemetry-proto 1.x), as spans.

SDKs post protobuf; Triton posts JSON, whose ids are hexadecimal as the OTLP specification
says, where protobuf's own JSON mapping would have base64.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.json_format import ParseError as JsonError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


@dataclass(frozen=True)
class Span:
    """One span; times in nanoseconds since 1970, ids in hexadecimal."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    failed: bool
    links: tuple[str, ...] = ()


class NotOtlp(Exception):
    """The body is no export request."""


def read_protobuf(body: bytes) -> list[Span]:
    """The spans of a protobuf request. Raises `NotOtlp`."""
    try:
        return list(_spans(ExportTraceServiceRequest.FromString(body)))
    except DecodeError as error:
        raise NotOtlp("not an ExportTraceServiceRequest in protobuf") from error


def read_json(body: bytes) -> list[Span]:
    """The spans of a JSON request. Raises `NotOtlp`."""
    try:
        document = _with_base64_ids(json.loads(body))
        request = ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (JsonError, ValueError) as error:
        raise NotOtlp("not an ExportTraceServiceRequest in JSON") from error
    return list(_spans(request))


def _with_base64_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_base64_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: b64encode(bytes.fromhex(value)).decode() if key in _IDS else _with_base64_ids(value)
        for key, value in node.items()
    }


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = str(_attributes(resource.resource.attributes).get("service.name", "unknown"))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex().strip("0") and span.parent_span_id.hex(),
                    service=service,
                    name=span.name,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    links=tuple(link.span_id.hex() for link in span.links),
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        found[pair.key] = _value(pair.value)
    return found


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if which in (None, "bytes_value"):
        return None
    return getattr(value, which)
