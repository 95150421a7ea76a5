"""Fetch sessions (KIP-227) for aiokafka, which has none: each fetch names only what has changed.

A service reads up to a hundred partitions, of which one has news. aiokafka 0.14 names all of them
in every request, and so the broker in every answer: most of what both write and parse says nothing.
In a session the broker remembers what it was asked, and answers for partitions with news alone.

Who need not hurry rests after each answer: what comes meanwhile is one answer, not many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct

Place = tuple[str, int]
Position = tuple[int, int]
"""Offset, and the most bytes."""
_LAST_EPOCH = 2**31 - 1
_FIRST_VERSION = 7


@dataclass(frozen=True)
class _Session:
    """What the broker remembers; a new one has the epoch 0 and knows nothing."""

    id: int = 0
    epoch: int = 0
    known: Mapping[Place, Position] = field(default_factory=dict)


class _Changes(FetchRequest):  # type: ignore[misc]  # aiokafka's class is untyped
    """A request in a session: where the positions differ from what the broker knows."""

    def __init__(self, whole: FetchRequest, session: _Session) -> None:
        self._whole, self._session = whole, session
        self.wanted: dict[Place, Position] = {
            (topic, partition): (offset, most)
            for topic, partitions in whole.topics
            for partition, offset, most in partitions
        }

    def build(self, request_struct_class: type[FetchRequestStruct]) -> FetchRequestStruct:
        if request_struct_class.API_VERSION < _FIRST_VERSION:
            return self._whole.build(request_struct_class)
        known = self._session.known
        changed = {place: at for place, at in self.wanted.items() if known.get(place) != at}
        whole = self._whole
        request: Any = FetchRequest(
            whole._max_wait_ms,
            whole._min_bytes,
            whole._max_bytes,
            whole._isolation_level,
            [(topic, [(n, *changed[topic, n]) for n in each]) for topic, each in _grouped(changed)],
            whole._rack_id,
        ).build(request_struct_class)
        request.session_id, request.session_epoch = self._session.id, self._session.epoch
        request.forgotten_topics_data = _grouped(
            place for place in known if place not in self.wanted
        )
        built: FetchRequestStruct = request
        return built


class FetchSessions:
    """Sends a consumer's fetches in one session per node; everything else as it is."""

    def __init__(self, send: Callable[..., Awaitable[Any]], rest_s: float) -> None:
        self._send, self._rest_s = send, rest_s
        self._sessions: dict[int, _Session] = {}

    async def send(self, node: int, request: Any, **how: Any) -> Any:
        """One fetch at a time for each node, as aiokafka has it. Raises what sending raises.

        A session ends with a request that failed or was cancelled: nobody knows whether the broker
        has seen it. The next request begins another, and so asks for everything.
        """
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, **how)
        session = self._sessions.pop(node, _Session())
        if session.epoch and self._rest_s:
            await asyncio.sleep(self._rest_s)
        asked = _Changes(request, session)
        response = await self._send(node, asked, **how)
        given = getattr(response, "session_id", 0)
        if given and not response.error_code:
            epoch = session.epoch % _LAST_EPOCH + 1
            self._sessions[node] = _Session(given, epoch, asked.wanted)
        return response


def with_sessions(consumer: AIOKafkaConsumer, rest_s: float = 0.0) -> AIOKafkaConsumer:
    """The consumer, which from now on fetches in sessions, and rests before each next fetch."""
    client = consumer._client
    client.send = FetchSessions(client.send, rest_s).send
    return consumer


def _grouped(places: Iterable[Place]) -> list[tuple[str, list[int]]]:
    """By topic, in the order given: the broker answers in it, and aiokafka shuffles to be fair."""
    by_topic: dict[str, list[int]] = {}
    for topic, partition in places:
        by_topic.setdefault(topic, []).append(partition)
    return list(by_topic.items())
