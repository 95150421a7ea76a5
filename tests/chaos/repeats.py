"""What the PACS was sent again, and how much of that has an explanation."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from clarion.load.judging import repeats
from services.results.scu import ASSOCIATION_LOST, NO_RESPONSE
from shared.telemetry.attributes import CODE, JOB
from tests.chaos.findings import Finding
from tests.chaos.running import Happened
from tests.e2e.system import System

_UNDER_WAY_TO_THE_PACS = 4
"""Objects at a moment: two replicas, two associations of each, one object that is not noted yet."""
_INTERRUPTS = ("disk-full", "clock-goes-ahead", "clock-goes-back")
"""Faults of all services: an arrival can't be noted, or the claim on what is carried runs out."""
_UNANSWERED = (ASSOCIATION_LOST.code, NO_RESPONSE.code)
_NEXT_TRY_S = 1.0
"""At the earliest after the one before."""


def interruptions(happened: Sequence[Happened]) -> int:
    """How many of the faults struck who delivers.

    What strikes who is delivered to, results tells itself: see `unanswered`.
    """
    return sum(each.to.startswith("results") or each.fault in _INTERRUPTS for each in happened)


def may_come_again(interrupted: int, log: Iterable[str]) -> int:
    """How many objects may be sent again, by what results logs and how often it was struck."""
    return interrupted * _UNDER_WAY_TO_THE_PACS + unanswered(log)


def unanswered(log: Iterable[str]) -> int:
    """How often results got no answer to an object that it had sent, as it says itself.

    It says so of each object that was still to come over that association, all at one moment.
    """
    told: dict[str, list[float]] = {}
    for line in filter(None, map(_undelivered, log)):
        if line[CODE] in _UNANSWERED:
            at = datetime.fromisoformat(line["timestamp"]).timestamp()
            told.setdefault(line[JOB], []).append(at)
    return sum(
        1 + sum(later - earlier >= _NEXT_TRY_S for earlier, later in pairwise(sorted(moments)))
        for moments in told.values()
    )


def _undelivered(line: str) -> Mapping[str, str]:
    """What a line tells of an object that was not delivered; who is killed leaves half a line."""
    if '"not delivered"' in line:
        with suppress(ValueError):
            told: Mapping[str, str] = json.loads(line)
            return told
    return {}


def repeated(came_again: int, objects: int, explained: int) -> Iterator[Finding]:
    """What is explained is sent again, and filed once; more than that is a defect."""
    if came_again > explained:
        said = f"{came_again} of {objects} objects, of which {explained} are explained"
        yield Finding("sent-again", 0, said)


def came_again(system: System) -> int:
    """Objects that the PACS logs as sent though it had them."""
    return sum(repeats(log.read_bytes()) for log in system.home.logs.glob("pacs.log*"))


def log_of_results(system: System) -> Iterator[str]:
    """What every replica of results has logged."""
    for log in system.home.logs.glob("results*.log*"):
        with log.open(errors="replace") as lines:
            yield from lines
