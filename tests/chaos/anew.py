"""Computes every job anew, without faults: the same outputs, byte for byte."""

import time
from collections.abc import Iterator, Mapping

from tests.chaos.findings import Finding
from tests.chaos.progress import say
from tests.chaos.studies import Study
from tests.e2e.system import Job, System, output_digests

_LOOK_S = 0.5
_UNDER_WAY = 40
"""Fresh runs at a time."""


def computed_anew(
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
        yield Finding("differs", study.number, f"its fresh run is {told(again)}")
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


def told(job: Job) -> str:
    """How a job ended."""
    return f"{job['status']}: {', '.join(reason['code'] for reason in job['reasons'])}"
