"""What a finished job found, read from its output files for people to see."""

import csv
from pathlib import Path

from clarion.following import Job
from shared.findings import Measurement


def probabilities(job: Job) -> dict[str, float]:
    """Class → probability; empty when the job made none."""
    path = _file(job, "csv")
    if path is None:
        return {}
    with path.open(newline="") as file:
        return {row["class"]: float(row["probability"]) for row in csv.DictReader(file)}


def measurement(job: Job) -> Measurement | None:
    """The lesion-to-lung ratio; None when the job made none."""
    path = _file(job, "json")
    return Measurement.model_validate_json(path.read_bytes()) if path else None


def _file(job: Job, kind: str) -> Path | None:
    found = (each["path"] for each in job["outputs"] if each["kind"] == kind and each["path"])
    return next(map(Path, found), None)
