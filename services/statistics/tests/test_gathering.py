"""What is gathered is kept together, and only where it is still this replica's."""

from collections.abc import Sequence

from aiokafka.errors import KafkaConnectionError

from services.statistics.gathering import Gathering
from services.statistics.keeping import Record

LOG = [Record("clarion.volume-ready.v1.routine", at % 2, at, (), b"") for at in range(1000)]


class Kept:
    """Keeps batches, or is out."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Record]] = []
        self.out = False

    async def keep(self, records: Sequence[Record]) -> None:
        if self.out:
            raise KafkaConnectionError
        self.batches.append(records)


async def test_what_has_come_is_kept_in_one_go() -> None:
    kept = Kept()
    gathering = Gathering(kept.keep, lambda _: True)
    for record in LOG[:3]:
        await gathering.add(record)
    await gathering.now()
    await gathering.now()
    assert kept.batches == [LOG[:3]]


async def test_a_partition_that_was_lost_meanwhile_is_its_next_owners() -> None:
    kept = Kept()
    gathering = Gathering(kept.keep, lambda record: record.partition == 1)
    for record in LOG[:4]:
        await gathering.add(record)
    await gathering.now()
    assert kept.batches == [[LOG[1], LOG[3]]]


async def test_a_backlog_is_not_gathered_without_end() -> None:
    kept = Kept()
    gathering = Gathering(kept.keep, lambda _: True)
    for record in LOG:
        await gathering.add(record)
    assert kept.batches == [LOG[:500], LOG[500:]]


async def test_what_a_broker_that_is_out_did_not_take_is_left_to_the_positions() -> None:
    kept = Kept()
    gathering = Gathering(kept.keep, lambda _: True)
    kept.out = True
    await gathering.add(LOG[0])
    await gathering.now()
    kept.out = False
    await gathering.add(LOG[1])
    await gathering.now()
    assert kept.batches == [[LOG[1]]]
