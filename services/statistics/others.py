"""Alerts that other services raise, such as a job that stands: shown until that is over.

They are told once, on a topic of their own, which each replica reads whole.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from services.statistics.alerts import Raised
from services.statistics.facts import JOB, Fact, unit_of
from services.statistics.hours import LONGEST_RUN_S
from services.statistics.snapshots import SOURCE
from shared.bus.kafka import read_whole
from shared.catalog import topic_name
from shared.events.models import Alert
from shared.events.wire import Undecodable, decode
from shared.telemetry.logs import logger

_STANDS = "stands_s"
Take = Callable[["ConsumerRecord[bytes, bytes]"], None]


@dataclass
class Others:
    """What was told, by the event's id."""

    _told: dict[str, Alert] = field(default_factory=dict)

    def take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        """Remember an alert that is not our own."""
        try:
            event = decode(record.headers, record.value or b"")
        except Undecodable as error:
            logger().warning("alert not understood", code=error.code)
            return
        if isinstance(event.data, Alert) and event.source != SOURCE:
            self._told[event.id] = event.data

    def raised(self, facts: Collection[Fact], now: float) -> Iterator[Raised]:
        """Those whose job has not ended, nor the stage that it stood in.

        For as long as a run may take, and facts are kept that may say that it is over.
        """
        self._told = {
            name: alert
            for name, alert in self._told.items()
            if now - alert.at.timestamp() < LONGEST_RUN_S
        }
        if not self._told:
            return
        over = {(fact.unit, "" if fact.of == JOB else fact.stage) for fact in facts}
        for alert in self._told.values():
            key = alert.key
            unit = unit_of(key.get("job", ""), key.get("run", ""))
            if (unit, "") in over or (unit, key.get("stage", "")) in over:
                continue
            since = alert.at.timestamp() - alert.figures.get(_STANDS, 0.0)
            figures = dict(alert.figures)
            if _STANDS in figures:
                figures[_STANDS] = round(now - since, 1)
            yield Raised(alert.code, alert.window, key, figures, since)


async def follow(bootstrap: str, kind: str, partitions: int, anew: Callable[[], Take]) -> None:
    """Read a topic without lanes until cancelled, from its start when Kafka has been away."""
    while True:
        try:
            topic = topic_name(kind, None)
            await read_whole(bootstrap, topic, partitions, anew(), asyncio.Event())
        except KafkaError as error:
            logger().warning("alerts lost", kind=kind, error=type(error).__name__)
            await asyncio.sleep(1)
