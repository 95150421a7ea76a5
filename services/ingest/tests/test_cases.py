"""What makes a version, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.cases import (
    Arrival,
    Case,
    Place,
    Version,
    admits,
    changed,
    input_set,
    most_urgent,
    newest,
    next_version,
    partition,
)
from shared.dicom.headers import Headers
from shared.events.models import Lane
from shared.pipelines.definition import InputRules

CASE = Case("covid19-ct", "1.2", "study")
RULES = InputRules(admit={"modality": ("CT",)})


def arrival(
    sequence: int, uid: str, content: str, *, admitted: bool = True, lane: Lane = Lane.ROUTINE
) -> Arrival:
    return Arrival(
        sequence=sequence,
        case=CASE,
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        digest=content,
        content=content,
        admitted=admitted,
        arrived_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=sequence),
        association="a",
        called_ae="COVID19",
        calling_ae="SCANNER",
        lane=lane,
        place=Place("segment", 0, 1),
        headers=Headers(),
    )


def versions(*batches: list[Arrival]) -> list[Version | None]:
    """The version that each batch of arrivals makes, one after the other."""
    made: list[Version | None] = []
    last, seen = None, list[Arrival]()
    for batch in batches:
        seen += batch
        version = next_version(CASE.id, input_set(newest(seen)), last)
        made.append(version)
        last = version or last
    return made


def numbers(*batches: list[Arrival]) -> list[int | None]:
    return [version.number if version else None for version in versions(*batches)]


FIRST = [arrival(1, "a", "A"), arrival(2, "b", "B")]


def test_a_late_slice_makes_the_next_version_which_supersedes_the_last() -> None:
    one, two = versions(FIRST, [arrival(3, "c", "C")])
    assert one
    assert two
    assert (one.number, one.supersedes, two.number, two.supersedes) == (1, None, 2, one.job_id)


def test_the_same_again_makes_nothing() -> None:
    assert numbers(FIRST, [arrival(3, "a", "A")]) == [1, None]


def test_a_replaced_instance_makes_the_next_version_and_the_old_content_a_third() -> None:
    made = versions(FIRST, [arrival(3, "a", "A2")], [arrival(4, "a", "A")])
    jobs = {version.job_id for version in made if version}
    assert ([version and version.number for version in made], len(jobs)) == ([1, 2, 3], 3)


def test_replaced_and_put_back_before_it_is_due_makes_nothing() -> None:
    assert numbers(FIRST, [arrival(3, "a", "A2"), arrival(4, "a", "A")]) == [1, None]


def test_what_is_not_admitted_makes_no_version() -> None:
    report = arrival(3, "report", "R", admitted=False)
    assert (numbers(FIRST, [report]), numbers([report])) == ([1, None], [None])


def test_an_instance_that_is_no_longer_admitted_leaves_the_set() -> None:
    gone = arrival(3, "b", "B2", admitted=False)
    _, two = versions(FIRST, [gone])
    assert two
    assert dict(two.inputs) == {"a": "A"}
    last = Version(CASE.id, 1, "job", None, {"a": "A", "b": "B"})
    assert changed(two.inputs, newest([*FIRST, gone]), last) == [gone]


def test_the_order_of_arrival_does_not_change_the_job() -> None:
    (one,), (other,) = versions(FIRST), versions([arrival(1, "b", "B"), arrival(2, "a", "A")])
    assert one == other


def test_a_version_begins_with_the_first_arrival_that_is_new() -> None:
    (one,) = versions(FIRST)
    late = [arrival(3, "a", "A"), arrival(4, "c", "C"), arrival(5, "d", "D")]
    current = newest([*FIRST, *late])
    assert changed(input_set(current), current, one) == late[1:]


def test_the_lane_is_the_most_urgent_asked_for() -> None:
    lanes = (Lane.BULK, Lane.STAT, Lane.ROUTINE)
    assert most_urgent(arrival(n, "a", "A", lane=lane) for n, lane in enumerate(lanes)) == Lane.STAT


@pytest.mark.parametrize(
    ("values", "admitted"),
    [
        ({"Modality": "CT"}, True),
        ({"Modality": "SR"}, False),
        ({"Modality": None}, False),
        ({}, False),
    ],
)
def test_the_rules_admit_by_attribute(values: dict[str, str], admitted: bool) -> None:
    assert admits(RULES, Headers(values)) is admitted


def test_two_ae_titles_of_a_pipeline_share_the_case_and_its_partition() -> None:
    assert Case("covid19-ct", "1.2", "study").id == CASE.id
    assert partition(CASE.id, 4) == int(CASE.id.replace("-", ""), 16) % 4
