"""`clarion jobs` against a results API."""

import json
import time
from typing import get_args

import pytest
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.tests.results_api import ANSWERS, HELD, OLD, SUMMARY, WHOLE
from services.results.progress import JobStatus


def test_jobs_are_listed_for_people_and_for_programs(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs"])
    assert shown.exit_code == 0
    line = shown.stdout.splitlines()[1].split()
    assert line[2:] == ["11111111", "1", "1", "stat", "covid19-ct", "partial", "1/2", "defect"]
    assert json.loads(clarion.invoke(build(), ["jobs", "--json"]).stdout) == [SUMMARY]


@pytest.mark.parametrize(
    ("study", "found"), [("1.2.3", [SUMMARY]), ("1.2.9", [OLD]), ("1.2.34", [])]
)
def test_the_jobs_of_a_study_are_found_by_its_uid(
    clarion: CliRunner, study: str, found: list[object]
) -> None:
    listed = clarion.invoke(build(), ["jobs", "--study", study, "--json"])
    assert json.loads(listed.stdout) == found


def test_a_job_is_shown_with_its_stages_files_and_deliveries(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "1111"]).stdout
    for words in (
        "series [3], 1 mm: most slices",
        "1.50",
        "pacs held, attempt 2, presentation-context-rejected",
        "lung.dcm",
        "contrast",
        "lung_seg 2 (23587dbf)",
        "classifier (classifier) since",
    ):
        assert words in shown
    assert json.loads(clarion.invoke(build(), ["jobs", "show", "1111", "--json"]).stdout) == WHOLE


def test_a_replaced_job_names_the_one_that_replaced_it(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "3333"]).stdout
    (line,) = (line.split() for line in shown.splitlines() if "superseded" in line)
    assert line == ["superseded", "by", "33333333-4444"]
    assert "superseded" not in clarion.invoke(build(), ["jobs", "show", "1111"]).stdout


def test_times_of_a_job_say_their_zone(
    clarion: CliRunner, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(time.tzset)
    with monkeypatch.context() as away:
        away.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        shown = clarion.invoke(build(), ["jobs", "show", "3333"]).stdout
    words = " ".join(shown.split())
    assert "received 01-01 13:30:00 UTC+05:30 finished -" in words
    assert "classifier (classifier) since 01-01 13:30:00 UTC+05:30" in words
    assert "next attempt 01-01 13:30:00 UTC+05:30" in words


def test_jobs_that_are_not_delivered_are_asked_for(clarion: CliRunner) -> None:
    asked = ["jobs", "--undelivered", "--json"]
    assert json.loads(clarion.invoke(build(), asked).stdout) == [HELD]


def test_watched_by_a_program_jobs_are_a_line_for_each_change(
    clarion: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[list[object]] = [[SUMMARY], [HELD], []]

    def pause(_: float) -> None:
        if not later:
            raise KeyboardInterrupt
        monkeypatch.setitem(ANSWERS, "/jobs", later.pop(0))

    monkeypatch.setattr(time, "sleep", pause)
    told = clarion.invoke(build(), ["jobs", "--watch", "--json"]).stdout
    assert [json.loads(line) for line in told.splitlines()] == [[SUMMARY], [HELD], []]


def test_a_job_is_shown_whole_in_80_columns(clarion: CliRunner) -> None:
    lines = _in_80_columns(clarion, "jobs", "show", "2222")
    assert max(map(len, lines)) <= 80
    shown = " ".join(" ".join(lines).split())
    for words in (
        "classification-report succeeded 3 1.50 lung_seg 2 (23587dbf)",
        "lung-seg~lung_seg_v2 failed 3 1.50 lung_seg 2 (23587dbf)",
        "duplicate-positions, unsupported-transfer-syntax",
        "encapsulated-pdf pacs held, attempt 2, presentation-context-rejected",
    ):
        assert words in shown


def test_jobs_are_listed_with_whole_reasons_in_80_columns(clarion: CliRunner) -> None:
    head, *lines = _in_80_columns(clarion, "jobs", "--status", "refused")
    assert max(map(len, lines)) <= 80
    assert head.split() == ["received", "job", "pipeline", "status", "sent", "why"]
    assert [" ".join(line.split()[2:]) for line in lines] == [
        "11111111 covid19-ct refused - duplicate-positions,",
        "",
        "11111111 covid19-ct partial 0/4 4 held: see jobs show",
    ]
    assert lines[1].split() == ["unsupported-transfer-syntax"]


@pytest.mark.parametrize("columns", ["140", None])
def test_where_there_is_room_or_no_terminal_every_line_is_whole(
    clarion: CliRunner, columns: str | None
) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "2222"], env={"COLUMNS": columns}).stdout
    (line,) = (line for line in shown.splitlines() if "lung-seg~" in line)
    whole = (
        "lung-seg~lung_seg_v2 lung_seg_v2 failed 3 1.50 lung_seg 2 (23587dbf) duplicate-positions,"
    )
    assert " ".join(line.split()).startswith(whole)
    listed = clarion.invoke(build(), ["jobs", "--status", "refused"], env={"COLUMNS": columns})
    assert "duplicate-positions, unsupported-transfer-syntax" in listed.stdout


def test_where_there_are_no_jobs_that_is_said(clarion: CliRunner) -> None:
    assert clarion.invoke(build(), ["jobs", "--status", "failed"]).stdout == "no jobs\n"
    of_study = clarion.invoke(build(), ["jobs", "--study", "1.2.34"]).stdout
    assert of_study.startswith("no jobs; ")
    assert "admits no image" in of_study
    for none in (["--status", "failed"], ["--study", "1.2.34"]):
        assert json.loads(clarion.invoke(build(), ["jobs", *none, "--json"]).stdout) == []


def test_a_warning_is_told_in_the_words_of_the_reports(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["jobs", "show", "1111"]).stdout
    assert "contrast: Contrast medium was given." in shown


def test_the_statuses_that_a_job_can_have_are_listed(clarion: CliRunner) -> None:
    bogus = clarion.invoke(build(), ["jobs", "--status", "bogus"])
    assert bogus.exit_code == 2
    helped = clarion.invoke(build(), ["jobs", "--help"])
    for status in get_args(JobStatus):
        assert status in bogus.stderr
        assert status in helped.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "others"),
    [
        (["jobs", "show", "9"], "`clarion jobs`", "GET"),
        (["jobs", "--limit", "20000"], "limit (too big). See the command's --help", "openapi"),
        (["failures", "replay"], "--all", "all=true"),
    ],
)
def test_a_remedy_names_commands_and_options(
    clarion: CliRunner, arguments: list[str], words: str, others: str
) -> None:
    told = str(clarion.invoke(build(), arguments).exception)
    assert words in told
    assert others not in told


@pytest.mark.parametrize(
    "arguments",
    [["jobs", "show"], ["jobs", "rerun"], ["jobs", "cancel"], ["failures", "show"]],
)
def test_an_empty_id_is_asked_for(clarion: CliRunner, arguments: list[str]) -> None:
    told = str(clarion.invoke(build(), [*arguments, ""]).exception)
    assert told.startswith("a job's id is needed")


def test_running_again_says_which_run_begins(clarion: CliRunner) -> None:
    begun = clarion.invoke(build(), ["jobs", "rerun", "1111", "--fresh"])
    assert begun.stdout == "run 2 of 11111111-2222 begins\n"


def test_a_refused_request_fails_in_the_service_s_words(clarion: CliRunner) -> None:
    refused = clarion.invoke(build(), ["jobs", "rerun", "1111"])
    assert refused.exit_code == 1
    assert "Wait until it has finished" in str(refused.exception)


def test_a_job_changes_its_lane(clarion: CliRunner) -> None:
    moved = clarion.invoke(build(), ["jobs", "lane", "1111", "stat"])
    assert moved.stdout == "job 11111111-2222 goes by the lane stat\n"


def _in_80_columns(clarion: CliRunner, *arguments: str) -> list[str]:
    shown = clarion.invoke(build(), arguments, env={"COLUMNS": "80"})
    return [line.rstrip() for line in shown.stdout.splitlines()]
