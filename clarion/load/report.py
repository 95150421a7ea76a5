"""What a run came to: the figures that the live view shows and that the JSON holds. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clarion.load import figures
from clarion.load.figures import Done, Spread
from clarion.load.judging import Filed, Lost, NotCompleted
from clarion.load.machine import TritonQueue
from clarion.load.sending import Sent
from clarion.load.stages import Sources, Stage, by_stage


@dataclass(frozen=True)
class Sending:
    """What the senders did."""

    studies: int
    planned: int
    instances: int
    mb: float
    per_h: float | None
    """Studies an hour, from the first begin to the last."""
    late: Spread | None
    """How much later than due studies began: the senders' own queue."""
    took: Spread | None
    """How long a study was on its way."""
    faults: Mapping[str, int]
    not_stored: tuple[str, ...]
    """Why studies were not acknowledged whole."""
    unanswered: int = 0
    """Instances that nobody answered, and that were sent once more."""


@dataclass(frozen=True)
class Machine:
    """What the system says of itself, over the run."""

    cpu_percent: float
    backlog_most: Mapping[str, int]
    triton: Mapping[str, TritonQueue]
    backlog: Mapping[str, int] | None = None
    """By service: events behind, at the last look; None: unknown, or nothing waits any more."""


@dataclass(frozen=True)
class Verdict:
    """What must be empty."""

    lost: tuple[Lost, ...] = ()
    unexpected: tuple[str, ...] = ()
    """Jobs of studies that no pipeline admits."""
    filed: Filed = field(default_factory=Filed)
    not_completed: tuple[NotCompleted, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """A line for each thing that must not be; empty when all is well."""
        lines = [f"lost: case {each.case_id[:8]}: {each.why}" for each in self.lost]
        lines += [f"not-completed: job {each}" for each in self.not_completed]
        lines += [
            f"unexpected: job {job} of a study that no pipeline admits" for job in self.unexpected
        ]
        lines += [f"delivered-twice: instance {uid}" for uid in self.filed.twice]
        lines += [f"not-at-the-pacs: instance {uid}" for uid in self.filed.missing]
        if self.filed.repeated:
            lines.append(f"delivered-twice: the PACS was sent {self.filed.repeated} objects again")
        return tuple(lines)


@dataclass(frozen=True)
class Report:
    """A whole run. Times in seconds."""

    elapsed_s: float
    interrupted: bool
    sending: Sending
    jobs: Mapping[str, int]
    """Jobs that have ended and are delivered, by status; of all versions."""
    waiting: int
    """Studies that a job is still due for."""
    unfinished: int
    """Those of them whose newest job has not ended, or is not delivered."""
    waiting_most: int
    finished_per_h: float | None
    lanes: Mapping[str, Spread]
    """End to end, from the first image's arrival until the job is shown as ended; of jobs that
    completed."""
    stages: Mapping[str, Stage]
    machine: Machine
    growth: float | None = None
    """How many seconds longer end to end is for each second of the run."""
    shown_after: Spread | None = None
    """From the end of a job's last stage until the job is shown as ended."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Jobs that ended otherwise, by status and codes."""
    unanswered: int = 0
    """How often the jobs API did not answer."""
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def ok(self) -> bool:
        return not self.verdict.faults and not self.sending.not_stored

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self), "faults": list(self.verdict.faults)}


def sending(sent: Sequence[Sent], planned: int) -> Sending:
    """The senders' side of what was sent so far."""
    begins = sorted(each.began for each in sent)
    wall = begins[-1] - begins[0] if len(begins) > 1 else 0.0
    return Sending(
        studies=len(sent),
        planned=planned,
        instances=sum(each.instances for each in sent),
        mb=round(sum(each.size for each in sent) / 1e6, 1),
        per_h=round((len(begins) - 1) / wall * 3600, 1) if wall > 0 else None,
        late=figures.spread([each.late_s for each in sent]) if sent else None,
        took=figures.spread([each.ended - each.began for each in sent]) if sent else None,
        faults=dict(Counter(str(each.order.fault) for each in sent)),
        not_stored=tuple(each.why_not for each in sent if not each.stored),
        unanswered=sum(each.unanswered for each in sent),
    )


def report(
    sent: Sequence[Sent],
    planned: int,
    done: Sequence[Done],
    waiting: tuple[int, int, int],
    sources: Sources,
    machine: Machine,
    elapsed_s: float,
    unanswered: int,
) -> Report:
    """The figures so far, without a verdict; `waiting`: now, of these unfinished, most so far."""
    return Report(
        elapsed_s=round(elapsed_s, 1),
        interrupted=False,
        sending=sending(sent, planned),
        jobs=dict(Counter(each.job["status"] for each in done)),
        waiting=waiting[0],
        unfinished=waiting[1],
        waiting_most=waiting[2],
        finished_per_h=figures.finished_per_h(done),
        lanes=figures.by_lane(done),
        growth=figures.growth(done),
        shown_after=figures.shown_after(done),
        left_out=figures.left_out(done),
        stages=by_stage(done, sources),
        machine=machine,
        unanswered=unanswered,
    )
