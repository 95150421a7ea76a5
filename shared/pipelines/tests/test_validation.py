"""A definition that can't run says where and what to do."""

import pytest

from shared.catalog import ROOT
from shared.pipelines.definition import parse
from shared.pipelines.validation import InvalidPipeline, validated
from shared.testing import toy


def _problems(old: str, new: str) -> list[str]:
    text = toy.DEFINITION_TEXT.replace(old, new)
    assert text != toy.DEFINITION_TEXT
    with pytest.raises(InvalidPipeline) as raised:
        validated(text, toy.CATALOG, toy.topics())
    return [str(problem) for problem in raised.value.problems]


def test_a_definition_that_can_run_is_given_back() -> None:
    definition = validated(toy.DEFINITION_TEXT, toy.CATALOG, toy.topics())
    assert definition == parse(toy.DEFINITION_TEXT)


def test_an_unknown_service() -> None:
    assert _problems("service: joiner", "service: joyner") == [
        "line 9: stage both: no service 'joyner'. Did you mean 'joiner'?",
        (
            "line 11: output measurement: there is no 'both.measurement'. "
            "Known: left.mask, reader.volume, right.mask"
        ),
    ]


def test_a_missing_input() -> None:
    (problem,) = _problems("a: left.mask, ", "")[-1:]
    assert problem.startswith("line 9: stage both: input 'a' of joiner is missing")


def test_a_port_of_the_wrong_type() -> None:
    assert (
        "line 9: stage both: reader.volume is a volume. 'a' takes a mask: left.mask, right.mask"
    ) in _problems("a: left.mask", "a: reader.volume")


def test_a_cycle() -> None:
    problems = _problems("manifest: ingest.manifest", "manifest: both.measurement")
    assert any("waits for its own result" in problem for problem in problems)


def test_an_output_that_nobody_makes() -> None:
    (problem,) = _problems("from: both.measurement", "from: both.mesurement")[:1]
    assert "Did you mean 'both.measurement'?" in problem


def test_a_stage_that_nobody_uses() -> None:
    problems = _problems("b: right.mask", "b: left.mask")
    assert problems == [
        "line 8: nothing uses what stage right makes. Name it under outputs, or remove the stage"
    ]


def test_a_misspelt_key() -> None:
    (problem,) = _problems("deadline:", "dead_line:")[-1:]
    assert problem.startswith("line 3: dead_line")


def test_a_stage_that_may_take_longer_than_its_job() -> None:
    (problem,) = _problems("{mark: r}", "{mark: r}, deadline: 2 min")
    assert problem == (
        "line 8: stage right: its deadline, 120 s, is past the job's. "
        "Give it 60 s at most, or the job more"
    )


@pytest.mark.parametrize("deadline", ["soon", "-1 s", "0 s", "3 weeks"])
def test_a_deadline_that_is_none(deadline: str) -> None:
    (problem,) = _problems("{mark: r}", f"{{mark: r}}, deadline: {deadline}")
    assert problem.startswith("line 8: stages.right.deadline: ")


def test_text_that_is_no_yaml() -> None:
    assert _problems("{from: both", "{from: [both")[0].startswith("line 1")


def test_the_covid_pipeline_wakes_each_stage_as_the_design_says() -> None:
    definition = parse((ROOT / "deploy/pipelines/covid19-ct.yaml").read_text())
    assert {name: sorted(wakers) for name, wakers in definition.wakers.items()} == {
        "reader": ["ingest"],
        "lung-seg": ["reader"],
        "lesion-seg": ["reader"],
        "classifier": ["lung-seg"],
        "ratio": ["lesion-seg", "lung-seg"],
        "lung-dicom-seg": ["lung-seg"],
        "lesion-dicom-seg": ["lesion-seg"],
        "classification-report": ["classifier"],
        "ratio-report": ["ratio"],
    }
