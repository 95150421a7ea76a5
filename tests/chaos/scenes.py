"""What may be played: faults one after the other, one blackout, or one outage after the other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.chaos.blackout import black_out
from tests.chaos.judging import Judged, blamed, judge
from tests.chaos.outages import Survived, survive
from tests.chaos.plan import Plan
from tests.chaos.repeats import interruptions
from tests.chaos.running import START_S, Ran, run, settled
from tests.chaos.studies import Study
from tests.e2e.system import System

_AT_WORK = 20
"""When one in so many jobs has ended, each stage has some."""


@dataclass(frozen=True)
class Played:
    """What happened, what it came to, and what only this scene has to tell."""

    ran: Ran
    judged: Judged
    more: Mapping[str, Any]


@dataclass(frozen=True)
class Terms:
    """How long a part is gone, which parts, and how long no job may end before that is judged."""

    gone_s: float
    parts: Sequence[str]
    patience_s: float


def faults(plan: Plan, system: System, terms: Terms) -> Played:
    ran = run(plan, system)
    struck = interruptions(ran.happened)
    return Played(ran, judge(plan, system, list(ran.associations), terms.patience_s, struck), {})


def queued_kill(plan: Plan, system: System, terms: Terms) -> Played:
    """All that is queued finishes without a hand."""
    at_work = max(1, plan.jobs // _AT_WORK)
    blackout, associations = black_out(system, plan.studies(), at_work, START_S)
    judged = judge(plan, system, list(associations), terms.patience_s, interrupted=1)
    return Played(Ran(associations, [], judged.waited_s), judged, asdict(blackout))


def outages(plan: Plan, system: System, terms: Terms) -> Played:
    """No attempt is burnt, no failure recorded, all is done after."""
    studies, told = plan.studies(), list[Mapping[str, Any]]()
    associations: dict[Study, int] = {}
    began = time.monotonic()
    for number, part in enumerate(terms.parts):
        one = survive(system, part, studies[number :: len(terms.parts)], terms.gone_s)
        back = time.monotonic()
        associations |= one.associations
        settled(system, len(associations), terms.patience_s)
        told.append(_outage(part, one, time.monotonic() - back))
    seconds = time.monotonic() - began
    found = list(blamed(system, studies))
    judged = judge(plan, system, list(associations), terms.patience_s, interrupted=len(terms.parts))
    judged = replace(judged, findings=[*found, *judged.findings])
    return Played(Ran(associations, [], seconds), judged, {"blamed": len(found), "outages": told})


def _outage(part: str, one: Survived, waited_s: float) -> Mapping[str, Any]:
    return {
        "gone": part,
        "seconds": round(one.seconds, 1),
        "sent": len(one.associations),
        "ended_meanwhile": one.ended_meanwhile,
        "seconds_to_the_end": round(waited_s, 1),
    }


SCENES: Mapping[str, Callable[[Plan, System, Terms], Played]] = {
    "faults": faults,
    "queued-kill": queued_kill,
    "outages": outages,
}
