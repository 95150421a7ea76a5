"""What a results API answers to `clarion jobs` and `clarion failures`."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from shared.identity import case_id

JOB = {
    "job_id": "11111111-2222",
    "case_id": case_id("covid19-ct", "1.2.3", "study"),
    "version": 1,
    "supersedes": None,
    "run": 1,
    "pipeline": "covid19-ct",
    "lane": "stat",
    "status": "partial",
    "reasons": [{"code": "defect", "numbers": {}, "text": "A service failed."}],
    "warnings": ["contrast"],
    "trace_id": "0" * 32,
    "received_at": "2026-01-01T08:00:00Z",
    "finished_at": None,
}
SUMMARY = JOB | {"deliveries": {"delivered": 1, "waiting": 1}}
OLD = SUMMARY | {"case_id": case_id("retired", "1.2.9", "study"), "pipeline": "retired"}
STAGE = {
    "stage": "ratio",
    "service": "ratio",
    "status": "failed",
    "attempts": 3,
    "started_at": "2026-01-01T08:00:00Z",
    "finished_at": "2026-01-01T08:00:01.5Z",
    "reasons": [{"code": "defect", "numbers": {}, "text": "A service failed."}],
    "model": {"name": "lung_seg", "version": "2", "sha256": "23587dbf" + "0" * 56},
}
DELIVERY = {
    "destination": "pacs",
    "status": "held",
    "attempts": 2,
    "last_error": "presentation-context-rejected",
    "committed": None,
}
OUTPUT = {
    "name": "lung-seg",
    "kind": "seg",
    "sop_instance_uid": "2.25.1",
    "path": "lung.dcm",
    "deliveries": [DELIVERY],
}
STACK = {"stack": "series [3], 1 mm", "chosen": True, "reason": "most slices"}
HOLDER = {"stage": "classifier", "service": "classifier", "since": "2026-01-01T08:00:00Z"}
WHOLE = JOB | {
    "selection": [STACK],
    "waits_for": [HOLDER],
    "stages": [STAGE],
    "outputs": [OUTPUT],
}
RUNNING = {"code": "job-running", "detail": "The job runs. Wait until it has finished."}


def _problem(code: str, detail: str, remedy: str) -> dict[str, str]:
    return {"code": code, "detail": f"{detail} {remedy}", "remedy": remedy}


UNKNOWN = _problem("unknown-job", "No job's id begins with '9'.", "List the jobs (GET /jobs).")
NOTHING_CHOSEN = _problem("nothing-chosen", "Which was not said.", "Name a job or say all=true.")
NOT_UNDERSTOOD = _problem(
    "invalid-request", "Not understood: limit (too big).", "See /openapi.json."
)
REASONS: list[dict[str, Any]] = [
    {"code": code, "numbers": {}, "text": "."}
    for code in ("duplicate-positions", "unsupported-transfer-syntax")
]
REFUSED = SUMMARY | {"lane": "routine", "status": "refused", "reasons": REASONS, "deliveries": {}}
HELD = SUMMARY | {"reasons": [], "finished_at": "2026-01-01T08:01:00Z", "deliveries": {"held": 4}}
LONG = WHOLE | {
    "stages": [
        STAGE | {"stage": "classification-report", "service": "writers", "status": "succeeded"},
        STAGE | {"stage": "lung-seg~lung_seg_v2", "service": "lung_seg_v2", "reasons": REASONS},
    ],
    "outputs": [OUTPUT | {"name": "classification-report", "kind": "encapsulated-pdf"}],
}
REPLACED = WHOLE | {
    "status": "completed",
    "superseded_by": "33333333-4444",
    "outputs": [
        OUTPUT
        | {"deliveries": [DELIVERY | {"status": "waiting", "next_attempt_at": JOB["received_at"]}]}
    ],
}

FAILURE = {
    "job_id": JOB["job_id"],
    "run": 1,
    "trace_id": "0" * 32,
    "stage": "lesion-dicom-seg",
    "service": "lesion_seg",
    "verdict": "failed",
    "reasons": [{"code": "out-of-memory", "numbers": {}, "text": "It needed too much memory."}],
    "attempts": 3,
    "failed_at": "2026-01-01T08:00:00Z",
    "exception_type": "MemoryError",
    "place": "handler.py:7",
    "details": "/in/another/container/details.txt",
    "cause": {"id": "1", "type": "clarion.mask-ready.v1", "topic": "t"},
}
REPLAYED = [
    {"job_id": JOB["job_id"], "done": True, "run": 2, "code": None, "detail": None},
    {"job_id": "2222", "done": False, "run": None, "code": "job-running", "detail": "It runs."},
]
PORTIONS = {
    "code=defect&fresh=false": {"jobs": REPLAYED[:1], "next": "1111"},
    "code=defect&fresh=false&after=1111": {"jobs": REPLAYED[1:], "next": None},
}
NONE_DONE: dict[str, object] = {"jobs": [], "next": None}
DETAILS = f"/failures/{JOB['job_id']}/lesion-dicom-seg/details"
HEALTH = {"service": "reader", "live": True, "ready": False, "why_not": [], "halted": True}
ANSWERS = {
    "/jobs": [SUMMARY],
    "/pipelines": ["covid19-ct", "retired"],
    "/jobs/1111": WHOLE,
    "/jobs/2222": LONG,
    "/jobs/3333": REPLACED,
    "/failures": [FAILURE],
    "/health": HEALTH,
}


class Answers(BaseHTTPRequestHandler):
    """Answers as results would."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == DETAILS:
            self._say(200, b"Traceback: all of it")
        elif "case_id=" in self.path:
            asked = parse_qs(self.path)["case_id"]
            self._answer(200, [each for each in (SUMMARY, OLD) if each["case_id"] in asked])
        elif "status=refused" in self.path:
            self._answer(200, [REFUSED, HELD])
        elif "undelivered=true" in self.path:
            self._answer(200, [HELD])
        elif "status=failed" in self.path:
            self._answer(200, [])
        elif path == "/jobs/9":
            self._answer(404, UNKNOWN)
        elif "limit=20000" in self.path:
            self._answer(422, NOT_UNDERSTOOD)
        elif "code=everything" in self.path:
            self._answer(200, [FAILURE] * int(self.path.rpartition("limit=")[2]))
        else:
            self._answer(200, ANSWERS[path])

    def do_POST(self) -> None:
        path, _, asked = self.path.partition("?")
        if self.path == "/failures/replay?fresh=false":
            self._answer(422, NOTHING_CHOSEN)
        elif path == "/failures/discard" or "nonsense" in asked:
            self._answer(202, NONE_DONE)
        elif path == "/failures/replay":
            self._answer(202, PORTIONS[asked])
        elif self.path == "/jobs/1111/lane?lane=stat":
            self._answer(202, WHOLE)
        elif self.path == "/resume":
            self._answer(200, {"service": "reader", "resumed": True})
        elif "fresh=true" in self.path:
            self._answer(202, {"job_id": JOB["job_id"], "run": 2})
        else:
            self._answer(409, RUNNING)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: object) -> None:
        self._say(status, json.dumps(body).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)
