"""Chooses a stack by the rules of the pipeline definition (`input.choose`).

Rules are preferences in order: the first one in which two stacks differ decides between them.
So a sharp series is used where there is no soft one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from services.reader.checks import nearness
from services.reader.header import number
from services.reader.kernels import sharpness
from services.reader.stacks import Stack
from shared.errors import Reason

Score = Callable[[Stack], float]


@dataclass(frozen=True)
class Rule:
    """One preference: the stack with the higher score is the better one."""

    text: str
    score: Score


def parse(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Raises `ValueError` for a rule that is none of those below."""
    return tuple(Rule(text, _score(text)) for text in texts)


def rank(stacks: Sequence[Stack], rules: Sequence[Rule]) -> tuple[Stack, ...]:
    """Best first; equals stay in their order."""
    return tuple(sorted(stacks, key=lambda stack: [-rule.score(stack) for rule in rules]))


def deciding_rule(better: Stack, other: Stack, rules: Sequence[Rule]) -> str:
    """The rule by which one stack comes before the other."""
    differing = (rule.text for rule in rules if rule.score(better) != rule.score(other))
    return next(differing, "came first")


def nearest(
    refused: Sequence[tuple[Stack, tuple[Reason, ...]]],
) -> tuple[Reason, ...]:
    """Of stacks that were all refused, the reasons of the one that people meant to send."""
    return max(refused, key=lambda pair: (nearness(pair[1]), len(pair[0].planes)))[1]


def _axial(stack: Stack) -> float:
    """1 where the planes are across the patient's long axis."""
    return float(stack.geometry is not None and stack.geometry.axial)


def _within(low: float, high: float, stack: Stack) -> float:
    thickness = number(stack.header, "SliceThickness")
    return float(thickness is not None and low <= thickness <= high)


def _softness(stack: Stack) -> float:
    return float(sharpness(stack.kernel))


def _slices(stack: Stack) -> float:
    return float(len(stack.planes))


def _low_series_number(stack: Stack) -> float:
    series = number(stack.header, "SeriesNumber")
    return float("-inf") if series is None else -series


_RULES: tuple[tuple[re.Pattern[str], Callable[..., float]], ...] = (
    (re.compile(r"axial"), _axial),
    (re.compile(r"thickness ([\d.]+)\.\.([\d.]+) mm"), _within),
    (re.compile(r"soft kernel"), _softness),
    (re.compile(r"most slices"), _slices),
    (re.compile(r"lowest SeriesNumber"), _low_series_number),
)


def _score(text: str) -> Score:
    for pattern, score in _RULES:
        match = pattern.fullmatch(text.strip())
        if match:
            return partial(score, *(float(group) for group in match.groups()))
    raise ValueError(f"input.choose has no rule {text!r}")
