"""The judgement when all is over: nothing lost, nothing twice, every byte as without faults."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.identity import case_id
from tests.chaos.anew import computed_anew, told
from tests.chaos.findings import Finding
from tests.chaos.plan import Plan
from tests.chaos.poison import CAUSES
from tests.chaos.repeats import came_again, log_of_results, may_come_again, repeated
from tests.chaos.running import settled
from tests.chaos.studies import Study
from tests.e2e.system import PIPELINE, Job, System, dataset_digests, dicom_outputs

_ATTEMPTS = 3


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
    again = came_again(system)
    explained = may_come_again(interrupted, log_of_results(system))
    findings += repeated(again, objects, explained)
    completed = [study for study, job in found.items() if job["status"] == "completed"]
    chosen = plan.sample([study.number for study in completed])
    sample = {study: found[study] for study in completed if study.number in chosen}
    findings += computed_anew(system, sample, patience_s)
    set_aside = sum(
        bool(study.poison) and job["status"] == "failed" for study, job in found.items()
    )
    return Judged(
        findings=findings,
        completed=len(completed),
        set_aside=set_aside,
        compared=len(sample),
        objects=objects,
        came_again=again,
        explained=explained,
        waited_s=waited,
    )


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
        yield Finding("not-completed", study.number, told(job))


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
