"""What may be committed."""

from hypothesis import given
from hypothesis import strategies as st

from shared.bus.offsets import Offsets

PLACE = ("topic", 0)


def test_only_what_is_contiguous_is_committed() -> None:
    offsets = Offsets()
    for offset in (5, 6, 7):
        offsets.taken(*PLACE, offset)
    offsets.done(*PLACE, 7)
    offsets.done(*PLACE, 5)
    assert offsets.to_commit() == {PLACE: 6}


def test_what_ends_after_its_partition_was_lost_moves_nothing() -> None:
    offsets = Offsets()
    offsets.taken(*PLACE, 5)
    offsets.lost({PLACE})
    offsets.done(*PLACE, 5)
    assert offsets.to_commit() == {}


@given(st.lists(st.integers(0, 30), unique=True, min_size=1), st.data())
def test_no_position_passes_work_that_is_not_done(order: list[int], data: st.DataObject) -> None:
    offsets = Offsets()
    for offset in range(31):
        offsets.taken(*PLACE, offset)
    ended = set(order[: data.draw(st.integers(0, len(order)))])
    for offset in ended:
        offsets.done(*PLACE, offset)
    position = offsets.to_commit()[PLACE]
    assert set(range(position)) <= ended
    assert position == 31 or position not in ended
