"""The Faust application: one agent, two tables with changelogs, no web server.

What Faust 0.15.3 does not promise, and what is done about it:

- It commits an offset when the agent asks for the next event, whatever became of the changelog:
  its producer's flush gives up after 0.1 s, and returns with an empty buffer while the last record
  is still on its way. So the agent waits for the broker's acknowledgement of each change itself,
  and asks for the next event only then.
- A changelog and an offset are not written at once. Each change is therefore an upsert that
  follows from the event alone (`facts`), or adds only what is missing (`hours`): read again after
  a crash, it changes nothing.
- A table can be changed only where an event is at hand. So old facts are folded on the way, in the
  partition of the event that came.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import faust
from faust.types import EventT, StreamT

from services.statistics.changelogs import APP, FACTS, HOURS, LARGEST_RECORD
from services.statistics.facts import Fact, fact_of
from services.statistics.hours import KEPT_S, Hour, fold, name_of, place_of
from shared.clock import Clock
from shared.events.wire import Undecodable, decode
from shared.settings import Settings
from shared.telemetry.logs import logger

_FOLD_EVERY_S = 60.0
_SESSION_S = 10.0


class DurableTable(faust.Table[str, dict[str, Any]]):
    """A table that can be waited for until the broker has all its changes."""

    def __post_init__(self) -> None:
        self.under_way: list[tuple[str, Any]] = []

    def send_changelog(
        self, partition: int | None, key: Any, value: Any, *a: Any, **kw: Any
    ) -> Any:
        sent = super().send_changelog(partition, key, value, *a, **kw)
        self.under_way.append((key, sent))
        return sent

    async def durable(self) -> None:
        """Return when the broker has every change; a change that it refused is sent again."""
        while self.under_way:
            key, sent = self.under_way.pop(0)
            try:
                await sent
            except Exception as error:
                logger().warning("change not kept", error=type(error).__name__)
                await asyncio.sleep(1)
                self.on_key_set(key, self[key]) if key in self else self.on_key_del(key)


def build(settings: Settings, topics: tuple[str, ...], partitions: int, clock: Clock) -> faust.App:
    """The application, which reads `topics` as soon as it is started."""
    app = faust.App(
        APP,
        broker=f"kafka://{settings.kafka.replace(',', ';kafka://')}",
        store="memory://",
        Table=DurableTable,
        key_serializer="raw",
        value_serializer="raw",
        broker_commit_interval=1.0,
        broker_session_timeout=_SESSION_S,
        broker_heartbeat_interval=_SESSION_S / 4,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{APP}-{settings.instance}",
        producer_max_request_size=LARGEST_RECORD,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
        web_enabled=False,
    )
    tables = {name: _table(app, name, partitions) for name in (FACTS, HOURS)}
    facts = tables[FACTS]
    folded: dict[int, float] = {}

    @app.agent(app.topic(*topics, key_type=bytes, value_type=bytes))
    async def keep(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            now = clock().timestamp()
            fact = _fact(event)
            if fact is not None and now - fact.finished < KEPT_S:
                facts[fact.mark] = fact.to_json()
                await facts.durable()
            partition = event.message.partition
            if now - folded.get(partition, 0.0) >= _FOLD_EVERY_S:
                folded[partition] = now
                await _fold(tables, partition, now)

    return app


def _table(app: faust.App, name: str, partitions: int) -> DurableTable:
    return cast(DurableTable, app.Table(name, partitions=partitions, key_type=str))


def _fact(event: EventT[bytes]) -> Fact | None:
    message = event.message
    headers = message.headers or {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    try:
        return fact_of(decode(pairs, message.value or b""), message.partition)
    except Undecodable as error:
        logger().warning("event not understood", code=error.code, topic=message.topic)
        return None


async def _fold(tables: Mapping[str, DurableTable], partition: int, now: float) -> None:
    """Fold what is due; forget what an hour counts only when that hour is durable."""
    facts, hours = tables[FACTS], tables[HOURS]
    own = {place_of(name): kept for name, kept in hours.items()}
    known = {at: Hour.from_json(kept) for at, kept in own.items() if at[0] == partition}
    changes = fold(partition, map(Fact.from_json, facts.values()), known, now)
    for place, hour in changes.hours.items():
        hours[name_of(place)] = hour.to_json()
    await hours.durable()
    for mark in changes.forgotten_facts:
        facts.pop(mark, None)
    for place in changes.forgotten_hours:
        hours.pop(name_of(place), None)
    await facts.durable()
    await hours.durable()
