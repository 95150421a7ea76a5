"""Sections of a card: its model's input gate, and how often real CT was scored."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.evaluation.scored import Scored

_SCORED = (
    "How often each real series was scored till now, by all models and all their versions: none "
    "was trained on, but looking often begins to choose. Looks through the gate and with implants "
    "are counted from November 2026 on; earlier ones were not."
)


def input_gate(figures: Mapping[str, Any]) -> str:
    """What `gate.json` says: how the gate was fitted, and how many of which images it warns of."""
    unseen, others = "warned of phantoms it never saw", "warned of phantoms drawn another way"
    strange = figures["warned of what is no such image"]
    counted = {
        "phantoms that it was not fitted to": figures[unseen],
        "phantoms drawn by other code": figures[others],
        **{f"no such image: {kind}": told for kind, told in strange.items()},
    }
    lines = [
        "## Input gate",
        "",
        _rules(figures),
        "",
        "| | n | warned of |",
        "|---|---|---|",
        *(f"| {name} | {told['images']} | {told['warned']} |" for name, told in counted.items()),
    ]
    if "real CT" in figures:
        lines += ["", "On real CT, never fitted to it:", "", *_of_real(figures["real CT"])]
    return "\n".join(lines)


def scores(scored: Scored) -> str:
    """Every count of `scored.json`: all models' tasks, as one's scores may sway another."""
    tasks = sorted({task for counts in scored.values() for task in counts})
    lines = [
        _SCORED,
        "",
        f"| | {' | '.join(tasks)} |",
        f"|---|{'---|' * len(tasks)}",
    ]
    for series, counts in sorted(scored.items()):
        told = " | ".join(str(counts.get(task, 0)) for task in tasks)
        lines.append(f"| `{series}` | {told} |")
    return "\n".join(lines)


def _rules(figures: Mapping[str, Any]) -> str:
    return (
        "It warns of images unlike those that the model was trained on. It was fitted to "
        f"{figures['fitted to']}, by {len(figures['features'])} features. It warns where one lies "
        f"outside its range, where all together lie farther than {figures['limit']:g} standard "
        f"deviations, and where a turned image would lie nearer by more than {figures['margin']:g}."
    )


def _of_real(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for series, told in sorted(found.items()):
        reasons = ", ".join(told["reasons"])
        said = f"warned of ({reasons})" if told["warned"] else "not warned of"
        yield f"- `{series}`: {said}, at a distance of {told['distance']:g}"
