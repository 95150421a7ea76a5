"""Sends the studies of a plan while its faults happen, and waits for the end of all jobs."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Condition

import httpx

from deploy.embedded.runtime import Runtime
from shared.catalog import Catalog, load_catalog
from tests.chaos.clocks import adjustable
from tests.chaos.faults import FAULTS, Planned
from tests.chaos.models import make_instant
from tests.chaos.plan import Plan
from tests.chaos.progress import say
from tests.chaos.scene import Scene
from tests.chaos.storage import slowable
from tests.chaos.studies import Study, send_until_stored
from tests.e2e.system import System, running_system

START_S = 1800.0
"""Twice as many processes as a system has, on a machine that may have other work."""
SENDERS = 2
_GAP_S = 2.0
_LOOK_S, _LOOKS = 1.0, 3


@dataclass(frozen=True)
class Happened:
    """One fault as it came to be."""

    fault: str
    to: str
    after: int


@dataclass(frozen=True)
class Ran:
    """What was acknowledged, with the associations that it took, and what happened meanwhile."""

    associations: Mapping[Study, int]
    happened: list[Happened]
    seconds: float


def poisoned_catalog() -> Catalog:
    """The services as they are, but for the reader that poison can kill."""
    catalog = dict(load_catalog())
    told = {"command": "python -m tests.chaos.poison"}
    return catalog | {"reader": catalog["reader"].model_copy(update=told)}


@contextmanager
def system_of(
    plan: Plan, folder: Path, runtime: Runtime, replicas: Mapping[str, int]
) -> Iterator[System]:
    """A system in a new home, with the models and the reader that the plan needs."""
    with running_system(
        folder,
        runtime,
        echo_port=9,  # nobody is sent to by the pipeline that goes there
        environment=_environment(plan, folder),
        catalog=poisoned_catalog() if plan.poison else load_catalog(),
        replicas=replicas,
        prepare=make_instant if plan.models == "instant" else lambda _: None,
        start_s=START_S,
    ) as system:
        yield system


def _environment(plan: Plan, folder: Path) -> Mapping[str, str]:
    """What the faults of the plan need from the start on."""
    names = {planned.name for planned in plan.schedule()}
    clock = adjustable(folder) if names & {"clock-goes-ahead", "clock-goes-back"} else {}
    store = slowable(folder) if "store-slow" in names else {}
    return {**clock, **store}


class Pace:
    """Lets the faults wait for the studies that they come after, and studies for those faults."""

    def __init__(self, planned: list[Planned]) -> None:
        self._changed = Condition()
        self._stored, self._begun = 0, 0
        self._planned = planned

    def stored(self) -> None:
        with self._changed:
            self._stored += 1
            self._changed.notify_all()

    def begin(self, fault: Planned) -> None:
        """Return when so many studies are stored."""
        with self._changed:
            self._changed.wait_for(lambda: self._stored >= fault.after)
            self._begun += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more happens, whatever was planned."""
        with self._changed:
            self._begun = len(self._planned)
            self._changed.notify_all()

    def may_send(self, study: Study) -> None:
        """Return when each fault that comes before this study has begun."""
        before = sum(fault.after <= study.number - SENDERS for fault in self._planned)
        with self._changed:
            self._changed.wait_for(lambda: self._begun >= before)


def run(plan: Plan, system: System) -> Ran:
    """Send everything, do everything; raises what a sender or a fault raised."""
    began, planned = time.monotonic(), plan.schedule()
    pace = Pace(planned)
    with ThreadPoolExecutor(1) as faults, ThreadPoolExecutor(SENDERS) as senders:
        poison = sum(bool(study.poison) for study in plan.studies())
        happening = faults.submit(_happen, planned, system, pace, poison)
        sending = {study: senders.submit(_send, study, system, pace) for study in plan.studies()}
        associations = {study: sent.result() for study, sent in sending.items()}
        happened = happening.result()
    return Ran(associations, happened, time.monotonic() - began)


def _send(study: Study, system: System, pace: Pace) -> int:
    pace.may_send(study)
    try:
        return send_until_stored(system.dicom_port, study.datasets, study.called)
    finally:
        pace.stored()


def _happen(planned: list[Planned], system: System, pace: Pace, poison: int) -> list[Happened]:
    happened = []
    try:
        for fault in planned:
            pace.begin(fault)
            dice = Random(fault.seed)  # noqa: S311 - the same dice again
            scene = Scene(system.home, dice, () if _set_aside(system, poison) else ("reader",))
            struck = Happened(fault.name, FAULTS[fault.name](scene), fault.after)
            say(f"after study {struck.after}: {struck.fault}, {struck.to}")
            happened.append(struck)
            time.sleep(_GAP_S)
    finally:
        pace.end()
    return happened


def _set_aside(system: System, poison: int) -> bool:
    """Have all poisoned studies failed?"""
    try:
        failed = [job for job in system.jobs if job["status"] == "failed"]
    except httpx.HTTPError:
        return False
    return len(failed) >= poison


def settled(system: System, jobs: int, patience_s: float) -> bool:
    """Wait until so many jobs have ended and no delivery waits, in several looks on end: a report
    on a failed job is delivered after its end.

    Tells whether that was reached; not, when nothing ends for `patience_s`.
    """
    most, looks, deadline = -1, 0, 0.0
    while looks < _LOOKS:
        known, over = _known_and_over(system)
        if over > most:
            most, deadline = over, time.monotonic() + patience_s
            say(f"{over} of {max(known, jobs)} jobs have ended and are delivered")
        if time.monotonic() > deadline:
            return False
        looks = looks + 1 if over == known >= jobs else 0
        time.sleep(_LOOK_S)
    return True


def _known_and_over(system: System) -> tuple[int, int]:
    """How many jobs there are, and how many of them have ended and are delivered."""
    try:
        found = system.jobs
    except httpx.HTTPError:
        return 0, 0
    waits = (job["status"] == "running" or job["deliveries"].get("waiting") for job in found)
    return len(found), len(found) - sum(map(bool, waits))
