"""What is kept of an event."""

import json

import pytest

from services.statistics.facts import Fact, fact_of
from services.statistics.tests.told import event, fact
from shared.events.examples import EXAMPLES
from shared.events.models import ReasonModel
from shared.events.wire import Event

KINDS = [
    ("input-ready", "input", "begun"),
    ("volume-ready", "stage", "succeeded"),
    ("stage-failed", "stage", "refused"),
    ("job-finished", "job", "completed"),
    ("dicom-delivered", "delivery", "delivery_delivered"),
]


@pytest.mark.parametrize(("kind", "of", "result"), KINDS)
def test_an_event_says_what_ended_and_how(kind: str, of: str, result: str) -> None:
    assert (fact(kind).of, fact(kind).result) == (of, result)


def test_a_success_that_was_taken_over_is_none_of_this_run() -> None:
    assert fact("mask-ready", run=2, reused_from=1).result == "reused"


def test_the_stages_before_it_are_those_whose_payloads_it_brings() -> None:
    assert fact("dicom-ready").after == ("ingest", "lung-seg", "reader")


def test_only_a_first_run_is_a_study_from_its_sender() -> None:
    assert (fact("input-ready").sender, fact("input-ready", run=2).sender) == ("CT_1", "")


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS])
def test_a_fact_comes_back_from_the_changelog_as_it_was(kind: str) -> None:
    made = fact(kind)
    assert Fact.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_no_identity_of_job_or_instance_is_kept() -> None:
    told = event("dicom-ready", job="a-job-id")
    kept = json.dumps(fact("dicom-ready", job="a-job-id").to_json())
    assert [text for text in ("a-job-id", told.id, "2.25.", "1.2.840") if text in kept] == []


def test_what_concerns_no_job_is_not_counted() -> None:
    data = EXAMPLES["commitment-reported"]
    told = Event("id", "test", "commitment-reported", "s", event("mask-ready").time, "", data)
    assert fact_of(told, 0) is None


def test_a_job_that_its_deadline_ends_is_counted_by_that_code() -> None:
    reasons = (ReasonModel(code="deadline", numbers={"waited_s": 900}),)
    assert fact("job-finished", status="failed", reasons=reasons).codes == ("deadline",)
