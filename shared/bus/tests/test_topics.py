"""How the topics are made."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from aiokafka.admin import NewTopic

from shared.bus import topics
from shared.testing import toy

_CONTROL = "clarion.job-control.v1"
_THERE = "clarion.alert.v1"


class _Admin:
    """A broker that has one of the topics, and keeps what else it is asked for."""

    def __init__(self) -> None:
        self.made: dict[str, NewTopic] = {}

    async def start(self) -> None:
        """It answers at once."""

    async def close(self) -> None:
        """It keeps nothing open."""

    async def list_topics(self) -> list[str]:
        return [_THERE]

    async def create_topics(self, missing: Sequence[NewTopic]) -> SimpleNamespace:
        self.made = {topic.name: topic for topic in missing}
        return SimpleNamespace(topic_errors=[(name, 0, None) for name in self.made])


@pytest.fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, NewTopic]:
    """The topics that were missing, by name."""
    admin = _Admin()
    monkeypatch.setattr(topics, "AIOKafkaAdminClient", lambda **_: admin)
    names = await topics.create("127.0.0.1:9", toy.topics())
    assert set(names) == {*admin.made, _THERE}
    return admin.made


def test_of_each_job_the_newest_control_is_kept_and_all_else_goes_by_age(
    made: dict[str, NewTopic],
) -> None:
    assert made[_CONTROL].topic_configs == {"cleanup.policy": "compact"}
    others = [topic.topic_configs for name, topic in made.items() if name != _CONTROL]
    assert all(set(configs) == {"retention.ms", "segment.ms"} for configs in others)
