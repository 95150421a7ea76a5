"""The demo's study, and how its way through the system is followed and told."""

import copy
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from rich.console import Console

from clarion.demo_study import keep, next_study
from clarion.findings import measurement, probabilities
from clarion.following import follow, settled, shortcomings
from clarion.way import show
from phantom.studies import SLAB
from shared.findings import Measurement, Region

CASE = "the case"
REASON = {"code": "lungs-not-found", "numbers": {}, "text": "No lungs were found."}
STAGE = {
    "stage": "reader",
    "status": "succeeded",
    "started_at": "2026-01-01T08:00:02Z",
    "finished_at": "2026-01-01T08:00:02.5Z",
    "reasons": [],
}
DELIVERY = {"destination": "pacs", "status": "delivered", "last_error": None}
OUTPUT = {"name": "lung-seg", "kind": "seg", "path": "lung.dcm", "deliveries": [DELIVERY]}
DONE: dict[str, Any] = {
    "job_id": "11111111-2222",
    "case_id": CASE,
    "status": "completed",
    "received_at": "2026-01-01T08:00:00Z",
    "reasons": [],
    "stages": [STAGE],
    "outputs": [OUTPUT],
}
RUNNING = DONE | {
    "status": "running",
    "stages": [STAGE | {"status": "waiting", "started_at": None, "finished_at": None}],
    "outputs": [],
}
UNDER_WAY = DONE | {
    "outputs": [OUTPUT | {"deliveries": [DELIVERY | {"status": "waiting"}]}],
}


class Results:
    """The jobs API, in which time passes from one question to the next."""

    def __init__(self, *states: dict[str, Any] | None) -> None:
        self._states: Iterator[dict[str, Any] | None] = iter(states)
        self._now: dict[str, Any] | None = None

    def get(self, path: str, **_: Any) -> Any:
        if path != "/jobs":
            return self._now
        self._now = next(self._states)
        other = DONE | {"case_id": "another", "job_id": "other"}
        return [other, self._now] if self._now else [other]


def test_a_study_is_followed_until_it_is_delivered() -> None:
    results = Results(None, RUNNING, UNDER_WAY, DONE, DONE)

    seen = list(follow(results, CASE, 60, now=lambda: 0, pause=lambda _: None))

    assert seen == [None, RUNNING, UNDER_WAY, DONE]


def test_a_study_is_not_followed_for_ever() -> None:
    clock = iter(range(10))

    seen = list(
        follow(Results(*[RUNNING] * 9), CASE, 3, now=lambda: next(clock), pause=lambda _: None)
    )

    assert seen == [RUNNING, RUNNING]
    assert shortcomings(seen[-1], 3) == ["not done after 3 s; open: reader"]


def test_a_completed_job_falls_short_of_nothing() -> None:
    assert shortcomings(DONE, 60) == []


def test_no_job_at_all_falls_short() -> None:
    [why] = shortcomings(None, 60)
    assert "no job began" in why


def test_a_refusal_says_why() -> None:
    refused = DONE | {"status": "refused", "reasons": [REASON], "outputs": []}
    assert shortcomings(refused, 60) == ["lungs-not-found: No lungs were found."]


def test_what_a_destination_holds_back_falls_short() -> None:
    held = copy.deepcopy(DONE)
    held["outputs"][0]["deliveries"][0] |= {
        "status": "held",
        "last_error": "presentation-context-rejected",
    }
    assert settled(held)
    assert shortcomings(held, 60) == ["lung-seg held at pacs: presentation-context-rejected"]


def test_without_a_terminal_each_thing_is_told_once_in_plain_lines() -> None:
    paper = StringIO()

    last = show(Console(file=paper, width=80), iter([None, RUNNING, UNDER_WAY, UNDER_WAY, DONE]))

    assert last == DONE
    assert paper.getvalue().splitlines() == [
        "job 11111111-2222 began",
        "reader                 succeeded    0.50 s",
        "job completed, 1 of 1 objects delivered",
    ]


def test_in_a_terminal_the_stages_fill_a_table() -> None:
    paper = StringIO()

    show(Console(file=paper, width=80, force_terminal=True), iter([None, RUNNING, DONE]))

    assert "reader" in paper.getvalue()
    assert "━" in paper.getvalue()


def test_each_demo_sends_another_patient_and_every_home_begins_alike(tmp_path: Path) -> None:
    first = keep(next_study(tmp_path / "a", SLAB))
    second = keep(next_study(tmp_path / "a", SLAB))
    again = next_study(tmp_path / "b", SLAB)

    assert first.case_id != second.case_id
    assert first.case_id == again.case_id
    assert [path.read_bytes() for path in sorted(first.folder.iterdir())] == [
        path.read_bytes() for path in sorted(again.folder.iterdir())
    ]
    assert first.images == SLAB.shape[0]
    assert {str(dcmread(path).PatientName) for path in first.folder.iterdir()} == {first.patient}


def test_a_study_that_was_not_sent_is_the_next_one_still(tmp_path: Path) -> None:
    assert next_study(tmp_path, SLAB) == next_study(tmp_path, SLAB)


def test_what_was_found_is_read_from_the_outputs(tmp_path: Path) -> None:
    table, json = tmp_path / "a.csv", tmp_path / "a.json"
    table.write_text("class,probability\nnon-COVID-19,0.25\nCOVID-19,0.75\n")
    region = Region(lung_ml=4000, lesion_ml=100, ratio_percent=2.5)
    found = Measurement(whole=region, thirds={}, lungs={}, lesion_outside_ml=0)
    json.write_text(found.model_dump_json())
    outputs = [
        {"kind": "csv", "path": str(table)},
        {"kind": "json", "path": str(json)},
    ]

    assert probabilities({"outputs": outputs}) == {"non-COVID-19": 0.25, "COVID-19": 0.75}
    assert measurement({"outputs": outputs}) == found
    assert measurement({"outputs": []}) is None
