"""Follows every study that was sent through the jobs API."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from clarion.following import Asked, Job
from clarion.load.figures import Done
from clarion.load.judging import settled
from clarion.load.sending import Sent

_MOST = 10_000
_LEAST = 100
_LINES = 4
"""Lines of the listing for each study: other versions, and other people's jobs."""
_LATER_VERSION_S = 8.0
"""How long after its last image a study may still become another version.

A sender that pauses, by fault or under load, splits its study; more than a quiet time.
"""


@dataclass
class Tracker:
    """What is known of the studies so far."""

    results: Asked
    now: Callable[[], float] = time.time
    sent: list[Sent] = field(default_factory=list)
    newest: dict[str, Job] = field(default_factory=dict)
    """By case: the listing's line of its newest version."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """By id: the jobs that have ended and are delivered, of all versions, in full."""
    shown: dict[str, float] = field(default_factory=dict)
    """By id: when a job was first listed as ended, s since 1970."""
    _open: dict[str, str] = field(default_factory=dict)
    """The case of each other job."""
    _cases: dict[str, Sent] = field(default_factory=dict)

    def expect(self, sent: Sent) -> None:
        """A study was sent."""
        self.sent.append(sent)
        self._cases[sent.case_id] = sent

    def look(self, most: int | None = None) -> None:
        """Ask what has changed. Raises what the API raises."""
        listed = self.results.get("/jobs", limit=most or self._enough())
        moment = self.now()
        ours = [line for line in listed if line["case_id"] in self._cases]
        for line in ours:
            self._take(line, moment)
        for line in ours:
            self._keep(line)

    def _enough(self) -> int:
        """Lines, newest first, that reach back to the oldest study that waits."""
        waiting = {sent.case_id for sent in self.waiting()}
        done = takewhile(lambda sent: sent.case_id not in waiting, self.sent)
        since = len(self.sent) - sum(1 for _ in done)
        return min(_MOST, max(_LEAST, _LINES * since))

    def look_at_all(self) -> None:
        """The same, however many other jobs there are meanwhile."""
        self.look(_MOST)

    def _take(self, line: Job, moment: float) -> None:
        job_id = line["job_id"]
        known = self.newest.get(line["case_id"])
        if known is None or known["version"] <= line["version"]:
            self.newest[line["case_id"]] = line
        if line["status"] != "running":
            self.shown.setdefault(job_id, moment)
        if job_id not in self.jobs:
            self._open[job_id] = line["case_id"]

    def _keep(self, line: Job) -> None:
        """Ask for a job in full, once, when nothing about it is open any more."""
        job_id = line["job_id"]
        if job_id in self._open and settled(line):
            self.jobs[job_id] = self.results.get(f"/jobs/{job_id}")
            del self._open[job_id]

    def waiting(self) -> list[Sent]:
        """The studies that a job is still due for."""
        return [sent for sent in self._expected() if not self._is_done(sent)]

    def unfinished(self) -> list[Sent]:
        """Those of them whose newest job has not ended, or is not delivered."""
        return [sent for sent in self._expected() if not self._has_ended(sent)]

    def _expected(self) -> Iterator[Sent]:
        return (sent for sent in self.sent if sent.stored and sent.makes_job)

    def _has_ended(self, sent: Sent) -> bool:
        line = self.newest.get(sent.case_id)
        return line is not None and settled(line)

    def _is_done(self, sent: Sent) -> bool:
        return self._has_ended(sent) and self.now() - sent.ended > _LATER_VERSION_S

    def done(self) -> list[Done]:
        """Every job that has ended, with what was sent for it."""
        return [
            Done(self._cases[job["case_id"]], job, self.shown[job_id])
            for job_id, job in self.jobs.items()
        ]

    def settled_cases(self) -> set[str]:
        """The cases of which every job has ended and is delivered."""
        return self.newest.keys() - set(self._open.values())
