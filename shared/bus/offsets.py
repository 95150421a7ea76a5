"""Which offset may be committed: the lowest that is not done, per partition."""

from dataclasses import dataclass, field


@dataclass
class _Partition:
    end: int
    pending: set[int] = field(default_factory=set)

    @property
    def position(self) -> int:
        return min(self.pending, default=self.end)


class Offsets:
    """Work ends in any order; only what is contiguous is committed.

    A partition is known from its first record until it is lost. What ends for a partition
    that was lost meanwhile is nothing: its next owner answers it from the outcome.
    """

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._committed: dict[tuple[str, int], int] = {}

    def taken(self, topic: str, partition: int, offset: int) -> None:
        """A record was read, and is not done."""
        known = self._partitions.setdefault((topic, partition), _Partition(end=offset))
        known.pending.add(offset)
        known.end = max(known.end, offset + 1)

    def done(self, topic: str, partition: int, offset: int) -> None:
        """The record's every unit of work has ended."""
        known = self._partitions.get((topic, partition))
        if known:
            known.pending.discard(offset)

    def reached(self, topic: str, partition: int, end: int) -> None:
        """Everything before `end` is done, read in order by one reader."""
        known = self._partitions.setdefault((topic, partition), _Partition(end=end))
        known.end = max(known.end, end)

    def lost(self, partitions: set[tuple[str, int]]) -> None:
        """These partitions belong to somebody else now."""
        for place in partitions:
            self._partitions.pop(place, None)
            self._committed.pop(place, None)

    def to_commit(self) -> dict[tuple[str, int], int]:
        """The positions that have moved since they were last committed."""
        return {
            place: known.position
            for place, known in self._partitions.items()
            if self._committed.get(place, -1) < known.position
        }

    def committed(self, positions: dict[tuple[str, int], int]) -> None:
        """The broker has taken these positions."""
        for place, position in positions.items():
            if place in self._partitions:
                self._committed[place] = position
