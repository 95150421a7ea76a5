"""A version that is promoted answers the next study; taken back, all is to the byte as before."""

from dataclasses import dataclass
from typing import Any

import onnx
import pytest
from onnx import numpy_helper

from phantom.studies import slab
from tests.e2e.operator import Operator, another
from tests.e2e.studies import study_uid
from tests.e2e.system import (
    Job,
    System,
    dataset_digests,
    dicom_outputs,
    new_seed,
    output_digests,
)

pytestmark = pytest.mark.e2e

MODEL, STAGE = "lesion_seg", "lesion-seg"
OF_LESIONS = {"lesion-mask", "lesion-seg", "measurement", "ratio-report"}
"""The outputs that lesions have a part in."""
LOGITS = 2.0
"""By how much the other version finds everything more like a lesion."""


@dataclass(frozen=True)
class Story:
    """The jobs, in the order in which they were done, and what the operator was told."""

    first: Job
    other_study: Job
    """Of another study, after the promotion."""
    promoted: Job
    """The first again, all anew, with the other version."""
    back: Job
    """And once more, after the rollback."""
    filed: dict[str, str]
    """The data sets of the first study at the PACS after its first run: sha256 by instance."""
    filed_at_last: dict[str, str]
    old: int
    added: dict[str, Any]


@pytest.fixture(scope="module")
def story(system: System, tmp_path_factory: pytest.TempPathFactory) -> Story:
    operator = Operator(system.home.folder, MODEL)
    old = operator.answering()
    datasets = slab(new_seed())
    first = system.analysed(datasets)
    filed = dataset_digests(system.received(study_uid(datasets)))
    scratch = tmp_path_factory.mktemp("model")
    model = another(system.home.models / MODEL, old, scratch, _more_like_a_lesion)
    [added] = operator.types("add", str(model))
    operator.types("promote", MODEL, str(added["version"]))
    try:
        other_study = system.analysed(slab(new_seed()))
        promoted = system.rerun(first, fresh=True)
    finally:
        operator.types("rollback", MODEL)
    back = system.rerun(first, fresh=True)
    filed_at_last = dataset_digests(system.received(study_uid(datasets)))
    return Story(first, other_study, promoted, back, filed, filed_at_last, old, added)


def _more_like_a_lesion(graph: onnx.ModelProto) -> None:
    """Another last bias."""
    [*_, last] = [node for node in graph.graph.node if node.op_type == "Conv"]
    [bias] = [each for each in graph.graph.initializer if each.name == last.input[2]]
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + LOGITS, bias.name))


def test_a_version_that_is_added_waits_until_it_is_promoted(story: Story) -> None:
    assert (story.added["version"], story.added["answers"]) == (story.old + 1, False)


def test_each_job_says_which_version_answered_it(story: Story) -> None:
    jobs = (story.first, story.other_study, story.promoted, story.back)
    models = [_model(job) for job in jobs]
    new = story.added["version"]
    assert [int(model["version"]) for model in models] == [story.old, new, new, story.old]
    assert models[0]["sha256"] == models[3]["sha256"]
    assert models[1]["sha256"] == models[2]["sha256"] != models[0]["sha256"]


def test_another_version_makes_other_lesions_and_touches_nothing_else(story: Story) -> None:
    before, after = output_digests(story.first), output_digests(story.promoted)
    assert {name for name in before if before[name] != after[name]} == OF_LESIONS


def test_what_another_version_made_has_uids_of_its_own(story: Story) -> None:
    before, after = _uids(story.first), _uids(story.promoted)
    assert {name for name in before if before[name] != after[name]} == OF_LESIONS & before.keys()
    assert not set(after.values()) & set(_uids(story.other_study).values())


def test_after_the_rollback_the_first_bytes_are_made_again(story: Story) -> None:
    assert story.back["status"] == story.first["status"] == "completed"
    assert {stage["status"] for stage in story.back["stages"]} == {"succeeded"}
    assert output_digests(story.back) == output_digests(story.first)
    assert _uids(story.back) == _uids(story.first)


def test_the_pacs_keeps_what_it_got_and_gets_what_is_new_once(story: Story) -> None:
    made = dataset_digests(dicom_outputs(story.promoted))
    assert story.filed_at_last == story.filed | made


def _model(job: Job) -> dict[str, str]:
    [model] = [stage["model"] for stage in job["stages"] if stage["stage"] == STAGE]
    return dict(model)


def _uids(job: Job) -> dict[str, str]:
    return {
        output["name"]: output["sop_instance_uid"]
        for output in job["outputs"]
        if output["sop_instance_uid"]
    }
