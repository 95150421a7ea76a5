"""Identities that follow from content, so that the same work has the same name everywhere."""

import hashlib
import json
from uuid import UUID, uuid5

_CLARION = UUID("6d2ab0f4-31c9-5c5e-9a0e-3f3f7d0b8a11")


def _name(*parts: object) -> str:
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def derived(*parts: object) -> UUID:
    """The uuid5 of the parts: equal parts, equal id, in every process and language."""
    return uuid5(_CLARION, _name(*parts))


def case_id(pipeline: str, study_instance_uid: str, group: str) -> str:
    """A case is one group of one study, as one pipeline sees it."""
    return str(derived("case", pipeline, study_instance_uid, group))


def job_id(case: str, version: int, input_digest: str) -> str:
    """A job is one version of a case, made of one input set."""
    return str(derived("job", case, version, input_digest))


def event_id(job: str, run: int, stage: str, kind: str, *extra: object) -> str:
    """One unit of work publishes each kind of event once, however often it is delivered."""
    return str(derived("event", job, run, stage, kind, *extra))


def trace_id(job: str, run: int) -> int:
    """The 128 bits of the one trace that follows a run of a job."""
    return derived("trace", job, run).int


def span_id(job: str, run: int, name: str) -> int:
    """The 64 bits of a span that several processes must agree upon."""
    return derived("span", job, run, name).int >> 64 or 1


def uid(job: str, stage: str, provenance_digest: str, role: str) -> str:
    """A DICOM UID by PS3.5 B.2: the same work gives the same UID, other work another."""
    return f"2.25.{derived('uid', job, stage, provenance_digest, role).int}"


def digest(value: object) -> str:
    """The sha256 of a JSON value in its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
