"""A consumer's fetches in a session, in front of a broker that notes what it is asked."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11
from aiokafka.protocol.metadata import MetadataRequest

from shared.bus.fetching import FetchSessions

UNKNOWN_SESSION = 70
Asked = dict[str, list[tuple[int, int]]]


class Broker:
    """Gives every fetch the session 7, or an error."""

    def __init__(self) -> None:
        self.version: type[Any] = FetchRequest_v11
        self.requests: list[Any] = []
        self.error_code = 0
        self.fails_with: BaseException | None = None

    async def send(self, node: int, request: Any) -> Any:  # noqa: ARG002 - the client's
        self.requests.append(
            request.build(self.version) if isinstance(request, FetchRequest) else request
        )
        if self.fails_with:
            raise self.fails_with
        return SimpleNamespace(session_id=7, error_code=self.error_code)

    @property
    def sessions(self) -> list[tuple[int, int]]:
        return [(request.session_id, request.session_epoch) for request in self.requests]

    @property
    def asked(self) -> list[Asked]:
        """Of each request the partitions by topic, and the offset of each."""
        return [
            {topic: [(each[0], each[2]) for each in parts] for topic, parts in request.topics}
            for request in self.requests
        ]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def sessions(broker: Broker) -> FetchSessions:
    return FetchSessions(broker.send, 0.0)


def fetch(**topics: dict[int, int]) -> FetchRequest:
    """A request for these offsets by partition."""
    whole = [
        (topic, [(n, at, 1 << 20) for n, at in each.items()]) for topic, each in topics.items()
    ]
    return FetchRequest(500, 1, 50 << 20, 0, whole)


async def test_a_session_begins_with_everything_and_goes_on_with_what_moved(
    broker: Broker, sessions: FetchSessions
) -> None:
    await sessions.send(1, fetch(a={0: 5, 1: 9}, b={0: 3}))
    await sessions.send(1, fetch(a={0: 5, 1: 9}, b={0: 3}))
    await sessions.send(1, fetch(a={0: 5, 1: 10}, b={0: 3}))
    assert broker.asked == [{"a": [(0, 5), (1, 9)], "b": [(0, 3)]}, {}, {"a": [(1, 10)]}]
    assert broker.sessions == [(0, 0), (7, 1), (7, 2)]


async def test_the_order_that_aiokafka_drew_is_kept(
    broker: Broker, sessions: FetchSessions
) -> None:
    drawn = {"stat": {2: 0, 0: 0}, "bulk": {1: 0}, "routine": {0: 0}}
    await sessions.send(1, fetch(**drawn))
    [asked] = broker.asked
    assert [(topic, [n for n, _ in asked[topic]]) for topic in asked] == [
        (topic, [*offsets]) for topic, offsets in drawn.items()
    ]


async def test_what_is_no_longer_wanted_is_forgotten_and_may_come_back(
    broker: Broker, sessions: FetchSessions
) -> None:
    await sessions.send(1, fetch(a={0: 5, 1: 9}))
    await sessions.send(1, fetch(a={0: 5}))
    await sessions.send(1, fetch(a={0: 5, 1: 9}))
    assert [request.forgotten_topics_data for request in broker.requests] == [[], [("a", [1])], []]
    assert broker.asked[2] == {"a": [(1, 9)]}


@pytest.mark.parametrize("how", [KafkaConnectionError(), asyncio.CancelledError()])
async def test_after_a_fetch_whose_end_nobody_saw_everything_is_asked_for_anew(
    broker: Broker, sessions: FetchSessions, how: BaseException
) -> None:
    await sessions.send(1, fetch(a={0: 5}))
    broker.fails_with = how
    with pytest.raises(type(how)):
        await sessions.send(1, fetch(a={0: 6}))
    broker.fails_with = None
    await sessions.send(1, fetch(a={0: 6}))
    assert broker.sessions == [(0, 0), (7, 1), (0, 0)]
    assert broker.asked[2] == {"a": [(0, 6)]}


async def test_a_broker_that_has_forgotten_the_session_is_told_everything(
    broker: Broker, sessions: FetchSessions
) -> None:
    await sessions.send(1, fetch(a={0: 5}))
    broker.error_code = UNKNOWN_SESSION
    await sessions.send(1, fetch(a={0: 5}))
    broker.error_code = 0
    await sessions.send(1, fetch(a={0: 5}))
    assert broker.sessions == [(0, 0), (7, 1), (0, 0)]


async def test_each_node_has_a_session_of_its_own(broker: Broker, sessions: FetchSessions) -> None:
    await sessions.send(1, fetch(a={0: 5}))
    await sessions.send(2, fetch(b={0: 5}))
    await sessions.send(1, fetch(a={0: 6}))
    assert broker.sessions == [(0, 0), (0, 0), (7, 1)]


async def test_to_a_broker_without_sessions_each_request_goes_as_it_is(
    broker: Broker, sessions: FetchSessions
) -> None:
    broker.version = FetchRequest_v4
    whole = fetch(a={0: 5})
    await sessions.send(1, whole)
    await sessions.send(1, whole)
    assert broker.requests == [whole.build(FetchRequest_v4)] * 2


async def test_what_is_no_fetch_goes_as_it_is(broker: Broker, sessions: FetchSessions) -> None:
    question = MetadataRequest()
    await sessions.send(1, question)
    assert broker.requests == [question]
