"""Follows one study through the jobs API until nothing about it is open any more."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

Job = Mapping[str, Any]
"""A job as `jobs show --json` has it."""

_POLL_S = 0.3
_NEWEST = 50


class Asked(Protocol):
    """The jobs API."""

    def get(self, path: str, **parameters: Any) -> Any: ...


def follow(
    results: Asked,
    case_id: str,
    deadline_s: float,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Job | None]:
    """The case's newest job, again and again; None while there is none.

    Ends after the job that is settled, or at the deadline.
    """
    until = now() + deadline_s
    while now() < until:
        found = next(
            (job for job in results.get("/jobs", limit=_NEWEST) if job["case_id"] == case_id), None
        )
        job: Job | None = results.get(f"/jobs/{found['job_id']}") if found else None
        yield job
        if job and settled(job):
            return
        pause(_POLL_S)


def settled(job: Job) -> bool:
    """The job has ended, and each of its objects is delivered, or won't be by itself."""
    waiting = [status for status in delivery_statuses(job) if status == "waiting"]
    return job["status"] != "running" and not waiting


def delivery_statuses(job: Job) -> list[str]:
    """One for each object and destination."""
    return [each["status"] for output in job["outputs"] for each in output["deliveries"]]


def shortcomings(job: Job | None, deadline_s: float) -> list[str]:
    """Why a study did not go all its way; empty when it did."""
    if job is None:
        return [f"no job began within {deadline_s:g} s; see `clarion doctor`"]
    if not settled(job):
        open_ = [each["stage"] for each in job["stages"] if each["status"] == "waiting"]
        return [f"not done after {deadline_s:g} s; open: {', '.join(open_) or 'deliveries'}"]
    found = [f"{reason['code']}: {reason['text']}" for reason in job["reasons"]]
    found += [
        f"stage {stage['stage']} {stage['status']}: {reason['code']}"
        for stage in job["stages"]
        for reason in stage["reasons"]
    ]
    found += [
        f"{output['name']} {each['status']} at {each['destination']}: {each['last_error']}"
        for output in job["outputs"]
        for each in output["deliveries"]
        if each["status"] != "delivered"
    ]
    return found or ([] if job["status"] == "completed" else [f"the job is {job['status']}"])


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Between two times of the API; None where one is missing."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
