"""A run's figures are whole in a narrow terminal."""

from dataclasses import replace

from rich.console import Console

from clarion.load.figures import Spread
from clarion.load.judging import Filed, Lost, NotCompleted
from clarion.load.machine import TritonQueue
from clarion.load.plan import Fault
from clarion.load.report import Machine, Report, Verdict, sending
from clarion.load.stages import Stage
from clarion.load.tests.studies import order, sent
from clarion.load.view import line, picture, shown, verdict

ABORTED = replace(sent("b", ended=130), order=order(fault=Fault.ABORT))
SPREAD = Spread(250, 12.3, 45.6, 123.4, 1234.5)
STAGES = ("reader", "lesion-seg", "classification-report")
BEHIND = dict.fromkeys(("classifier", "lesion_seg", "lung_seg", "ratio", "results"), 12)
REPORT = Report(
    elapsed_s=1300.0,
    interrupted=False,
    sending=sending([sent("a"), ABORTED], 250),
    jobs={"completed": 2},
    waiting=0,
    unfinished=0,
    waiting_most=2,
    finished_per_h=298.2,
    lanes={"routine": SPREAD},
    stages={name: Stage(SPREAD, SPREAD, 1.93) for name in STAGES},
    machine=Machine(
        99.3,
        BEHIND,
        {"covid_classifier": TritonQueue(1000, 2_000_000, 300_000_000)},
        {"lesion_seg": 7, "results": 2},
    ),
)


def _words(width: int, report: Report = REPORT) -> list[str]:
    """The lines without what separates their words."""
    console = Console(width=width)
    with console.capture() as said:
        console.print(picture(report))
    return [" ".join(line.split()) for line in said.get().splitlines()]


def test_eighty_columns_show_every_heading_and_figure() -> None:
    words = _words(80)
    figures = "12.3 45.6 123.4 12.3 45.6 123.4"
    wanted = [
        "0 MB, 8 instances, sent 120/h, finished 298/h, clumsy senders: abort 1",
        "end to end, s jobs p50 p95 p99 longest",
        "routine 250 12.3 45.6 123.4 1234.5",
        "took took took wait wait wait",
        "stage, s jobs p50 p95 p99 p50 p95 p99 busy",
        *(f"{name} 250 {figures} 1.93" for name in STAGES),
        "Triton covid_classifier: 1000 requests, 2 ms queued, 300 ms computed (means)",
        "Kafka events behind (most): classifier 0 (12), lesion_seg 7 (12), lung_seg 0",
        "(12), ratio 0 (12), results 2 (12)",
    ]
    assert [line for line in wanted if line not in words] == []


def test_what_was_sent_again_for_want_of_an_answer_is_told() -> None:
    report = replace(REPORT, sending=sending([replace(sent("a"), unanswered=3), ABORTED], 250))
    assert report.to_json()["sending"]["unanswered"] == 3
    assert "sent again, for want of an answer: 3 instances" in " ".join(_words(80, report))


def test_a_line_tells_how_far_the_services_are_behind_now() -> None:
    unknown = replace(REPORT, machine=replace(REPORT.machine, backlog=None))
    assert line(REPORT).endswith("CPU 99 %, 9 events behind")
    assert line(unknown).endswith("CPU 99 %")


def test_when_all_is_done_the_line_tells_the_most_that_was_behind() -> None:
    over = replace(REPORT, machine=replace(REPORT.machine, backlog=None))
    told = "Kafka events behind, at most: classifier 12, lesion_seg 12, lung_seg 12"
    assert told in " ".join(_words(80, over))


def test_a_study_whose_job_has_ended_is_not_told_as_waiting_too() -> None:
    report = replace(REPORT, jobs={"completed": 3}, waiting=8, unfinished=7)
    assert "3 jobs ended, 7 waiting" in line(report)


def test_a_run_that_sent_nothing_leaves_no_line_empty_and_says_so() -> None:
    idle = Machine(3.0, {"writers": 0}, {"covid_classifier": TritonQueue()})
    none = replace(
        REPORT,
        interrupted=True,
        sending=sending([], 30),
        jobs={},
        lanes={},
        stages={},
        machine=idle,
    )
    assert len(_words(80, none)) == 2
    assert "" not in _words(80, none)
    assert verdict(none) == "interrupted before any of 30 studies was sent"


def test_where_no_terminal_is_the_title_is_told_too() -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as said, shown(console, "does it hold 300 an hour for 5 min?"):
        pass
    assert "for 5 min?" in said.get()


def test_what_results_takes_is_told() -> None:
    report = replace(REPORT, shown_after=Spread(2, 0.5, 4.2, 4.2, 4.2))
    assert "jobs end 4.2 s (p95) after their last stage" in " ".join(_words(80, report))


def test_what_no_percentile_is_of_is_told_with_its_codes() -> None:
    report = replace(REPORT, left_out={"failed (deadline)": 2, "refused (too-few-slices)": 1})
    told = "not completed, and in no percentile: failed (deadline) 2, refused (too-few-slices) 1"
    assert told in " ".join(_words(80, report))


def test_more_columns_put_each_heading_in_one_line() -> None:
    heading = "stage, s jobs took p50 took p95 took p99 wait p50 wait p95 wait p99 busy"
    assert heading in _words(120)


def test_the_verdict_says_that_nothing_was_lost() -> None:
    assert verdict(REPORT) == "nothing lost, all delivered: 2 studies, jobs: completed 2"
    refused = replace(REPORT, jobs={"completed": 1, "refused": 1})
    assert verdict(refused).endswith("2 studies, jobs: completed 1, refused 1")
    other = replace(REPORT, sending=sending([sent(makes_job=False)], 1), jobs={})
    assert verdict(other) == "nothing lost, all delivered: 1 study, no job"


def test_the_verdict_counts_what_is_not_well() -> None:
    found = Verdict(
        lost=(Lost("a", "2.25.1", "no job began"),),
        unexpected=("job",),
        filed=Filed(twice=("2.25.2",), missing=("2.25.3",), repeated=2),
        not_completed=(NotCompleted("job", "failed", ()),) * 2,
    )
    stored = sending([sent("a"), sent("b", why_not="no association")], 2)
    assert verdict(replace(REPORT, verdict=found, sending=stored)) == (
        "not well: 2 studies, lost 1, not completed 2, not stored 1, unexpected jobs 1, "
        "objects delivered twice 3, objects not at the PACS 1"
    )


def test_an_interrupted_run_vouches_for_nothing_that_it_did_not_wait_for() -> None:
    asked = replace(REPORT, interrupted=True)
    assert verdict(asked) == (
        "nothing lost, all delivered: interrupted after 2 of 250 studies, jobs: completed 2"
    )
    hurried = verdict(replace(asked, jobs={"completed": 1}, waiting=1))
    assert hurried.startswith("nothing lost so far: interrupted after 2 of 250")
    assert hurried.endswith("not waited for 1")
