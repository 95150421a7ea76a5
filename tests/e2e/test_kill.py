"""kill -9 of any process during a study: the same outputs, once.

Each victim is frozen before the study comes, so that it dies in the middle of its work and not
beside it. A fresh rerun of the job then shows what undisturbed work makes.
"""

from collections.abc import Sequence

import pytest
from pydicom.dataset import Dataset

from phantom.studies import slab
from shared.catalog import load_catalog
from shared.pipelines.definition import parse
from tests.e2e import sending
from tests.e2e.processes import frozen, kill, main_of, until_back, worker_of
from tests.e2e.studies import study_uid
from tests.e2e.system import (
    DEFINITIONS,
    LONG,
    PIPELINE,
    SHORT,
    Job,
    System,
    dataset_digests,
    new_seed,
    output_digests,
    until,
)

pytestmark = pytest.mark.e2e

DEFINITION = parse((DEFINITIONS / f"{PIPELINE}.yaml").read_bytes())
STAGES = {
    service: [name for name, stage in DEFINITION.stages.items() if stage.service_name == service]
    for service in {stage.service_name for stage in DEFINITION.stages.values()}
}
"""The stages of each service: which of them comes first is the system's choice."""


@pytest.mark.parametrize("service", sorted(STAGES))
def test_a_worker_dies_before_it_has_read_its_work(system: System, service: str) -> None:
    """It is replaced, and no study is blamed: `shared/bus/tests/test_workers.py` has the others."""
    datasets = slab(new_seed())
    worker = worker_of(system, service)
    with frozen(worker):
        system.send(datasets)
        until_at_work(system, datasets, *STAGES[service])
        kill(worker)
    job = system.ended(study_uid(datasets))
    attempts = {stage["stage"]: stage["attempts"] for stage in job["stages"]}
    assert attempts == dict.fromkeys(DEFINITION.stages, 1)
    assert_the_same_once(system, datasets)


@pytest.mark.parametrize("service", sorted(STAGES))
def test_a_stage_service_dies_while_its_worker_works(system: System, service: str) -> None:
    datasets = slab(new_seed())
    main = main_of(system, service)
    with frozen(worker_of(system, service)):
        system.send(datasets)
        until_at_work(system, datasets, *STAGES[service])
        kill(main)
    until_back(system, service, main)
    assert_the_same_once(system, datasets)


@pytest.mark.parametrize("service", sorted(set(load_catalog()) - set(STAGES) - {"ingest"}))
def test_a_service_beside_the_stages_dies_when_all_is_said(system: System, service: str) -> None:
    datasets = slab(new_seed())
    main, before = main_of(system, service), jobs(system)
    with frozen(main):
        system.send(datasets)
        until("every outcome", lambda: made_all(system, jobs(system) - before))
        kill(main)
    until_back(system, service, main)
    assert_the_same_once(system, datasets)


def test_ingest_dies_between_two_slices_and_the_sender_repeats(system: System) -> None:
    datasets = slab(new_seed())
    half = len(datasets) // 2
    main = main_of(system, "ingest")
    association = sending.associate(system.dicom_port, LONG, datasets)
    taken = [association.send_c_store(dataset).Status for dataset in datasets[:half]]
    kill(main)
    association.abort()
    until_back(system, "ingest", main)
    system.send(datasets, LONG)
    assert taken == [0] * half
    assert_the_same_once(system, datasets)


def test_ingest_dies_with_the_study_complete_and_not_yet_announced(system: System) -> None:
    datasets = slab(new_seed())
    main = main_of(system, "ingest")
    system.send(datasets, SHORT)
    kill(main)
    until_back(system, "ingest", main)
    assert_the_same_once(system, datasets)


def test_kafka_dies_while_a_study_is_read(system: System) -> None:
    datasets = slab(new_seed())
    [broker] = system.pids("kafka.Kafka")
    with frozen(worker_of(system, "reader")):
        system.send(datasets)
        until_at_work(system, datasets, "reader")
        kill(broker)
    assert_the_same_once(system, datasets)


def test_triton_dies_while_it_infers(system: System) -> None:
    datasets = slab(new_seed())
    [server] = system.pids("tritonserver", "--model-repository")
    with frozen(server):
        system.send(datasets)
        until_at_work(system, datasets, "lung-seg")
        kill(server)
    assert_the_same_once(system, datasets)


def test_the_pacs_dies_while_it_is_sent_to(system: System) -> None:
    datasets = slab(new_seed())
    [pacs] = system.pids("-m", "deploy.embedded.pacs")
    with frozen(pacs):
        system.send(datasets)
        until("the job's end", lambda: ended_waiting(system, datasets))
        kill(pacs)
    assert_the_same_once(system, datasets)


def assert_the_same_once(system: System, datasets: Sequence[Dataset]) -> None:
    """One version, completed, delivered once; and computed anew it is the same, byte for byte."""
    study = study_uid(datasets)
    job = system.ended(study)
    made, filed = output_digests(job), dataset_digests(system.received(study))
    assert job["status"] == "completed", job["reasons"]
    assert len(system.versions(study)) == 1
    assert len(filed) == 4

    again = system.rerun(job, fresh=True)

    assert {stage["status"] for stage in again["stages"]} == {"succeeded"}
    assert output_digests(again) == made
    assert dataset_digests(system.received(study)) == filed


def until_at_work(system: System, datasets: Sequence[Dataset], *stages: str) -> None:
    """Wait for the span that the bus shows when it hands one of the stages to a worker."""

    def handed_over() -> bool:
        for job in system.versions(study_uid(datasets)):
            answer = system.console.get(f"/api/traces/{job['trace_id']}")
            queued = (span for span in answer.json().get("spans", ()) if span["name"] == "queue")
            if any(span["attributes"].get("clarion.stage") in stages for span in queued):
                return True
        return False

    until(f"{' or '.join(stages)} at work", handed_over)


def jobs(system: System) -> set[str]:
    """The jobs that have outcomes."""
    return {path.name for path in (system.home.payloads / "outcomes").glob("*")}


def made_all(system: System, new: set[str]) -> bool:
    """Whether the one new job has an outcome of every stage."""
    return any(system.outcomes(job) == set(DEFINITION.stages) for job in new)


def ended_waiting(system: System, datasets: Sequence[Dataset]) -> Job | None:
    """The job once it has ended and only its deliveries are open."""
    found = system.versions(study_uid(datasets))
    return next((job for job in found if job["deliveries"].get("waiting")), None)
