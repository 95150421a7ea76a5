"""Counts how often each real series was scored: a score that is seen often begins to choose."""

import json
from collections.abc import Iterable
from pathlib import Path

PATH = Path(__file__).parent / "scored.json"

GATE = "gate"
"""What a look through the input gate is counted as."""

Scored = dict[str, dict[str, int]]


def with_implants(task: str) -> str:
    """What a measurement on lesions drawn into real lungs is counted as."""
    return f"{task} with implants"


def read_scores(path: Path = PATH) -> Scored:
    """Series → task → how often."""
    found: Scored = json.loads(path.read_text())
    return found


def count_scores(task: str, series: Iterable[str], path: Path = PATH) -> None:
    """One more for each; the file is committed with the figures that were seen.

    `task` is a model's, or one of the other ways above of looking at a series.
    """
    scored = read_scores(path)
    for name in series:
        of = scored.setdefault(name, {})
        of[task] = of.get(task, 0) + 1
    path.write_text(json.dumps(scored, indent=1, sort_keys=True) + "\n")
