"""Changed while studies come: code, a pipeline's definition, a model's version. Nothing is lost.

Each time studies are sent without pause; those before the change, across it and after it each end
once, by one definition and one version of the model from begin to end.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import onnx
import pytest

from phantom.studies import slab
from shared.bus.units import DEFINITION
from shared.version import CODE_VERSION
from tests.chaos.studies import send_until_stored
from tests.e2e.operator import Operator, another
from tests.e2e.processes import frozen, worker_of
from tests.e2e.studies import study_uid
from tests.e2e.system import (
    PIPELINE,
    Job,
    System,
    dataset_digests,
    dicom_outputs,
    new_seed,
    until,
)
from tests.e2e.versioned import version_file

pytestmark = pytest.mark.e2e

NEW_CODE = "0.1.1-next"
MODEL, STAGE = "lesion_seg", "lesion-seg"
WRITTEN = ("lung-dicom-seg", "lesion-dicom-seg", "classification-report", "ratio-report")
Outcome = dict[str, Any]


@contextmanager
def studies_without_pause(system: System) -> Iterator[list[str]]:
    """The studies that are sent meanwhile, in order, each acknowledged: two before, two after."""
    sent: list[str] = []
    enough = Event()

    def send() -> None:
        while not enough.is_set():
            datasets = slab(new_seed())
            send_until_stored(system.dicom_port, datasets)
            sent.append(study_uid(datasets))

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            until("two studies sent", lambda: len(sent) >= 2 or sending.done())
            yield sent
            before = len(sent)
            until("two more sent", lambda: len(sent) >= before + 2 or sending.done())
        finally:
            enough.set()
        sending.result()


def ended_once(system: System, study: str) -> Job:
    """The job of a study: only one, completed, all at the first attempt, each output filed once."""
    job = system.ended(study)
    assert job["status"] == "completed", job["reasons"]
    assert {stage["attempts"] for stage in job["stages"]} == {1}
    assert len(system.versions(study)) == 1
    assert dataset_digests(system.received(study)) == dataset_digests(dicom_outputs(job))
    return job


def outcomes(system: System, job: Job) -> dict[str, Outcome]:
    """What came of each stage of a job, as the store keeps it."""
    folder = system.home.payloads / "outcomes" / job["job_id"] / "1"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def restart(system: System, process: str) -> None:
    """Stop a process as an operator does, and start what is there now."""
    system.control.stop(process)
    until("stopped", lambda: process not in system.control.busy())
    system.control.start(process)
    until("ready again", lambda: system.is_healthy(process))


def code_of(system: System, job: Job) -> set[str]:
    """The code versions that have written a job's objects."""
    made = outcomes(system, job)
    return {made[stage]["code_version"] for stage in WRITTEN if stage in made}


def test_new_code_of_a_service_runs_beside_the_old(instant: System) -> None:
    home = instant.home.folder
    with studies_without_pause(instant) as sent:
        instant.ended(sent[0])
        version_file(home, "2").write_text(NEW_CODE)
        restart(instant, "writers-2")
        both = len(sent)
        until("work of both", lambda: _codes(instant, sent[both:]) == {CODE_VERSION, NEW_CODE})
        version_file(home, "1").write_text(NEW_CODE)
        restart(instant, "writers")
        after = len(sent)

    jobs = [ended_once(instant, study) for study in sent]
    assert code_of(instant, jobs[0]) == {CODE_VERSION}
    assert all(code_of(instant, job) == {NEW_CODE} for job in jobs[after + 1 :])


def _codes(system: System, studies: list[str]) -> set[str]:
    jobs = (job for study in studies for job in system.versions(study))
    return {code for job in jobs for code in code_of(system, job)}


def test_a_job_ends_with_the_definition_that_it_began_with(instant: System) -> None:
    path = instant.home.folder / "pipelines" / f"{PIPELINE}.yaml"
    old = path.read_text()
    try:
        with studies_without_pause(instant) as sent, frozen(worker_of(instant, "lung_seg")):
            until("a study that waits for its lungs", lambda: _waits(instant, sent))
            path.write_text(old.replace("series_number: 900", "series_number: 910"))
            restart(instant, "ingest")
        jobs = [ended_once(instant, study) for study in sent]
    finally:
        path.write_text(old)
        restart(instant, "ingest")

    series = [{_series_number(made) for made in outcomes(instant, job).values()} for job in jobs]
    known = [{number for number in each if number} for each in series]
    assert known[0] == {900}
    assert known[-1] == {910}
    assert sorted(known, key=min) == known
    assert [len(_definitions(outcomes(instant, job))) for job in jobs] == [1] * len(jobs)


def _made(system: System, study: str) -> set[str]:
    """The stages of a study that have ended."""
    return {stage for job in system.versions(study) for stage in system.outcomes(job["job_id"])}


def _waits(system: System, studies: list[str]) -> bool:
    """Whether a study is read, and its lungs are not found yet."""
    made = (_made(system, study) for study in studies)
    return any("reader" in stages and "lung-seg" not in stages for stages in made)


def _series_number(made: Outcome) -> int:
    """The tens of what the definition tells a writer; 0 for any other stage."""
    return int(made["parameters"].get("series_number", 0)) // 10


def _definitions(made: dict[str, Outcome]) -> set[str]:
    """The definitions that the events of a job refer to."""
    return {
        event["data"]["payloads"][DEFINITION]["sha256"]
        for outcome in made.values()
        for event in outcome["events"]
    }


def test_each_job_is_answered_by_one_version_of_a_model(instant: System, tmp_path: Path) -> None:
    operator = Operator(instant.home.folder, MODEL)
    old = operator.answering()
    model = another(instant.home.models / MODEL, old, tmp_path, _more_is_lesion)
    with studies_without_pause(instant) as sent:
        [added] = operator.types("add", str(model))
        until("lesions of one study", lambda: STAGE in _made(instant, sent[0]))
        operator.types("promote", MODEL, str(added["version"]))
        after = len(sent)

    jobs = [ended_once(instant, study) for study in sent]
    answered = [_version(job) for job in jobs]
    assert answered[0] == old
    assert set(answered[after + 1 :]) == {added["version"]}
    assert sorted(answered) == answered


def _more_is_lesion(graph: onnx.ModelProto) -> None:
    [lung] = [node for node in graph.graph.node if node.output[0] == "lung"]
    lung.attribute[0].f -= 0.05


def _version(job: Job) -> int:
    [model] = [stage["model"] for stage in job["stages"] if stage["stage"] == STAGE]
    return int(model["version"])
