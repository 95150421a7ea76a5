"""A handful of studies through a system in which one thing of each kind breaks.

`python -m tests.chaos` does the same with hundreds.
"""

from pathlib import Path

import pytest

from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.runtime import missing_shared_library, unsupported_platform
from shared.catalog import load_catalog
from tests.chaos.faults import FAULTS, schedule
from tests.chaos.judging import judge
from tests.chaos.plan import Plan
from tests.chaos.poison import CAUSES
from tests.chaos.repeats import interruptions
from tests.chaos.running import run, system_of

_WHY_NOT = unsupported_platform() or missing_shared_library()
_REPLICAS = {name: 2 for name, each in load_catalog().items() if not each.single}
_PATIENCE_S = 300.0


@pytest.mark.e2e
@pytest.mark.skipif(bool(_WHY_NOT), reason=f"no Triton here: {_WHY_NOT}")
def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    plan = Plan(20, seed=7, models="real", faults=len(FAULTS), names=tuple(FAULTS))

    with system_of(plan, tmp_path / "home", install(cache_folder(), print), _REPLICAS) as system:
        ran = run(plan, system)
        struck = interruptions(ran.happened)
        judged = judge(plan, system, list(ran.associations), _PATIENCE_S, struck)

    assert judged.findings == []
    assert {each.fault for each in ran.happened} == set(FAULTS)
    assert (judged.completed, judged.set_aside) == (20 - len(CAUSES), len(CAUSES))
    assert (judged.compared, judged.objects) == (judged.completed, 4 * judged.completed)


def test_equal_plans_are_equal_and_another_seed_makes_another() -> None:
    first, again, other = (schedule(tuple(FAULTS), 40, 100, seed) for seed in (1, 1, 2))

    assert first == again != other


def test_every_fault_comes_before_one_comes_again() -> None:
    planned = schedule(tuple(FAULTS), len(FAULTS) + 1, 100, seed=1)

    assert {each.name for each in planned[:-1]} == set(FAULTS)
    assert [each.after for each in planned] == sorted(each.after for each in planned)


def test_poison_comes_once_of_each_kind() -> None:
    studies = Plan(20, seed=7, models="instant", faults=0).studies()

    assert sorted(study.poison for study in studies if study.poison) == sorted(CAUSES)
    assert len({study.uid for study in studies}) == 20
