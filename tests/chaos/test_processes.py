"""How long a process stands that is frozen."""

from inspect import signature

import pytest

from services.statistics.app import build
from services.statistics.settings import StatisticsSettings
from shared.bus.kafka import group_consumer
from shared.clock import system_clock
from tests.chaos.processes import out_of_its_group_s


def _session_of_statistics() -> float:
    app, *_ = build(StatisticsSettings(), ("topic",), 4, system_clock)
    return float(app.conf.broker_session_timeout)


def _session_of_the_others() -> float:
    return float(signature(group_consumer).parameters["session_ms"].default) / 1000


@pytest.mark.parametrize(
    ("name", "session_s"),
    [
        ("statistics", _session_of_statistics()),
        ("statistics-2", _session_of_statistics()),
        ("reader-2", _session_of_the_others()),
    ],
)
def test_who_is_frozen_is_out_of_its_group_when_it_goes_on(name: str, session_s: float) -> None:
    assert session_s < out_of_its_group_s(name) < 2 * session_s
