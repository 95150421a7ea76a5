"""What the API says of a job: DESIGN's `jobs --json` and `jobs show --json`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from services.results.ledger.deliveries import DeliveryStatus
from services.results.ledger.runs import StoredRun
from services.results.progress import JobStatus, StageStatus
from services.results.reasons import text_of
from shared.errors import Number
from shared.events.models import Lane, ReasonModel
from shared.identity import trace_id


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReasonView(View):
    code: str
    numbers: Mapping[str, Number]
    text: str

    @classmethod
    def of(cls, reason: ReasonModel) -> Self:
        return cls(code=reason.code, numbers=reason.numbers, text=text_of(reason))


class StackView(View):
    stack: str
    chosen: bool
    reason: str


class ModelView(View):
    """The version of a model that answered; `sha256` is its weights' digest."""

    name: str
    version: str
    sha256: str


class StageView(View):
    stage: str
    service: str
    status: StageStatus
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    reasons: Sequence[ReasonView]
    model: ModelView | None = None


class DeliveryView(View):
    destination: str
    status: DeliveryStatus
    attempts: int
    last_error: str | None
    committed: bool | None
    next_attempt_at: datetime | None
    """When a delivery that was put off is tried again."""


class OutputView(View):
    name: str
    kind: str
    sop_instance_uid: str | None
    path: str | None
    deliveries: Sequence[DeliveryView]


class HolderView(View):
    """A stage that a running job waits for; `since` is when it had all its inputs."""

    stage: str
    service: str
    since: datetime


class JobSummary(View):
    """One line of a listing."""

    job_id: str
    case_id: str
    version: int
    supersedes: str | None
    superseded_by: str | None
    run: int
    pipeline: str
    lane: Lane
    status: JobStatus
    reasons: Sequence[ReasonView]
    trace_id: str
    received_at: datetime
    finished_at: datetime | None
    last_news: datetime | None
    """When the last stage of a running job ended, or it began."""
    deliveries: Mapping[str, int]

    @classmethod
    def of(cls, run: StoredRun, deliveries: Mapping[str, int], last_news: datetime | None) -> Self:
        return cls(**head(run), deliveries=deliveries, last_news=last_news)


class JobView(View):
    """All that the ledger knows of a job's newest run."""

    job_id: str
    case_id: str
    version: int
    supersedes: str | None
    superseded_by: str | None
    run: int
    pipeline: str
    lane: Lane
    status: JobStatus
    reasons: Sequence[ReasonView]
    warnings: Sequence[str]
    selection: Sequence[StackView]
    trace_id: str
    received_at: datetime
    finished_at: datetime | None
    waits_for: Sequence[HolderView]
    stages: Sequence[StageView]
    outputs: Sequence[OutputView]


class CauseView(View):
    """The event that woke the failed stage."""

    id: str
    type: str
    topic: str


class FailureView(View):
    """A stage that gave up: the dead letter of its unit of work."""

    job_id: str
    run: int
    trace_id: str
    stage: str
    service: str
    verdict: str
    reasons: Sequence[ReasonView]
    attempts: int
    failed_at: datetime
    exception_type: str | None
    place: str | None
    details: str | None
    """The file with message and traceback, which may quote the study's values; its key in a store
    that is elsewhere."""
    cause: CauseView | None
    """None where the deadline ended a stage, or the definition was gone: no service said it."""


class DoneView(View):
    """What was done about one job's failures; `code` and `detail` say why nothing was."""

    job_id: str
    done: bool
    run: int | None = None
    code: str | None = None
    detail: str | None = None


class SomeDoneView(View):
    """What was done about the failures of some jobs."""

    jobs: Sequence[DoneView]
    next: str | None
    """Where another call goes on; None when all were asked."""


class RunStarted(View):
    job_id: str
    run: int


def head(run: StoredRun) -> dict[str, object]:
    """The fields that a listing and a job have in common."""
    return {
        "job_id": run.job_id,
        "case_id": run.case_id,
        "version": run.version,
        "supersedes": run.supersedes,
        "superseded_by": run.newer,
        "run": run.run,
        "pipeline": run.pipeline,
        "lane": run.lane,
        "status": run.status,
        "reasons": [ReasonView.of(reason) for reason in run.reasons],
        "trace_id": f"{trace_id(run.job_id, run.run):032x}",
        "received_at": run.received_at,
        "finished_at": run.finished_at,
    }


class PruneView(View):
    """What was pruned, or would be."""

    dry_run: bool
    before: datetime
    jobs: Sequence[str]
    payloads: int
    bytes: int
    kept: Mapping[str, int]
    """How many jobs that are as old stay, by what they are still needed for."""
    next: str | None
    """Where another call goes on; None when all were asked."""
