"""What is sent when: one order for each study, known before anything is sent. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from clarion.load.shares import choose
from shared.events.models import Lane

CT = "CT"


class Fault(StrEnum):
    """How a sender misbehaves; each study still arrives whole in the end."""

    NONE = "none"
    ABORT = "abort"
    EARLY_RELEASE = "early-release"
    DUPLICATES = "duplicates"
    PARALLEL = "parallel"
    SLOW = "slow"


FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)


@dataclass(frozen=True)
class Order:
    """One study to be sent `due_s` seconds after the begin."""

    number: int
    due_s: float
    lane: Lane
    fault: Fault
    source: int
    """Which of the sources it is made of."""
    modality: str = CT
    """Of a phantom; a study in files keeps its own."""


@dataclass(frozen=True)
class Mix:
    """Shares that add up to 1 at most, modalities by how many there are, and how many sources."""

    lanes: Mapping[str, float]
    faults: Mapping[str, float]
    modalities: Mapping[str, int]
    sources: int
    in_turn: bool = True
    """Sources one after the other; else by chance."""


def orders(moments: Iterable[float], numbers: range, mix: Mix, chance: Random) -> Iterator[Order]:
    """An order for each of the numbers; the same chance gives the same ones."""
    modalities = _dealt(mix.modalities or {CT: 1}, chance)
    for number, due_s, modality in zip(numbers, moments, modalities, strict=False):
        yield Order(
            number=number,
            due_s=due_s,
            lane=Lane(choose(mix.lanes, Lane.ROUTINE, chance)),
            fault=Fault(choose(mix.faults, Fault.NONE, chance)),
            source=number % mix.sources if mix.in_turn else chance.randrange(mix.sources),
            modality=modality,
        )


def _dealt(counts: Mapping[str, int], chance: Random) -> Iterator[str]:
    """Each name as often as it counts, in an order of chance; then all of them anew."""
    deck = [name for name, count in counts.items() for _ in range(count)]
    while True:
        chance.shuffle(deck)
        yield from deck
