"""What stands of a run, by the truth tables of the design."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.results.progress import JobStatus, StageFact, Stop, delivers, judge
from services.results.tests.facts import PIPELINE
from shared.events.models import ReasonModel

Bad = tuple[str, ...]
Facts = dict[str, StageFact]

DONE = StageFact("succeeded")
FAILED = StageFact("failed", (ReasonModel(code="defect"),))
REFUSED = StageFact("refused", (ReasonModel(code="missing-slices", numbers={"gaps": 2}),))


def facts(*bad: str, verdict: StageFact = FAILED, without: tuple[str, ...] = ()) -> Facts:
    """Every stage that can run has run; those named ended badly, those in `without` are open."""
    lost = set(bad).union(*(PIPELINE.behind(name) for name in bad))
    open_ = set(without).union(*(PIPELINE.behind(name) for name in without))
    found = {name: DONE for name in PIPELINE.stages if name not in lost | open_}
    return found | dict.fromkeys(bad, verdict)


def test_a_run_without_facts_waits_everywhere() -> None:
    progress = judge(PIPELINE, {})
    assert progress.status == "running"
    assert set(progress.stages.values()) == {"waiting"}
    assert progress.outputs == {}


def test_a_run_is_completed_when_every_output_is_made() -> None:
    progress = judge(PIPELINE, facts())
    assert progress.status == "completed"
    assert set(progress.outputs.values()) == {"made"}


def test_what_lies_behind_a_failed_stage_is_skipped() -> None:
    progress = judge(PIPELINE, facts("lesion-seg"))
    assert progress.status == "partial"
    assert progress.stages["lesion-seg"] == "failed"
    skipped = {name for name, status in progress.stages.items() if status == "skipped"}
    assert skipped == {"ratio", "lesion-dicom-seg", "ratio-report"}
    assert progress.outputs["lesion-mask"] == "failed"
    assert progress.outputs["ratio-report"] == "skipped"
    assert progress.outputs["classification-report"] == "made"
    assert [reason.code for reason in progress.reasons] == ["defect"]


@pytest.mark.parametrize(
    ("bad", "verdict", "status"),
    [
        (("reader",), FAILED, "failed"),
        (("reader",), REFUSED, "refused"),
        (("lung-seg",), REFUSED, "refused"),
        (("ratio",), FAILED, "partial"),
        (("ratio-report",), FAILED, "partial"),
    ],
)
def test_the_status_follows_from_the_verdict(
    bad: tuple[str, ...], verdict: StageFact, status: JobStatus
) -> None:
    assert judge(PIPELINE, facts(*bad, verdict=verdict)).status == status


def test_a_refused_job_names_its_refusals_and_no_defect() -> None:
    both = facts("lung-seg", verdict=REFUSED) | {"lesion-seg": FAILED}
    both = {name: fact for name, fact in both.items() if name != "lesion-dicom-seg"}
    progress = judge(PIPELINE, both)
    assert progress.status == "refused"
    assert progress.reasons == REFUSED.reasons


def test_a_refusal_waits_for_the_other_branch_so_that_its_outputs_are_decided() -> None:
    progress = judge(PIPELINE, facts("lung-seg", verdict=REFUSED, without=("lesion-seg",)))
    assert progress.status == "running"


def test_at_the_deadline_what_could_have_run_has_failed_and_the_rest_is_skipped() -> None:
    open_ = facts(without=("lung-seg",))
    progress = judge(PIPELINE, open_, "deadline")
    assert progress.status == "failed"
    assert progress.stages["lung-seg"] == "failed"
    assert progress.stages["ratio"] == "skipped"
    assert [reason.code for reason in progress.reasons] == ["deadline"]


def test_a_deadline_changes_nothing_when_everything_is_decided() -> None:
    assert judge(PIPELINE, facts(), "deadline") == judge(PIPELINE, facts())


@pytest.mark.parametrize("stop", ["cancelled", "superseded"])
def test_a_stopped_run_is_that_whatever_was_made(stop: Stop) -> None:
    assert judge(PIPELINE, facts(), stop).status == stop
    progress = judge(PIPELINE, facts(without=("ratio",)), stop)
    assert progress.status == stop
    assert progress.stages["ratio"] == "skipped"


def test_a_shadow_s_failure_counts_nothing() -> None:
    shadowed = facts() | {"lung-seg~lung_seg_v2": FAILED}
    assert judge(PIPELINE, shadowed) == judge(PIPELINE, facts())


def test_a_reused_stage_makes_its_outputs() -> None:
    reused = dict.fromkeys(PIPELINE.stages, StageFact("reused"))
    assert judge(PIPELINE, reused).status == "completed"


@pytest.mark.parametrize(
    ("status", "on_failure", "goes_out"),
    [
        ("completed", "deliver-nothing", True),
        ("partial", "deliver-what-is-made", True),
        ("partial", "deliver-nothing", False),
        ("failed", "deliver-what-is-made", True),
        ("refused", "deliver-what-is-made", False),
        ("cancelled", "deliver-what-is-made", False),
        ("superseded", "deliver-what-is-made", False),
    ],
)
def test_on_failure_decides_for_defects(status: JobStatus, on_failure: str, goes_out: bool) -> None:
    definition = PIPELINE.model_copy(update={"on_failure": on_failure})
    assert delivers(definition, status) is goes_out


verdicts = st.dictionaries(
    st.sampled_from(sorted(PIPELINE.stages)),
    st.sampled_from([DONE, StageFact("reused"), FAILED, REFUSED]),
)


@given(verdicts, st.randoms())
def test_progress_does_not_depend_on_the_order_of_facts(found: Facts, random: Random) -> None:
    shuffled = list(found.items())
    random.shuffle(shuffled)
    assert judge(PIPELINE, dict(shuffled)) == judge(PIPELINE, found)


@given(verdicts)
def test_a_run_is_finished_exactly_when_each_output_is_decided(found: Facts) -> None:
    progress = judge(PIPELINE, found)
    assert (progress.status == "running") == (set(progress.outputs) != set(PIPELINE.outputs))


@given(verdicts)
def test_a_deadline_always_ends_a_run(found: Facts) -> None:
    assert judge(PIPELINE, found, "deadline").status != "running"
