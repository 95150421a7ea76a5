"""What the judge lets pass, and what it does not."""

import json
from collections.abc import Iterator
from pathlib import Path

from shared.telemetry.attributes import CODE, JOB
from tests.chaos.anew import compared
from tests.chaos.repeats import interruptions, may_come_again, repeated, unanswered
from tests.chaos.running import Happened
from tests.chaos.studies import Study
from tests.e2e.system import Job

STUDY = Study(3, "", 3)


def undelivered(job: str, code: str, second: float) -> str:
    """As results logs it."""
    told = {JOB: job, CODE: code, "event": "not delivered", "level": "warning"}
    return json.dumps({**told, "timestamp": f"2026-03-02T12:00:{second:09.6f}Z"}) + "\n"


def shipment(job: str, second: float, objects: int) -> Iterator[str]:
    """An association whose first object has no answer: each after it is told, too."""
    for number in range(objects):
        yield undelivered(job, "no-response", second + number / 1000)


def test_what_is_sent_again_without_an_explanation_is_a_defect() -> None:
    assert [finding.code for finding in repeated(1, 2000, explained=0)] == ["sent-again"]
    assert list(repeated(5, 2000, explained=5)) == []
    assert [finding.code for finding in repeated(6, 2000, explained=5)] == ["sent-again"]


def test_an_answer_that_did_not_come_explains_one_object() -> None:
    log = [*shipment("a", 1, objects=4), *shipment("b", 1, objects=2)]
    assert unanswered(log) == 2


def test_the_next_try_without_an_answer_explains_one_more() -> None:
    assert unanswered([*shipment("a", 1, objects=4), *shipment("a", 2.1, objects=4)]) == 2


def test_what_never_left_explains_nothing() -> None:
    log = [undelivered("a", "no-connection", 1), undelivered("b", "status-A700", 1)]
    assert unanswered([*log, '{"event": "ready"}\n']) == 0


def test_half_a_line_is_none() -> None:
    assert unanswered([undelivered("a", "no-response", 1)[:-20]]) == 0


def test_who_delivers_has_four_objects_under_way() -> None:
    assert may_come_again(2, shipment("a", 1, objects=1)) == 9


def test_faults_of_who_delivers_interrupt_and_others_do_not() -> None:
    struck = [
        Happened("kill-service", "results-2", 1),
        Happened("freeze-service", "results for 13 s", 2),
        Happened("disk-full", "for 5 s", 3),
        Happened("clock-goes-ahead", "by 3600 s for 10 s", 4),
    ]
    others = [Happened("kill-pacs", "pacs", 5), Happened("kill-kafka", "kafka", 6)]
    assert interruptions([*struck, *others]) == len(struck)


def job(folder: Path, status: str, content: str | None) -> Job:
    path = folder / status
    if content is not None:
        path.write_text(content)
    output = {"name": "lung-seg", "path": None if content is None else str(path)}
    reasons = [] if status == "completed" else [{"code": "deadline"}]
    return {"status": status, "reasons": reasons, "outputs": [output]}


def test_a_fresh_run_that_failed_is_a_finding(tmp_path: Path) -> None:
    first, again = job(tmp_path, "completed", "mask"), job(tmp_path, "failed", None)
    [finding] = compared(STUDY, first, again)
    assert (finding.code, finding.study) == ("differs", 3)
    assert "failed: deadline" in finding.detail


def test_a_fresh_run_with_other_bytes_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, same = job(tmp_path, "completed", "mask"), job(tmp_path / "again", "completed", "mask")
    assert list(compared(STUDY, first, same)) == []
    other = job(tmp_path / "again", "completed", "another")
    assert [finding.code for finding in compared(STUDY, first, other)] == ["differs"]
    assert [finding.code for finding in compared(STUDY, first, None)] == ["not-run-again"]
