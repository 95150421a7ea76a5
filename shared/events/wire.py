"""CloudEvents 1.0 over Kafka in binary mode: JSON data, `traceparent` beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError

from shared.events.models import KINDS, Model

_JSON = JSONFormat()
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Event:
    """One event with its envelope; `kind` is the middle of `clarion.<kind>.v1`."""

    id: str
    source: str
    kind: str
    subject: str
    time: datetime
    traceparent: str
    data: Model

    @property
    def type(self) -> str:
        return f"clarion.{self.kind}.v1"


class Undecodable(Exception):
    """The bytes are no event that this code knows; `code` says what is wrong with them."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def encode(event: Event) -> tuple[Headers, bytes]:
    """The record's headers and value."""
    cloud = CloudEvent(
        {
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time,
            "specversion": "1.0",
            "datacontenttype": "application/json",
        },
        event.data.model_dump_json(exclude_none=True).encode(),
    )
    message = to_binary(cloud, _JSON)
    headers = {**message.headers, "traceparent": event.traceparent.encode("ascii")}
    return tuple(headers.items()), message.value


def decode(headers: Iterable[tuple[str, bytes]], value: bytes) -> Event:
    """The event of a record. Raises `Undecodable`; never quotes the record's values."""
    fields = dict(headers)
    traceparent = fields.pop("traceparent", b"").decode("ascii", "replace")
    try:
        cloud = from_binary(KafkaMessage(headers=fields, key=None, value=b""), _JSON)
        kind = _kind(cloud.get_type())
        data = KINDS[kind].model_validate_json(value)
    except Undecodable:
        raise
    except ValidationError as error:
        is_json = error.errors()[0]["type"] != "json_invalid"
        raise Undecodable("schema-mismatch" if is_json else "not-a-cloudevent") from None
    except Exception:
        raise Undecodable("not-a-cloudevent") from None
    return Event(
        id=cloud.get_id(),
        source=cloud.get_source(),
        kind=kind,
        subject=cloud.get_subject() or "",
        time=cloud.get_time() or datetime.fromisoformat("1970-01-01T00:00:00+00:00"),
        traceparent=traceparent,
        data=data,
    )


def _kind(event_type: str) -> str:
    prefix, _, rest = event_type.partition(".")
    kind, _, version = rest.partition(".")
    if prefix != "clarion" or kind not in KINDS:
        raise Undecodable("unknown-type")
    if version != "v1":
        raise Undecodable("unknown-version")
    return kind
