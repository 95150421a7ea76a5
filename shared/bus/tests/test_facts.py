"""A reader of facts tells what Kafka refuses, in words that its caller can act on."""

from collections.abc import Sequence
from typing import Any, NoReturn, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError

from shared.bus.kafka import read_facts
from shared.bus.received import Received
from shared.testing import toy


class Refused:
    """A consumer that the group's coordinator does not let in."""

    def subscribe(self, _: Sequence[str]) -> None:
        """Goes well; the coordinator answers later."""

    def assignment(self) -> set[TopicPartition]:
        return set()

    async def getmany(self, **_: int) -> NoReturn:
        raise GroupAuthorizationFailedError


async def test_an_error_of_kafka_comes_as_it_is() -> None:
    async def nothing(_: Sequence[Received]) -> None:
        raise AssertionError("there is no batch")

    unused = cast("Any", None)
    with pytest.raises(GroupAuthorizationFailedError):
        await read_facts(cast("Any", Refused()), unused, toy.topics(), ("input-ready",), nothing)
