"""Everything is killed at one moment with studies in the queue; `clarion up` is all that comes."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.embedded.cache import REPOSITORY
from deploy.embedded.survivors import end_survivors
from tests.chaos.outages import gone, jobs_ended
from tests.chaos.running import SENDERS
from tests.chaos.studies import Study, send_until_stored
from tests.e2e.system import System, until

_KNOWN_S = 600.0


@dataclass(frozen=True)
class Blackout:
    """What there was when it struck, and how long the way back took."""

    queued: int
    """Jobs that were known and had not ended."""
    ended_before: int
    processes: int
    seconds_to_up: float


def black_out(
    system: System, studies: Sequence[Study], at_work: int, start_s: float
) -> tuple[Blackout, Mapping[Study, int]]:
    """Send everything while Triton is away, so that it queues up; kill when some have ended.

    So every stage is in the middle of it. Gives the associations of each study, too.
    """
    before = jobs_ended(system)
    with gone("triton", system):
        with ThreadPoolExecutor(SENDERS) as senders:
            sent = {
                study: senders.submit(
                    send_until_stored, system.dicom_port, study.datasets, study.called
                )
                for study in studies
            }
            associations = {study: each.result() for study, each in sent.items()}
        until("a job of each", lambda: len(system.jobs) >= before + len(studies), _KNOWN_S)
    until("some at work", lambda: jobs_ended(system) >= before + at_work, _KNOWN_S)
    ended = jobs_ended(system)
    killed = end_survivors(system.home.folder)
    began = time.monotonic()
    up(system, start_s)
    took = round(time.monotonic() - began, 1)
    queued = len(system.jobs) - ended
    return Blackout(queued, ended - before, len(killed), took), associations


def up(system: System, start_s: float) -> None:
    """The command that an operator types; raises `CalledProcessError` with what it said."""
    told = ["--home", str(system.home.folder), "--detach", "--wait", str(start_s)]
    subprocess.run(
        [sys.executable, "-m", "clarion", "up", *told],
        cwd=REPOSITORY,
        env=dict(os.environ),
        check=True,
        stdout=sys.stderr,
    )
