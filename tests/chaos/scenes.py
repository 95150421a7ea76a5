"""What may be played: faults one after the other, one blackout, or one outage after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.chaos.blackout import black_out
from tests.chaos.judging import Judged, blamed, judge
from tests.chaos.outages import Survived, survive
from tests.chaos.plan import Plan
from tests.chaos.running import START_S, Ran, run
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
    return Played(ran, judge(plan, system, list(ran.associations), terms.patience_s), {})


def queued_kill(plan: Plan, system: System, terms: Terms) -> Played:
    """All that is queued finishes without a hand."""
    at_work = max(1, plan.jobs // _AT_WORK)
    blackout, associations = black_out(system, plan.studies(), at_work, START_S)
    judged = judge(plan, system, list(associations), terms.patience_s)
    return Played(Ran(associations, [], judged.waited_s), judged, asdict(blackout))


def outages(plan: Plan, system: System, terms: Terms) -> Played:
    """No attempt is burnt, no failure recorded, all is done after."""
    studies, survived = plan.studies(), list[Survived]()
    associations: dict[Study, int] = {}
    for number, part in enumerate(terms.parts):
        share = studies[number :: len(terms.parts)]
        one, sent = survive(system, part, share, terms.gone_s, terms.patience_s)
        survived.append(one)
        associations |= sent
    found = list(blamed(system, studies))
    judged = judge(plan, system, list(associations), terms.patience_s)
    judged = replace(judged, findings=[*found, *judged.findings])
    more = {"blamed": len(found), "outages": list(map(asdict, survived))}
    seconds = sum(one.seconds + one.seconds_to_the_end for one in survived)
    return Played(Ran(associations, [], seconds), judged, more)


SCENES: Mapping[str, Callable[[Plan, System, Terms], Played]] = {
    "faults": faults,
    "queued-kill": queued_kill,
    "outages": outages,
}
