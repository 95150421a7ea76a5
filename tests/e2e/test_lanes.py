"""A job that becomes urgent while it is queued overtakes all that came before it."""

import json
from functools import partial

import pytest

from phantom.studies import slab
from tests.e2e.processes import frozen, worker_of
from tests.e2e.studies import study_uid
from tests.e2e.system import Job, System, new_seed, until

pytestmark = pytest.mark.e2e

_QUEUED = 12
"""More than a service with one worker takes in of a lane: the last of them lies in the topic."""
_STAGES = ("lung-seg", "classifier", "lung-dicom-seg")
_BEFORE = 3
"""What is in work already goes before it, and what two replicas of a service begin at once."""


def test_the_last_of_a_queue_goes_first_at_every_stage_when_its_lane_is_changed(
    instant: System,
) -> None:
    studies = [slab(new_seed()) for _ in range(_QUEUED)]
    with frozen(worker_of(instant, "lung_seg")):
        for datasets in studies:
            instant.send(datasets)
            [urgent] = until("known", partial(instant.versions, study_uid(datasets)))
        until("read", lambda: "reader" in instant.outcomes(urgent["job_id"]))
        where = f"/jobs/{urgent['job_id']}/lane"
        instant.results.post(where, params={"lane": "stat"}).raise_for_status()
        until("moved", lambda: _is_moved(instant, urgent["job_id"]))
    jobs = [instant.ended(study_uid(datasets)) for datasets in studies]
    assert {job["status"] for job in jobs} == {"completed"}
    assert all(_place(jobs, urgent["job_id"], stage) <= _BEFORE for stage in _STAGES)
    assert {stage["attempts"] for job in jobs for stage in job["stages"]} == {1}
    for job, datasets in zip(jobs, studies, strict=True):
        sent = {each["sop_instance_uid"] for each in job["outputs"] if each["sop_instance_uid"]}
        assert set(instant.received(study_uid(datasets))) == sent


def _is_moved(system: System, job_id: str) -> bool:
    """What results says in its log."""
    lines = (system.home.logs / "results.log").read_text().splitlines()
    told = (json.loads(line) for line in lines if '"moved"' in line)
    return any(line.get("event") == "moved" and job_id in line.values() for line in told)


def _place(jobs: list[Job], job_id: str, stage: str) -> int:
    """At which place, from 0 on, a job's stage was begun."""
    begun = {
        job["job_id"]: each["started_at"]
        for job in jobs
        for each in job["stages"]
        if each["stage"] == stage
    }
    return sorted(begun, key=lambda each: str(begun[each])).index(job_id)
