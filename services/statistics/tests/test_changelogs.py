"""What a replica knows of the whole system, from the changelogs of all partitions."""

from services.statistics.changelogs import FACTS, POSITIONS, apply
from services.statistics.tests.told import fact
from services.statistics.windows import Kept


def test_facts_come_and_go_and_positions_move() -> None:
    kept, kind = Kept(), fact("volume-ready")
    apply(kept, FACTS, kind.mark, kind.to_json())
    for position in (3, 5):
        apply(kept, POSITIONS, "clarion.volume-ready.v1.stat/2", position)
    assert kept == Kept(facts={kind.mark: kind}, positions={("clarion.volume-ready.v1.stat", 2): 5})
    apply(kept, FACTS, kind.mark, None)
    assert not kept.facts
