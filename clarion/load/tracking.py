"""Follows every study that was sent through the jobs API."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clarion.following import Asked, Job
from clarion.load.figures import Done
from clarion.load.judging import settled
from clarion.load.sending import Sent

_MOST = 10_000
_LEAST = 100
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
    """By id: the jobs that have ended, of all versions, in full."""
    _cases: dict[str, Sent] = field(default_factory=dict)

    def expect(self, sent: Sent) -> None:
        """A study was sent."""
        self.sent.append(sent)
        self._cases[sent.case_id] = sent

    def look(self, most: int | None = None) -> None:
        """Ask what has changed. Raises what the API raises."""
        limit = most or min(_MOST, max(_LEAST, 4 * len(self.waiting())))
        for line in self.results.get("/jobs", limit=limit):
            if line["case_id"] in self._cases:
                self._take(line)

    def look_at_all(self) -> None:
        """The same, however many other jobs there are meanwhile."""
        self.look(_MOST)

    def _take(self, line: Job) -> None:
        known = self.newest.get(line["case_id"])
        if known is None or known["version"] <= line["version"]:
            self.newest[line["case_id"]] = line
        if settled(line) and line["job_id"] not in self.jobs:
            self.jobs[line["job_id"]] = self.results.get(f"/jobs/{line['job_id']}")

    def waiting(self) -> list[Sent]:
        """The studies that a job is still due for."""
        return [
            sent for sent in self.sent if sent.stored and sent.makes_job and not self._is_done(sent)
        ]

    def _is_done(self, sent: Sent) -> bool:
        line = self.newest.get(sent.case_id)
        if line is None or not settled(line):
            return False
        return self.now() - sent.ended > _LATER_VERSION_S

    def done(self) -> list[Done]:
        """Every job that has ended, with what was sent for it."""
        return [Done(self._cases[job["case_id"]], job) for job in self.jobs.values()]
