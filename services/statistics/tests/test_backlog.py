"""Whose offsets count."""

from aiokafka import TopicPartition

from services.statistics.backlog import read_of

NOW, BEFORE = "clarion.mask-ready.v1.stat", "clarion.mask-ready.v0.stat"


def test_a_topic_that_is_not_read_any_more_counts_no_more() -> None:
    offsets = {TopicPartition(NOW, 1): 7, TopicPartition(NOW, 2): -1, TopicPartition(BEFORE, 1): 9}
    assert read_of({NOW}, offsets) == {TopicPartition(NOW, 1): 7}
