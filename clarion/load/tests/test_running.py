"""A run with real senders and a real association; the jobs API is a fake that knows what came."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from clarion.load.crew import Belongings, Crew, hired
from clarion.load.identities import Run as Identities
from clarion.load.machine import Addresses, Meter
from clarion.load.plan import Mix, Order, orders
from clarion.load.report import Report
from clarion.load.routes import Way, definition
from clarion.load.running import Interrupts, Run
from clarion.load.studies import recorded
from clarion.load.tests.studies import chance, job
from clarion.load.tracking import Tracker
from clarion.storage import Target
from clarion.tests.receiver import Receiver, listening
from phantom.dicom import write
from phantom.studies import slab
from services.ingest.settings import IngestSettings
from shared.events.models import Lane

_LONG_AFTER_S = 60.0
"""By the tracker's clock no study may become another version any more."""
NOWHERE = Addresses("http://127.0.0.1:9/metrics", None)


@dataclass
class Finishes:
    """A jobs API in which every study that was sent has a finished job, but for some."""

    tracker: Tracker | None = None
    forgotten: set[int] = field(default_factory=set)
    """Numbers of orders."""
    ends: str = "completed"
    silent: int = 0
    """How often it does not answer first."""

    def get(self, path: str, **_: Any) -> Any:
        assert self.tracker is not None
        self.silent -= 1
        if self.silent >= 0:
            raise httpx.ReadTimeout("too much to do")
        made = [
            job(each.case_id, status=self.ends)
            for each in self.tracker.sent
            if each.order.number not in self.forgotten
        ]
        return made if path == "/jobs" else next(j for j in made if path.endswith(j["job_id"]))


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as ready:
        yield ready


@pytest.fixture(scope="module")
def belongings(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Belongings:
    folder = tmp_path_factory.mktemp("load")
    write(slab(1)[:2], folder / "scans")
    way = Way(
        Target("PACS", "127.0.0.1", receiver.port),
        Lane.ROUTINE,
        definition(IngestSettings().pipelines, "covid19-ct"),
    )
    return Belongings(recorded([folder / "scans"]), {Lane.ROUTINE: way}, Identities(1), folder)


@pytest.fixture
def crew(belongings: Belongings) -> Iterator[Crew]:
    with hired(1, belongings) as senders:
        yield senders


def test_what_was_sent_and_has_no_job_is_lost(
    crew: Crew, receiver: Receiver, belongings: Belongings
) -> None:
    shown: list[Report] = []
    done = _run(crew, Finishes(forgotten={1}, silent=1), Interrupts(), [0.0, 0.0, 0.5], shown).go()

    assert (done.sending.studies, done.jobs, done.waiting) == (3, {"completed": 2}, 1)
    assert [each.why for each in done.verdict.lost] == ["no job began"]
    assert not done.ok
    assert done.unanswered == 1
    assert len(receiver.datasets) == 6
    assert shown[-1].sending.studies == 3
    assert [path.name for path in belongings.folder.iterdir()] == ["scans"]


@pytest.mark.parametrize(
    ("ends", "recorded", "ok"),
    [("completed", False, True), ("failed", True, False), ("refused", False, False),
     ("refused", True, True)],
)  # fmt: skip
def test_a_run_is_well_when_its_jobs_completed(
    crew: Crew, ends: str, recorded: bool, ok: bool
) -> None:
    run = _run(crew, Finishes(ends=ends), Interrupts(), [0.0], [])
    run.recorded = recorded
    done = run.go()
    assert done.ok is ok
    assert done.left_out == ({} if ends == "completed" else {ends: 1})
    assert (done.lanes != {}) is (ends == "completed")


def test_after_ctrl_c_nothing_more_is_sent_and_nothing_is_lost(crew: Crew) -> None:
    far_off = [3600.0 * number for number in range(1, 4)]
    done = _run(crew, Finishes(), Interrupts(1), far_off, []).go()
    assert done.interrupted
    assert (done.sending.studies, done.verdict.lost) == (0, ())


@pytest.mark.parametrize(("forgotten", "behind"), [(set[int](), None), ({0}, {"writers": 19})])
def test_what_was_behind_before_the_end_is_told_only_where_something_waits(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, forgotten: set[int], behind: object
) -> None:
    monkeypatch.setattr(Meter, "look", lambda meter: setattr(meter, "backlog", {"writers": 19}))
    done = _run(crew, Finishes(forgotten=forgotten), Interrupts(), [0.0], []).go()
    assert done.machine.backlog == behind


def _run(
    crew: Crew, api: Finishes, interrupts: Interrupts, due: list[float], shown: list[Report]
) -> Run:
    api.tracker = Tracker(api, now=lambda: time.time() + _LONG_AFTER_S)
    mix = Mix({}, {}, {}, sources=1)
    planned: Iterator[Order] = orders(due, range(len(due)), mix, chance(0))
    return Run(
        crew=crew,
        orders=planned,
        planned=len(due),
        tracker=api.tracker,
        meter=Meter(NOWHERE),
        sources={},
        drain_s=1.5,
        interrupts=interrupts,
        show=shown.append,
    )
