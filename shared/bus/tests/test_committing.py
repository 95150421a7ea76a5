"""What is done is committed soon, once, and again when the commit was lost."""

import asyncio
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import RequestTimedOutError

from shared.bus.committing import Committer
from shared.bus.offsets import Offsets
from shared.bus.tests import virtual_time

PLACE = TopicPartition("clarion.mask-ready.v1.stat", 1)


class Consumer:
    """Keeps what is committed; the first requests are lost."""

    def __init__(self, lost: int, held: set[TopicPartition]) -> None:
        self.lost, self.held = lost, held
        self.commits: list[dict[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return self.held

    async def commit(self, ends: dict[TopicPartition, int]) -> None:
        if self.lost:
            self.lost -= 1
            raise RequestTimedOutError
        self.commits.append(ends)


async def _after(ends: list[int], consumer: Consumer) -> list[dict[TopicPartition, int]]:
    """What is committed a minute after these positions were reached, all at once."""
    offsets = Offsets()
    committer = Committer(cast("Any", consumer), offsets)
    running = asyncio.create_task(committer.run())
    for end in ends:
        offsets.reached(PLACE.topic, PLACE.partition, end)
        committer.moved()
        await asyncio.sleep(0)
    await asyncio.sleep(60)
    running.cancel()
    return consumer.commits


def test_what_ends_close_together_is_one_commit() -> None:
    commits = virtual_time.run(_after([1, 2, 3], Consumer(0, {PLACE})))
    assert commits == [{PLACE: 3}]


def test_a_lost_commit_is_made_again_though_nothing_else_ends() -> None:
    commits = virtual_time.run(_after([1], Consumer(2, {PLACE})))
    assert commits == [{PLACE: 1}]


def test_what_belongs_to_somebody_else_now_is_not_committed() -> None:
    assert virtual_time.run(_after([1], Consumer(0, set()))) == []


async def _after_a_detour() -> list[dict[TopicPartition, int]]:
    """A partition goes before its position was committed, and comes back a minute later."""
    consumer, offsets = Consumer(0, set()), Offsets()
    committer = Committer(cast("Any", consumer), offsets)
    running = asyncio.create_task(committer.run())
    offsets.reached(PLACE.topic, PLACE.partition, 1)
    committer.moved()
    await asyncio.sleep(60)
    consumer.held = {PLACE}
    committer.moved()
    await asyncio.sleep(60)
    running.cancel()
    return consumer.commits


def test_what_somebody_else_has_read_on_meanwhile_is_not_committed_back() -> None:
    assert virtual_time.run(_after_a_detour()) == []
