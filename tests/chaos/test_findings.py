"""Each defect is found, of the study that has it, and a faultless run has none.

Ledger, API and payload store are the real ones and the PACS's folder is filled by hand; what the
services would make is made up.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from unittest.mock import ANY

import pytest
from fastapi.testclient import TestClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from deploy.embedded.home import create_home
from services.results.api import create_app
from services.results.archive import Archive
from services.results.ledger import deliveries, outbox
from services.results.ledger.deliveries import DeliveryStatus, Due
from services.results.tests.facts import PIPELINE as DEFINITION
from services.results.tests.facts import RECEIVED, SEG_CLASS, Story
from services.results.tests.house import House
from shared.bus import attempts
from shared.bus.attempts import Attempt
from shared.bus.received import Received
from shared.catalog import load_catalog
from shared.events.models import InputReady, PayloadRef, StageFailed
from shared.identity import case_id
from shared.store.port import PayloadStore
from tests.chaos.findings import Finding
from tests.chaos.judging import LOST, TWICE, Judged, blamed, judge
from tests.chaos.plan import Plan
from tests.chaos.poison import CAUSES
from tests.chaos.studies import Study
from tests.e2e.sending import as_files
from tests.e2e.system import PIPELINE, System

STUDY, OTHER = Study(3, "", 3), Study(4, "", 4)
POISONED = Study(1, "memory", 1)
OBJECTS = 4
"""Of a job that has completed."""


def file_of(study: Study, sop_uid: str, keeper: str, says: str = "") -> bytes:
    """An object as one of its keepers has it: what it says is the data set's."""
    dataset = Dataset()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study.uid, f"{sop_uid}.1"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SEG_CLASS, sop_uid
    dataset.SeriesDescription = says
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = keeper
    [content] = as_files([dataset])
    return content


class Analysis(Story):
    """The events of a study's job, whose objects say something."""

    def __init__(
        self, store: PayloadStore, study: Study, version: int = 1, run: int = 1, says: str = ""
    ) -> None:
        super().__init__(store, version, run, case_id(PIPELINE, study.uid, "study"))
        self.study, self.says = study, says

    def sop_uid(self, stage: str) -> str:
        return f"{super().sop_uid(stage)}.{self.study.number}"

    def _payload(self, stage: str, port: str) -> PayloadRef:
        if port != "dicom":
            return super()._payload(stage, port)
        content = file_of(self.study, self.sop_uid(stage), "RESULTS", self.says)
        return self.store.put(content, "application/dicom")

    def gave_up(self, stage: str, code: str, after: int = 3, verdict: str = "failed") -> Received:
        """A stage has failed, or refused its input, after so many attempts."""
        received = self.failed(stage, code, verdict)
        assert isinstance(received.event.data, StageFailed)
        data = received.event.data.model_copy(update={"attempts": after})
        return replace(received, event=replace(received.event, data=data))


class Site:
    """A home in which no process runs; `anew` is what the objects of a fresh run say, None where
    it never ends.
    """

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self.home = create_home(folder, load_catalog())
        self.anew: str | None = ""
        self._studies: dict[str, Study] = {}
        concluder = self.house.intake.concluder
        archive = Archive(self.house.ledger, self.house.store, concluder.definitions)
        client = TestClient(
            create_app(archive, self.house.desk(), self.house.pruner, lambda: (), self._answer)
        )
        self.system = System(self.home, results=client, console=client)

    def take(self, *events: Received) -> None:
        """The ledger hears of them."""
        self.house.intake.take(events)

    def begun(self, study: Study, version: int = 1) -> Analysis:
        """A job that has begun, and waits for its reader."""
        story = Analysis(self.house.store, study, version)
        self._studies[story.job_id] = study
        self.take(story.input_ready())
        return story

    def made(self, study: Study, version: int = 1) -> Analysis:
        """A job that has completed, with nothing delivered yet."""
        story = self.begun(study, version)
        self.take(*story.whole()[1:])
        return story

    def analysed(self, study: Study) -> Analysis:
        """A job as it should be."""
        story = self.made(study)
        self.deliver(story)
        return story

    def set_aside(
        self, study: Study, code: str, after: int = 3, verdict: str = "failed"
    ) -> Analysis:
        """A job whose reader gave up."""
        story = self.begun(study)
        self.take(story.gave_up("reader", code, after, verdict))
        return story

    def deliver(self, story: Analysis, end: DeliveryStatus = "delivered") -> None:
        """What is due is filed, and by the ledger it ended so."""
        now, why = self.house.clock(), None if end == "delivered" else "no-response"
        with self.house.ledger.transaction() as connection:
            for sent in deliveries.claim(connection, Due("pacs", story.job_id), now, "results"):
                self.file(story.study, sent.sop_instance_uid)
                deliveries.settle(connection, sent, "results", end, why, None, now)

    def file(self, study: Study, sop_uid: str, says: str = "") -> None:
        path = self.home.received / study.uid / f"{sop_uid}.1" / f"{sop_uid}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_of(study, sop_uid, "PACS", says))

    def filed(self, study: Study) -> Path:
        """One of the files that the PACS has of a study."""
        return min(self.system.received(study.uid).values())

    def came_again(self) -> None:
        """The PACS was sent what it had."""
        with (self.home.logs / "pacs.log").open("a") as log:
            log.write("INFO pacs an instance came again, the same\n")

    def judged(self, *studies: Study, compared: int = 0, interrupted: int = 0) -> Judged:
        """Of these, which were acknowledged; nothing is waited for."""
        plan = Plan(len(studies), seed=7, models="instant", faults=0, compared=compared)
        return judge(plan, self.system, studies, patience_s=0, interrupted=interrupted)

    def blamed(self, *studies: Study) -> list[Finding]:
        return list(blamed(self.system, studies))

    def _answer(self) -> None:
        """Run what was asked for again, as the services would."""
        with self.house.ledger.transaction() as connection:
            letters = outbox.unsent(connection)
            outbox.mark_sent(connection, [letter.seq for letter in letters], self.house.clock())
        for asked in (letter.event.data for letter in letters):
            if isinstance(asked, InputReady) and self.anew is not None:
                study = self._studies[asked.job_id]
                story = Analysis(self.house.store, study, run=asked.run, says=self.anew)
                self.take(*story.whole()[1:])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


Defect: TypeAlias = Callable[[Site, Study], object]


def never_began(site: Site, study: Study) -> None:
    """It was acknowledged, and that was all."""


def two_jobs(site: Site, study: Study) -> None:
    site.begun(study)
    site.deliver(site.made(study, version=2))


def stuck(site: Site, study: Study) -> None:
    story = site.begun(study)
    site.take(story.made("reader"))


def failed(site: Site, study: Study) -> None:
    site.set_aside(study, "defect")


def partial(site: Site, study: Study) -> None:
    story = site.begun(study)
    made = [story.made(stage) for stage in DEFINITION.stages if not stage.startswith("classif")]
    site.take(*made, story.failed("classifier"))
    site.deliver(story)


def ending(end: DeliveryStatus) -> Defect:
    """Everything is filed, and by the ledger it is not delivered."""
    return lambda site, study: site.deliver(site.made(study), end)


def missing(site: Site, study: Study) -> None:
    site.analysed(study)
    site.filed(study).unlink()


def one_more(site: Site, study: Study) -> None:
    site.analysed(study)
    site.file(study, "2.25.7")


def other_bytes(site: Site, study: Study) -> None:
    site.analysed(study)
    site.file(study, site.filed(study).stem, says="something else")


@pytest.mark.parametrize(
    ("defect", "code", "detail"),
    [
        (never_began, "lost", "no job"),
        (two_jobs, "two-jobs", "2 versions"),
        (stuck, "unfinished", "waits for lung-seg, lesion-seg"),
        (failed, "not-completed", "failed: defect"),
        (partial, "not-completed", "partial: defect"),
        (ending("failed"), "not-delivered", "lung-seg is failed: no-response"),
        (ending("held"), "not-delivered", "lung-seg is held: no-response"),
        (ending("waiting"), "not-delivered", "lung-seg is waiting: no-response"),
        (missing, "not-at-the-pacs", "1 objects"),
        (one_more, "unexpected-at-the-pacs", "1 objects"),
        (other_bytes, "differs-at-the-pacs", "other bytes"),
    ],
)
def test_a_defect_is_found_of_the_study_that_has_it(
    site: Site, defect: Defect, code: str, detail: str
) -> None:
    site.analysed(OTHER)
    defect(site, STUDY)
    findings = site.judged(OTHER, STUDY).findings
    assert {(finding.code, finding.study) for finding in findings} == {(code, STUDY.number)}
    assert detail in findings[0].detail


def behind_its_reader(site: Site, study: Study) -> None:
    story, code = site.begun(study), CAUSES[study.poison]
    later = [story.gave_up(stage, code) for stage in ("lung-seg", "lesion-seg")]
    site.take(story.made("reader"), *later)
    site.deliver(story)


@pytest.mark.parametrize(
    ("defect", "detail"),
    [
        (Site.analysed, "memory: ('completed', 'succeeded'"),
        (behind_its_reader, "memory: ('partial', 'succeeded'"),
        (lambda site, study: site.set_aside(study, "defect"), "['defect']"),
        (lambda site, study: site.set_aside(study, "out-of-memory", after=2), "'failed', 2"),
        (
            lambda site, study: site.set_aside(study, "out-of-memory", verdict="refused"),
            "memory: ('refused', 'refused'",
        ),
    ],
    ids=["completed", "too-late", "other-cause", "too-early", "refused"],
)
def test_poison_that_does_not_end_as_it_must_is_found(
    site: Site, defect: Defect, detail: str
) -> None:
    site.analysed(OTHER)
    defect(site, POISONED)
    [finding] = site.judged(OTHER, POISONED).findings
    assert (finding.code, finding.study) == ("poison-not-set-aside", POISONED.number)
    assert detail in finding.detail


def test_a_faultless_run_has_no_finding(site: Site) -> None:
    for study in (STUDY, OTHER):
        site.analysed(study)
    poisoned = [Study(number, poison, number) for number, poison in enumerate(CAUSES, start=10)]
    for study in poisoned:
        site.set_aside(study, CAUSES[study.poison])
    assert site.judged(STUDY, OTHER, *poisoned, compared=2) == Judged(
        findings=[],
        completed=2,
        set_aside=len(CAUSES),
        compared=2,
        objects=2 * OBJECTS,
        came_again=0,
        explained=0,
        waited_s=ANY,
    )


@pytest.mark.parametrize(("anew", "code"), [("something else", "differs"), (None, "not-run-again")])
def test_a_fresh_run_is_compared(site: Site, anew: str | None, code: str) -> None:
    site.analysed(STUDY)
    site.anew = anew
    [finding] = site.judged(STUDY, compared=1).findings
    assert (finding.code, finding.study) == (code, STUDY.number)


def test_what_came_again_is_a_finding_unless_it_is_explained(site: Site) -> None:
    site.analysed(STUDY)
    site.came_again()
    [finding] = site.judged(STUDY).findings
    assert (finding.code, finding.detail) == (
        "sent-again",
        f"1 of {OBJECTS} objects, of which 0 are explained",
    )
    assert site.judged(STUDY, interrupted=1).findings == []


def test_what_is_lost_is_counted_and_what_came_twice(site: Site) -> None:
    defects = (never_began, stuck, missing, two_jobs, one_more, other_bytes)
    studies = [Study(number, "", number) for number, _ in enumerate(defects)]
    for defect, study in zip(defects, studies, strict=True):
        defect(site, study)
    site.came_again()
    judged = site.judged(*studies)
    assert (judged.count(*LOST), judged.count(*TWICE)) == (3, 3)


def attempt_burnt(site: Site, study: Study) -> None:
    """A worker died over it, and the next attempt was well."""
    store, story = site.house.store, site.analysed(study)
    note = Attempt(
        code="worker-died",
        exception_type="WorkerDied",
        place="",
        details=store.put(b"signal 9", "text/plain"),
        traceparent="",
        finished_at=RECEIVED,
    )
    where = attempts.key(story.job_id, 1, "classifier", 1)
    store.create(where, note.model_dump_json().encode())


def run_again(site: Site, study: Study) -> None:
    job_id = site.analysed(study).job_id
    site.system.results.post(f"/jobs/{job_id}/rerun").raise_for_status()


@pytest.mark.parametrize(
    ("trace", "code", "detail"),
    [
        (failed, "failure-recorded", "reader: defect"),
        (attempt_burnt, "attempt-burnt", "classifier: worker-died"),
        (run_again, "run-again", "run 2, which nobody asked for"),
    ],
)
def test_what_an_outage_leaves_is_found(site: Site, trace: Defect, code: str, detail: str) -> None:
    site.analysed(OTHER)
    trace(site, STUDY)
    assert site.blamed(OTHER, STUDY) == [Finding(code, STUDY.number, detail)]


def test_an_outage_that_leaves_nothing_is_blamed_on_no_study(site: Site) -> None:
    for study in (STUDY, OTHER):
        site.analysed(study)
    assert site.blamed(STUDY, OTHER) == []
