"""Kafka, Triton or the store gone for minutes, under load: work waits, and nobody is blamed."""

import signal
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tests.chaos.processes import send_signal
from tests.chaos.running import SENDERS
from tests.chaos.storage import replaced_by_a_file
from tests.chaos.studies import Study, send_until_stored
from tests.e2e.system import System, until

Outage = Callable[[System], AbstractContextManager[None]]
"""Takes a part away, and brings it back at the end."""


@dataclass(frozen=True)
class Survived:
    """What happened during an outage."""

    seconds: float
    associations: Mapping[Study, int]
    ended_meanwhile: int
    """Jobs; what needs the part ends none."""


def survive(system: System, of: str, studies: Sequence[Study], gone_s: float) -> Survived:
    """A third of the studies at once, then the outage, in which the rest come at equal gaps.

    Returns when the part is back and all is acknowledged.
    """
    first, rest = studies[: len(studies) // 3], studies[len(studies) // 3 :]
    with ThreadPoolExecutor(SENDERS) as senders:
        send = partial(_submit, senders, system)
        sent = {study: send(study) for study in first}
        for each in sent.values():
            each.result()
        with OUTAGES[of](system):
            began, ended = time.monotonic(), jobs_ended(system)
            for study in rest:
                sent[study] = send(study)
                time.sleep(gone_s / len(rest))
            gone, meanwhile = time.monotonic() - began, jobs_ended(system) - ended
        associations = {study: each.result() for study, each in sent.items()}
    return Survived(gone, associations, meanwhile)


def _submit(senders: ThreadPoolExecutor, system: System, study: Study) -> "Future[int]":
    return senders.submit(send_until_stored, system.dicom_port, study.datasets, study.called)


def jobs_ended(system: System) -> int:
    """How many jobs run no more; results is no part that goes away."""
    return sum(job["status"] != "running" for job in system.jobs)


@contextmanager
def gone(part: str, system: System) -> Iterator[None]:
    """Killed, and kept from coming back: supervisord starts again what ends by itself."""
    control = system.control

    def is_stopped() -> bool:
        with suppress(xmlrpc.client.Fault):  # between its end and its next start
            control.stop(part)
        return control.states()[part] == "STOPPED"

    send_signal(control.pids().get(part), signal.SIGKILL)
    until(f"{part} stopped", is_stopped)
    try:
        yield
    finally:
        control.start(part)


def without_store(system: System) -> AbstractContextManager[None]:
    """The folder of the payloads is away, and nobody can make it anew: a disk that is not mounted.

    Taken away as a whole since permissions are nothing to root.
    """
    home = system.home
    return replaced_by_a_file(home.payloads, home.folder / "payloads-away")


OUTAGES: Mapping[str, Outage] = {
    "kafka": partial(gone, "kafka"),
    "triton": partial(gone, "triton"),
    "store": without_store,
}
