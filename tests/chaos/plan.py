"""A run of chaos, as it is ordered: what is sent, and what happens meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.faults import FAULTS, Planned, schedule
from tests.chaos.poison import CAUSES
from tests.chaos.studies import Study

_MOST = 10**5


@dataclass(frozen=True)
class Plan:
    """Two equal plans send the same bytes, and the same faults come after the same studies."""

    jobs: int
    seed: int
    models: Literal["instant", "real"]
    faults: int
    names: Sequence[str] = tuple(FAULTS)
    poison: bool = True
    scene: str = "faults"
    compared: int = 20
    """How many jobs are computed anew at the end, to compare every byte."""

    def studies(self) -> list[Study]:
        """In the order of sending; poison comes early."""
        places = dict(enumerate(CAUSES, start=1)) if self.poison else {}
        return [
            Study(number, places.get(number, ""), self.seed * _MOST + number)
            for number in range(self.jobs)
        ]

    def schedule(self) -> list[Planned]:
        return schedule(self.names, self.faults, self.jobs, self.seed)

    def sample(self, jobs: Sequence[int]) -> list[int]:
        """The numbers of studies whose jobs are compared."""
        chance = Random(self.seed)  # noqa: S311 - the same sample again
        return sorted(chance.sample(list(jobs), min(self.compared, len(jobs))))
