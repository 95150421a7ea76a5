"""The events, as frozen models: the source from which `schemas/` is generated.

Within v1 only optional fields are added, and readers ignore what they don't know.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Number = int | float | str | bool
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Lane(StrEnum):
    """How urgent a job is; the order is the order of service."""

    STAT = "stat"
    ROUTINE = "routine"
    BULK = "bulk"


class Model(BaseModel):
    """A fact: frozen, of finite numbers (JSON has no others), open to what a newer writer adds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class PayloadRef(Model):
    """Where bytes lie in the payload store, and how to know them."""

    uri: str = Field(description="relative to the payload store")
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    media_type: str


class ReasonModel(Model):
    """A code and the numbers that show it."""

    code: str
    numbers: dict[str, Number] = {}


class Common(Model):
    """What every event of a job says."""

    job_id: str
    case_id: str
    version: Annotated[int, Field(ge=1)]
    supersedes: str | None = None
    run: Annotated[int, Field(ge=1)]
    fresh: bool = False
    pipeline: str
    lane: Lane
    received_at: AwareDatetime
    stage: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    attempts: int = 1
    reused_from: int | None = Field(default=None, description="the run whose outcome was taken")
    warnings: tuple[str, ...] = ()
    payloads: dict[str, PayloadRef] = Field(
        default={}, description="every payload gathered so far, by stage.port"
    )


class Completeness(Model):
    """Why an input was taken to be complete."""

    rule: str
    instances: int
    waited_s: float


class InputReady(Common):
    """A group of instances is complete, or a run of its job was asked for again."""

    completeness: Completeness
    sender: str | None = Field(
        default=None, description="where the input came from, by a name of ingest's settings"
    )


class VolumeReady(Common):
    """A series was chosen and its volume built."""


class MaskReady(Common):
    """A segmentation was made, on the grid of the CT."""


class ClassificationReady(Common):
    """Probabilities were inferred."""


class MeasurementReady(Common):
    """Volumes and their ratio were measured."""


class DicomReady(Common):
    """A DICOM object was made. Its UIDs are ours."""

    output: str
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


class Cause(Model):
    """The event that woke the failed stage, whole: stage-failed is the dead letter."""

    id: str
    type: str
    topic: str
    data: dict[str, Any]


class StageFailed(Common):
    """A stage refused its input, or gave up on it."""

    verdict: Literal["refused", "failed"]
    reasons: tuple[ReasonModel, ...]
    exception_type: str | None = None
    place: str | None = None
    details: PayloadRef | None = None
    cause: Cause


class JobFinished(Common):
    """Each output of the job was made, has failed, or was skipped."""

    status: Literal["completed", "partial", "refused", "failed", "cancelled", "superseded"]
    reasons: tuple[ReasonModel, ...] = ()
    outputs: dict[str, Literal["made", "failed", "skipped"]]


class DicomDelivered(Common):
    """An attempt to deliver one output to one destination has ended."""

    output: str
    sop_instance_uid: str
    destination: str
    status: Literal["delivered", "held", "failed"]
    dicom_status: str | None = Field(default=None, description="four hexadecimal digits")
    at: AwareDatetime


class CommittedInstance(Model):
    """What a destination says of one instance that we sent."""

    sop_instance_uid: str
    committed: bool
    failure_reason: str | None = None


class CommitmentReported(Model):
    """A storage commitment report arrived (PS3.4 J)."""

    transaction_uid: str
    instances: tuple[CommittedInstance, ...]


class JobControl(Model):
    """What holds for work that is already queued; compacted, keyed by job."""

    job_id: str
    cancelled_to_run: int | None = None
    superseded_by: str | None = None
    lane: Lane | None = None


class SeriesFigures(Model):
    """Figures of one series, whose key names what is told apart: stage, lane, pipeline, …"""

    key: dict[str, str]
    figures: dict[str, float]
    sketches: dict[str, dict[int, int]] = Field(
        default={},
        description="of each latency, how many values fell into which bin; sketches of windows "
        "that do not overlap merge by adding. Bin k holds seconds above g**(k-1) and up to g**k, "
        "g = 1.01/0.99 (DDSketch, 1 %), and at least 1 ms",
    )


class Waiting(Model):
    """Events that a service has not done yet."""

    service: str
    lane: str
    events: Annotated[int, Field(ge=0)]


class LastStudy(Model):
    """When a sender was last heard of."""

    sender: str
    at: AwareDatetime


class Snapshot(Model):
    """Figures of one window."""

    window: str
    key: dict[str, str]
    figures: dict[str, float]
    at: datetime
    series: tuple[SeriesFigures, ...] = Field(default=(), description="the same window by series")


class Statistics(Snapshot):
    """Figures of one window; of two events with one window and one `at` the later holds."""

    backlog: tuple[Waiting, ...] = Field(default=(), description="with windows that end now")
    senders: tuple[LastStudy, ...] = Field(default=(), description="with windows that end now")


class Alert(Snapshot):
    """A figure that somebody should look at."""

    code: str


KINDS: dict[str, type[Model]] = {
    "input-ready": InputReady,
    "volume-ready": VolumeReady,
    "mask-ready": MaskReady,
    "classification-ready": ClassificationReady,
    "measurement-ready": MeasurementReady,
    "dicom-ready": DicomReady,
    "stage-failed": StageFailed,
    "job-finished": JobFinished,
    "dicom-delivered": DicomDelivered,
    "commitment-reported": CommitmentReported,
    "job-control": JobControl,
    "statistics": Statistics,
    "alert": Alert,
}
"""The model of each kind of event."""
