"""What must never happen: a study that was acknowledged and came to nothing, an output that was
delivered twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clarion.following import Job
from clarion.load.sending import Sent

_PACS = "pacs"
_UNDELIVERED = ("waiting", "held", "failed")
_AGAIN = b"an instance came again"
_ID = 8
"""As much of a job's id as `clarion jobs` lists, which is enough for every command."""


@dataclass(frozen=True)
class Lost:
    """A study that was acknowledged whole, and why nothing came of it."""

    case_id: str
    study_instance_uid: str
    why: str


@dataclass(frozen=True)
class NotCompleted:
    """A study's newest job, which has ended without all that it should make."""

    job_id: str
    status: str
    codes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.job_id} {ended(self.status, self.codes)}"


@dataclass(frozen=True)
class Filed:
    """What the receiving PACS has of the studies that were sent, against what the jobs say."""

    twice: tuple[str, ...] = ()
    """Instances that no job accounts for, or that are filed in two places.

    Of a study whose job is open only the latter: its outputs are on their way.
    """
    missing: tuple[str, ...] = ()
    """Instances that are delivered, as their job says, and not there."""
    repeated: int = 0
    """How often the PACS was sent what it had; of whatever study."""


def settled(summary: Job) -> bool:
    """A line of the listing: its job has ended, and no delivery waits."""
    return summary["status"] != "running" and not summary["deliveries"].get("waiting")


def ended(status: str, codes: Iterable[str]) -> str:
    """How a job ended, with its codes."""
    listed = ", ".join(codes)
    return f"{status} ({listed})" if listed else status


def codes_of(job: Job) -> tuple[str, ...]:
    return tuple(reason["code"] for reason in job["reasons"])


def lost(sent: Iterable[Sent], newest: Mapping[str, Job]) -> list[Lost]:
    """The studies that make a job, were stored whole, and have none that is done."""
    found = []
    for each in sent:
        if not each.stored or not each.makes_job:
            continue
        why = _why_lost(newest.get(each.case_id))
        if why:
            found.append(Lost(each.case_id, each.study_instance_uid, why))
    return found


def _why_lost(job: Job | None) -> str:
    if job is None:
        return "no job began"
    job_id = job["job_id"][:_ID]
    if job["status"] == "running":
        return f"job {job_id} has not ended"
    undelivered = any(job["deliveries"].get(status) for status in _UNDELIVERED)
    return f"job {job_id} has ended, its outputs are not delivered" if undelivered else ""


def not_completed(
    sent: Iterable[Sent], newest: Mapping[str, Job], *, recorded: bool
) -> list[NotCompleted]:
    """The jobs of studies that should have completed, and have ended otherwise.

    A phantom is a study that every stage can process. One that was recorded may be refused: that
    says something of the study, and nothing of the machine.
    """
    due = (newest.get(each.case_id) for each in sent if each.makes_job)
    well = ("running", "completed", *(("refused",) if recorded else ()))
    return [
        NotCompleted(job["job_id"][:_ID], job["status"], codes_of(job))
        for job in due
        if job and job["status"] not in well
    ]


def unexpected(sent: Iterable[Sent], newest: Mapping[str, Job]) -> list[str]:
    """Jobs of studies that no pipeline admits."""
    return [
        newest[s.case_id]["job_id"][:_ID] for s in sent if not s.makes_job and s.case_id in newest
    ]


def filed(
    sent: Iterable[Sent],
    settled_cases: Collection[str],
    jobs: Iterable[Job],
    received: Path,
    repeated: int,
) -> Filed:
    """Compare the PACS's folder, `<study>/<series>/<instance>.dcm`, with the jobs' outputs.

    `jobs` are those that are settled; of a settled case these are all.
    """
    said = {
        output["sop_instance_uid"]
        for job in jobs
        for output in job["outputs"]
        if output["sop_instance_uid"] and _is_at_pacs(output)
    }
    there: Counter[str] = Counter()
    unsaid: set[str] = set()
    for each in sent:
        found = [path.stem for path in (received / each.study_instance_uid).glob("*/*.dcm")]
        there.update(found)
        if each.case_id in settled_cases:
            unsaid |= set(found) - said
    twice = unsaid | {uid for uid, count in there.items() if count > 1}
    return Filed(tuple(sorted(twice)), tuple(sorted(said - there.keys())), repeated)


def _is_at_pacs(output: Job) -> bool:
    return any(
        each["destination"] == _PACS and each["status"] == "delivered"
        for each in output["deliveries"]
    )


def repeats(log: bytes) -> int:
    """How many lines of the PACS's log tell of an instance that came again."""
    return log.count(_AGAIN)
