"""The judgement when all is over: nothing lost, nothing twice, every byte as without faults."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from clarion.load.judging import repeats
from services.results.scu import ASSOCIATION_LOST, NO_RESPONSE
from shared.identity import case_id
from shared.telemetry.attributes import CODE, JOB
from tests.chaos.plan import Plan
from tests.chaos.poison import CAUSES
from tests.chaos.progress import say
from tests.chaos.running import Happened, settled
from tests.chaos.studies import Study
from tests.e2e.system import (
    PIPELINE,
    Job,
    System,
    dataset_digests,
    dicom_outputs,
    output_digests,
)

_ATTEMPTS = 3
_LOOK_S = 0.5
_UNDER_WAY = 40
"""Fresh runs at a time."""


@dataclass(frozen=True)
class Finding:
    """What should not be; `study` is its number, for a study is named nowhere."""

    code: str
    study: int
    detail: str


@dataclass(frozen=True)
class Judged:
    """The findings, and of how much."""

    findings: Sequence[Finding]
    completed: int
    set_aside: int
    compared: int
    objects: int
    came_again: int
    """Objects that the PACS was sent though it had them."""
    explained: int
    """So many of them at most are no defect: see `may_come_again`."""
    waited_s: float
    """For the last job."""

    def count(self, *codes: str) -> int:
        return sum(finding.code in codes for finding in self.findings)


LOST = ("lost", "unfinished", "not-at-the-pacs")
TWICE = ("two-jobs", "unexpected-at-the-pacs", "sent-again")
_UNDER_WAY_TO_THE_PACS = 4
"""Objects at a moment: two replicas, two associations of each, one object that is not noted yet."""
_INTERRUPTS = ("disk-full", "clock-goes-ahead", "clock-goes-back")
"""Faults of all services: an arrival can't be noted, or the claim on what is carried runs out."""
_UNANSWERED = (ASSOCIATION_LOST.code, NO_RESPONSE.code)
_NEXT_TRY_S = 1.0
"""At the earliest after the one before."""


def blamed(system: System, studies: Sequence[Study]) -> Iterator[Finding]:
    """What an outage must leave no trace of: of a failed attempt, of a failure, of a second run."""
    numbers = {_case(study): study.number for study in studies}
    studied = {job["job_id"]: numbers[job["case_id"]] for job in system.jobs}
    for failure in system.results.get("/failures").raise_for_status().json():
        codes = ", ".join(reason["code"] for reason in failure["reasons"])
        said = f"{failure['stage']}: {codes}"
        yield Finding("failure-recorded", studied[failure["job_id"]], said)
    for note in (system.home.payloads / "attempts").rglob("*.json"):
        code = json.loads(note.read_bytes())["code"]
        job_id = note.parents[2].name
        yield Finding("attempt-burnt", studied[job_id], f"{note.parent.name}: {code}")
    for job_id, number in studied.items():
        if (run := system.job(job_id)["run"]) != 1:
            yield Finding("run-again", number, f"run {run}, which nobody asked for")


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


def judge(
    plan: Plan,
    system: System,
    acknowledged: Sequence[Study],
    patience_s: float,
    interrupted: int,
) -> Judged:
    """Wait for the end of all jobs, and compare ledger, store and PACS; then compute anew.

    It waits no longer when nothing has ended for `patience_s`. Deliveries were `interrupted` so
    many times.
    """
    began = time.monotonic()
    settled(system, len(acknowledged), patience_s)
    waited = time.monotonic() - began
    jobs = _jobs(system)
    findings: list[Finding] = []
    found: dict[Study, Job] = {}
    objects = 0
    for study in acknowledged:
        own = jobs.get(_case(study), [])
        findings += _counted(study, own)
        if own:
            job = found[study] = system.job(own[0]["job_id"])
            findings += [*_ended(study, job), *_delivered(study, job, system)]
            objects += len(dicom_outputs(job))
    came_again = _came_again(system)
    explained = may_come_again(interrupted, _log(system))
    findings += repeated(came_again, objects, explained)
    completed = [study for study, job in found.items() if job["status"] == "completed"]
    chosen = plan.sample([study.number for study in completed])
    sample = {study: found[study] for study in completed if study.number in chosen}
    findings += _computed_anew(system, sample, patience_s)
    set_aside = sum(
        bool(study.poison) and job["status"] == "failed" for study, job in found.items()
    )
    return Judged(
        findings=findings,
        completed=len(completed),
        set_aside=set_aside,
        compared=len(sample),
        objects=objects,
        came_again=came_again,
        explained=explained,
        waited_s=waited,
    )


def _came_again(system: System) -> int:
    return sum(repeats(log.read_bytes()) for log in system.home.logs.glob("pacs.log*"))


def _log(system: System) -> Iterator[str]:
    """What every replica of results has logged."""
    for log in system.home.logs.glob("results*.log*"):
        with log.open(errors="replace") as lines:
            yield from lines


def _case(study: Study) -> str:
    return case_id(PIPELINE, study.uid, "study")


def _jobs(system: System) -> Mapping[str, list[Job]]:
    """Every job, by case."""
    found: dict[str, list[Job]] = {}
    for job in system.jobs:
        found.setdefault(job["case_id"], []).append(job)
    return found


def _counted(study: Study, jobs: Sequence[Job]) -> Iterator[Finding]:
    if not jobs:
        yield Finding("lost", study.number, "acknowledged, and no job")
    if len(jobs) > 1:
        yield Finding("two-jobs", study.number, f"{len(jobs)} versions of what was sent once")


def _ended(study: Study, job: Job) -> Iterator[Finding]:
    status = job["status"]
    if status == "running":
        waits = ", ".join(stage["stage"] for stage in job["waits_for"])
        yield Finding("unfinished", study.number, f"waits for {waits}")
    elif study.poison:
        yield from _set_aside(study, job)
    elif status != "completed":
        yield Finding("not-completed", study.number, _told(job))


def _told(job: Job) -> str:
    """How a job ended."""
    return f"{job['status']}: {', '.join(reason['code'] for reason in job['reasons'])}"


def _set_aside(study: Study, job: Job) -> Iterator[Finding]:
    """Failed, after three attempts, with its cause, and nothing behind it was tried."""
    [reader] = [stage for stage in job["stages"] if stage["stage"] == "reader"]
    said = (
        job["status"],
        reader["status"],
        reader["attempts"],
        [reason["code"] for reason in reader["reasons"]],
    )
    if said != ("failed", "failed", _ATTEMPTS, [CAUSES[study.poison]]):
        yield Finding("poison-not-set-aside", study.number, f"{study.poison}: {said}")


def _delivered(study: Study, job: Job, system: System) -> Iterator[Finding]:
    """The ledger, the store and the PACS say the same of every object."""
    made, filed = dicom_outputs(job), system.received(study.uid)
    for output in job["outputs"]:
        for delivery in output["deliveries"]:
            if delivery["status"] != "delivered":
                why = f"{output['name']} is {delivery['status']}: {delivery['last_error']}"
                yield Finding("not-delivered", study.number, why)
    if missing := made.keys() - filed.keys():
        yield Finding("not-at-the-pacs", study.number, f"{len(missing)} objects")
    if more := filed.keys() - made.keys():
        yield Finding("unexpected-at-the-pacs", study.number, f"{len(more)} objects")
    both = made.keys() & filed.keys()
    if _digests(made, both) != _digests(filed, both):
        yield Finding("differs-at-the-pacs", study.number, "filed other bytes than were made")


def _digests(paths: Mapping[str, Path], wanted: set[str]) -> Mapping[str, str]:
    return dataset_digests({uid: paths[uid] for uid in wanted})


def _computed_anew(
    system: System, sample: Mapping[Study, Job], patience_s: float
) -> Iterator[Finding]:
    """A fresh run of each job, without faults: the same outputs, byte for byte.

    Not all at once: each is waited for from when those before it have ended.
    """
    coming = list(sample.values())
    for _ in range(_UNDER_WAY):
        _ask_anew(system, coming)
    for number, (study, job) in enumerate(sample.items(), 1):
        again = _later_run(system, job, patience_s)
        _ask_anew(system, coming)
        yield from compared(study, job, again)
        if number % _UNDER_WAY == 0 or number == len(sample):
            say(f"{number} of {len(sample)} jobs were computed anew")


def compared(study: Study, job: Job, again: Job | None) -> Iterator[Finding]:
    """A completed job with its fresh run, which is None where it has not ended in time."""
    if again is None:
        yield Finding("not-run-again", study.number, "its fresh run has not ended")
    elif again["status"] != job["status"]:
        yield Finding("differs", study.number, f"its fresh run is {_told(again)}")
    else:
        before, after = output_digests(job), output_digests(again)
        names = sorted(name for name in before | after if before.get(name) != after.get(name))
        if names:
            yield Finding("differs", study.number, ", ".join(names))


def _ask_anew(system: System, coming: list[Job]) -> None:
    """The first of those, if any is left."""
    if coming:
        asked = f"/jobs/{coming.pop(0)['job_id']}/rerun"
        system.results.post(asked, params={"fresh": True}).raise_for_status()


def _later_run(system: System, job: Job, patience_s: float) -> Job | None:
    """The job's next run when it has ended; None when it does not in time.

    Runs end about in the order in which they were asked for, so that each has its own time.
    """
    deadline = time.monotonic() + patience_s
    while (now := system.job(job["job_id"]))["run"] == job["run"] or now["status"] == "running":
        if time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_S)
    return now
