"""What all depend on is gone for a while, or all dies at once: no study is blamed, none waits.

`python -m tests.chaos --scene outages` and `--scene queued-kill` do the same with many.
"""

from collections.abc import Sequence

import pytest

from tests.chaos.blackout import black_out
from tests.chaos.outages import OUTAGES, survive
from tests.chaos.studies import Study
from tests.e2e.system import Job, System, new_seed

pytestmark = pytest.mark.e2e
_GONE_S, _START_S = 6.0, 300.0


@pytest.mark.parametrize("part", OUTAGES)
def test_an_outage_burns_no_attempt(system: System, part: str) -> None:
    survived = survive(system, part, studies(3), _GONE_S)

    for study in survived.associations:
        assert_done_at_once(system.ended(study.uid))


def test_what_is_queued_when_all_is_killed_is_done_after_the_next_start(system: System) -> None:
    _, associations = black_out(system, studies(3), at_work=1, start_s=_START_S)

    for study in associations:
        assert system.ended(study.uid)["status"] == "completed"
        assert len(system.versions(study.uid)) == 1


def studies(count: int) -> Sequence[Study]:
    """Of new patients."""
    return [Study(number, "", new_seed()) for number in range(count)]


def assert_done_at_once(job: Job) -> None:
    assert job["status"] == "completed", job["reasons"]
    assert {stage["attempts"] for stage in job["stages"]} == {1}
