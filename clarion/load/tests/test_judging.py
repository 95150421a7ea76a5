"""What was acknowledged is finished, and delivered once; what is not is told."""

from pathlib import Path

from clarion.load.judging import filed, lost, not_completed, repeats, unexpected
from clarion.load.tests.studies import job, output, sent

_ENDS = ("completed", "failed", "partial", "cancelled", "refused", "running")


def test_a_study_without_a_finished_job_is_lost() -> None:
    everything = [sent(case) for case in ("none", "running", "waiting", "done")]
    newest = {
        "running": job("running", status="running"),
        "waiting": job("waiting", deliveries={"waiting": 1}),
        "done": job("done", deliveries={"delivered": 4}),
    }
    found = lost(everything, newest)
    assert [each.case_id for each in found] == ["none", "running", "waiting"]
    assert [each.why for each in found] == [
        "no job began",
        "job job-of-r has not ended",
        "job job-of-w has ended, its outputs are not delivered",
    ]


def test_outputs_that_no_destination_took_are_not_delivered() -> None:
    newest = {name: job(name, deliveries={name: 1}) for name in ("held", "failed", "delivered")}
    assert [each.case_id for each in lost(map(sent, newest), newest)] == ["held", "failed"]


def test_a_job_that_did_not_complete_is_told_with_its_codes() -> None:
    reasons = [{"code": "dependency-failed"}, {"code": "deadline"}]
    newest = {name: job(name, status=name, reasons=reasons) for name in _ENDS}
    everything = [sent(name) for name in _ENDS]
    found = not_completed(everything, newest, recorded=False)
    assert [each.status for each in found] == ["failed", "partial", "cancelled", "refused"]
    assert {each.codes for each in found} == {("dependency-failed", "deadline")}


def test_a_study_of_one_s_own_that_is_refused_is_no_fault() -> None:
    newest = {name: job(name, status=name) for name in _ENDS}
    found = not_completed([sent(name) for name in _ENDS], newest, recorded=True)
    assert [each.status for each in found] == ["failed", "partial", "cancelled"]


def test_a_study_that_was_not_acknowledged_is_not_lost() -> None:
    assert lost([sent(why_not="2 of 4 instances not stored")], {}) == []


def test_a_study_of_another_modality_makes_no_job() -> None:
    xray = sent("xray", makes_job=False)
    assert lost([xray], {}) == []
    assert unexpected([xray], {"xray": job("xray")}) == ["job-of-x"]


def test_the_pacs_has_each_output_once(tmp_path: Path) -> None:
    _file(tmp_path, "series/1", "series/2")
    found = filed([sent()], {"case"}, [job(outputs=[output("1"), output("2")])], tmp_path, 0)
    assert (found.twice, found.missing) == ((), ())


def test_an_output_under_two_uids_or_in_two_series_is_delivered_twice(tmp_path: Path) -> None:
    _file(tmp_path, "series/1", "other/1", "series/9")
    found = filed([sent()], {"case"}, [job(outputs=[output("1")])], tmp_path, 0)
    assert found.twice == ("1", "9")


def test_what_an_open_job_has_delivered_so_far_is_not_delivered_twice(tmp_path: Path) -> None:
    _file(tmp_path, "series/1", "series/2", "other/2")
    assert filed([sent()], set(), [], tmp_path, 0).twice == ("2",)


def test_what_is_said_to_be_delivered_is_there(tmp_path: Path) -> None:
    outputs = [output("1"), output("2", "failed")]
    assert filed([sent()], {"case"}, [job(outputs=outputs)], tmp_path, 0).missing == ("1",)


def test_the_log_of_the_pacs_tells_what_came_again() -> None:
    log = b"PACS listens\nan instance came again, the same\nan instance came again with other\n"
    assert repeats(log) == 2


def _file(received: Path, *names: str) -> None:
    for name in names:
        path = received / sent().study_instance_uid / f"{name}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
