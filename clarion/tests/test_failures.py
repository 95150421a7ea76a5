"""`clarion failures` against a results API."""

import json

import pytest
from typer.testing import CliRunner

from clarion.__main__ import build
from clarion.tests.results_api import ANSWERS, FAILURE, PORTIONS, REPLAYED


def test_a_listing_of_failures_that_is_cut_says_so(clarion: CliRunner) -> None:
    cut = clarion.invoke(build(), ["failures", "list", "--code", "everything", "--json"])
    assert len(json.loads(cut.stdout)) == 1000
    assert cut.stderr.startswith("the newest 1000 of more")
    assert not clarion.invoke(build(), ["failures", "list", "--json"]).stderr


def test_failures_are_listed_in_words_within_80_columns(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "list"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for words in ("11111111", "lesion_seg", "out-of-memory", "too much", "3"):
        assert words in shown.stdout


def test_a_failure_is_shown_with_its_trace_and_what_woke_it(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "show", "1111"]).stdout
    for words in ("clarion trace 11111111", "MemoryError at handler.py:7", "mask-ready", "3 att"):
        assert words in shown


def test_what_the_service_said_is_asked_of_the_service_that_can_read_it(clarion: CliRunner) -> None:
    shown = clarion.invoke(build(), ["failures", "show", "1111"])
    assert shown.stdout.splitlines()[-1] == "Traceback: all of it"


def test_a_replay_says_what_was_done_of_each_job_and_fails_where_nothing_was(
    clarion: CliRunner,
) -> None:
    shown = clarion.invoke(build(), ["failures", "replay", "--code", "defect"])
    assert shown.stdout.splitlines() == [
        "run 2 of 11111111-2222 begins",
        "2222: job-running: It runs.",
    ]
    assert shown.stderr == "1 jobs so far\n"
    assert shown.exit_code == 1
    assert "1 of 2 jobs" in str(shown.exception)
    told = clarion.invoke(build(), ["failures", "replay", "--code", "defect", "--json"])
    assert json.loads(told.stdout) == REPLAYED


@pytest.mark.parametrize(
    ("chosen", "asked"),
    [
        (["1111"], "job=1111&fresh=false"),
        (["--service", "reader"], "service=reader&fresh=false"),
        (["--stage", "lung-seg"], "stage=lung-seg&fresh=false"),
        (["--all"], "all=true&fresh=false"),
        (["--service", "reader", "--fresh"], "service=reader&fresh=true"),
    ],
)
def test_what_was_chosen_is_asked_for(
    clarion: CliRunner, chosen: list[str], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PORTIONS, asked, {"jobs": REPLAYED[:1], "next": None})
    shown = clarion.invoke(build(), ["failures", "replay", *chosen])
    assert (shown.exit_code, shown.stdout) == (0, "run 2 of 11111111-2222 begins\n")


@pytest.mark.parametrize("action", ["replay", "discard"])
@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (["--code", "nonsense"], "code nonsense; there are codes: defect, out-of-memory"),
        (["--service", "nonsense"], "service nonsense; there are services: lesion_seg, ratio"),
        (
            ["--code", "nonsense", "--stage", "reader"],
            (
                "code nonsense, stage reader; there are codes: defect, out-of-memory; "
                "stages: lesion-dicom-seg"
            ),
        ),
    ],
)
def test_what_no_failure_has_is_no_success_and_what_there_is_is_told(
    clarion: CliRunner, monkeypatch: pytest.MonkeyPatch, action: str, chosen: list[str], told: str
) -> None:
    other = FAILURE | {"service": "ratio", "reasons": [{"code": "defect"}]}
    monkeypatch.setitem(ANSWERS, "/failures", [FAILURE, other])
    refused = clarion.invoke(build(), ["failures", action, *chosen])
    assert (refused.exit_code, str(refused.exception)) == (1, f"no failure waits with {told}")


def test_where_nothing_has_failed_a_code_is_not_found_and_all_are_none(
    clarion: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "/failures", [])
    refused = clarion.invoke(build(), ["failures", "replay", "--code", "nonsense"])
    assert str(refused.exception) == "no failure waits with code nonsense, and none at all"
    every = clarion.invoke(build(), ["failures", "discard", "--all"])
    assert (every.exit_code, every.stdout) == (0, "no failures\n")


def test_only_a_service_that_can_halt_is_resumed(clarion: CliRunner) -> None:
    refused = clarion.invoke(build(), ["failures", "resume", "console"])
    assert refused.exit_code == 1
    assert "unknown-service" in str(refused.exception)


def test_of_a_system_elsewhere_it_is_said_that_nobody_was_asked_who_halted(
    clarion: CliRunner,
) -> None:
    listed = clarion.invoke(build(), ["failures", "list"])
    assert (listed.exit_code, "not known here" in listed.stderr) == (0, True)
    for arguments in (["resume"], ["resume", "reader"]):
        refused = clarion.invoke(build(), ["failures", *arguments])
        assert (refused.exit_code, "--at HOST:PORT" in str(refused.exception)) == (1, True)


def test_a_service_elsewhere_is_resumed_at_its_address(clarion: CliRunner) -> None:
    at = (clarion.env["CLARION_RESULTS_URL"] or "").removeprefix("http://")
    resumed = clarion.invoke(build(), ["failures", "resume", "reader", "--at", at])
    assert resumed.stdout == "reader goes on\n"
    other = clarion.invoke(build(), ["failures", "resume", "ratio", "--at", at])
    assert "another-service" in str(other.exception)


def test_an_address_belongs_to_a_service_that_is_named(clarion: CliRunner) -> None:
    assert clarion.invoke(build(), ["failures", "resume", "--at", "127.0.0.1:9"]).exit_code == 2
