"""However a study comes, over many associations or out of order, it is one job of one version."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from phantom.studies import slab
from tests.e2e import sending, studies
from tests.e2e.echo import Echo
from tests.e2e.studies import study_uid
from tests.e2e.system import (
    ECHO,
    ECHO_PIPELINE,
    LONG,
    TRICKLE,
    System,
    new_seed,
    output_digests,
    until,
)

pytestmark = pytest.mark.e2e

SERIES = "cmb_crc_01068"


def test_a_hundred_associations_are_one_job(system: System) -> None:
    datasets = studies.as_another_study(studies.real(SERIES))
    assert len(datasets) == 100
    for dataset in datasets:
        system.send([dataset], TRICKLE)

    job = system.ended(study_uid(datasets))

    assert job["status"] == "completed"
    assert len(system.versions(study_uid(datasets))) == 1


def test_four_shuffled_associations_at_once_are_one_job_with_the_same_findings(
    system: System,
) -> None:
    first = studies.as_another_study(studies.real(SERIES))
    again = studies.as_another_study(first)
    shuffled = random.Random(4).sample(again, len(again))  # noqa: S311
    with ThreadPoolExecutor(4) as senders:
        list(
            senders.map(lambda part: system.send(part, TRICKLE), [shuffled[n::4] for n in range(4)])
        )
    system.send(first)

    job, reference = system.ended(study_uid(again)), system.ended(study_uid(first))

    assert job["status"] == "completed"
    assert len(system.versions(study_uid(again))) == 1
    found, wanted = output_digests(job), output_digests(reference)
    for name in ("volume", "lung-mask", "lesion-mask", "probabilities", "measurement"):
        assert found[name] == wanted[name], name


def test_sharp_and_soft_together_are_one_set_of_results(system: System) -> None:
    soft = studies.real_folder("lung_dx_a0001_soft")
    sharp = studies.real_folder("lung_dx_a0001_sharp")
    system.send_files(sharp, soft, called=LONG)

    study = study_uid(studies.real("lung_dx_a0001_soft"))
    job = system.ended(study)

    assert job["status"] == "completed"
    assert len(system.versions(study)) == 1
    assert len(system.received(study)) == 4
    [chosen] = [stack for stack in job["selection"] if stack["chosen"]]
    [passed] = [stack for stack in job["selection"] if not stack["chosen"]]
    assert ", B, " in chosen["stack"], job["selection"]
    assert ", L, " in passed["stack"], job["selection"]
    assert "kernel" in passed["reason"], passed
    assert chosen["reason"], chosen


def test_a_pacs_that_sends_everything_back_reaches_a_fixed_point(
    system: System, echo: Echo
) -> None:
    datasets = slab(new_seed())
    system.send(datasets, ECHO)
    job = system.ended(study_uid(datasets), pipeline=ECHO_PIPELINE)
    assert job["status"] == "completed"
    sent = {made["sop_instance_uid"] for made in job["outputs"] if made["sop_instance_uid"]}

    back = until("the echo", lambda: echo.forwarded if sent <= echo.forwarded.keys() else None)
    system.passed()

    assert {back[uid] for uid in sent} == {0}
    assert len(system.versions(study_uid(datasets), ECHO_PIPELINE)) == 1
    assert set(echo.forwarded) == sent


def test_an_unknown_ae_title_gets_no_association(system: System) -> None:
    with pytest.raises(ConnectionError):
        sending.associate(system.dicom_port, "NOBODY", slab(new_seed()))
