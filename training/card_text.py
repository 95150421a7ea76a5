"""The words of a card round its figures: short, plain, and the same for the same figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from training.card_sections import input_gate, scores
from training.config import Plan
from training.evaluation.measure import MARKED
from training.evaluation.run import Report
from training.evaluation.scored import Scored

WARNING = (
    "**Not for diagnosis. Research use only.** No clinical accuracy is claimed, because it was "
    "trained on drawn images alone, and measured on drawn ones and a few real ones without "
    "COVID-19."
)
MEASURED = (
    "By the pipeline's own code. In phantoms, what leans on lungs is given those that the lung "
    "model finds, as in a study. Surface Dice counts what lies within 2 mm, or within the shortest "
    "side of a voxel where that is longer (3 mm in phantoms). Intervals are 95 %, by bootstrap "
    "over the cases; of errors and false findings the worst is the largest."
)
LEFT_OUT = {
    "no-lungs": "{} more: the lung model found no lungs",
    "truth-missing": "{} more: too little is in view to be either",
}
"""Drawn cases that have no figures, by why."""
HEADS = {
    "phantoms": "phantoms",
    "otherphantoms": "phantoms drawn by other code, of a kind never trained on",
    "implants": "CTs of three real patients in turn, coarser than a scanner gives them (pixels of "
    "1.7 and 1.8 mm, averaged from half of that, and of 4.2 mm), each with two to six lesions "
    "drawn into it (intervals count each CT as a case of its own)",
}
TOLD = (
    *("dice", "surface dice", "dice left", "dice right", "volume error ml", "sensitivity"),
    *("precision", MARKED, "false ml", "false % of the lungs, look-alikes left out"),
    *("% of look-alikes marked", "ml on the wrong side", "ml outside the lungs"),
)
"""The figures of the table, in their order; the classifier has all of its own."""


def card(
    words: Mapping[str, Any],
    reports: Sequence[Report],
    plan: Plan,
    parameters: Mapping[str, str],
    size: int,
    scored: Scored,
    gate: Mapping[str, Any] | None = None,
) -> str:
    """The whole of `card.md`. `size` is that of the weights, in bytes; `gate` is `gate.json`."""
    weights = reports[0]["model"]["sha256"][:12]
    parts = [
        f"# {plan.name}, weights {weights}: {words['title']}",
        WARNING,
        str(words["does"]),
        _network(plan, parameters, size),
        "## Data",
        f"{_data(plan)} {words['history']}",
        "## Measured",
        MEASURED,
        *(_drawn(report) for report in reports if report["data"] != "real"),
        *(_real(report, scored) for report in reports if report["data"] == "real"),
        scores(scored),
        *([input_gate(gate)] if gate else []),
        "## Limits",
        "\n".join(f"- {limit}" for limit in words["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def _network(plan: Plan, parameters: Mapping[str, str], size: int) -> str:
    low, high = parameters["intensity_window"].split()
    if "spacing_mm" in parameters:
        seen = "at " + " × ".join(parameters["spacing_mm"].split()) + " mm"
    else:
        seen = "as " + " × ".join(parameters["size"].split()) + " voxels (z, y, x)"
    return (
        f"A 3D network with {', '.join(map(str, plan.channels))} channels from fine to coarse, "
        f"{size / 1e6:.1f} MB. It sees the CT {seen}, {low} to {high} HU. What it expects stands "
        "in `config.pbtxt`."
    )


def _data(plan: Plan) -> str:
    spacing = " × ".join(f"{step:g}" for step in plan.phantoms.spacing)
    return (
        f"{plan.phantoms.train} procedural phantoms of `phantom/` at {spacing} mm, {plan.steps} "
        f"steps of {plan.batch}; `training/configs/{plan.name}.yaml` is the whole plan. No "
        "patient's image was used to train it."
    )


def _drawn(report: Report) -> str:
    head = HEADS[report["data"]]
    cases = max(figure["n"] for figure in report["summary"].values())
    lines = [f"On {cases} {head}{_note(report)}:", ""]
    if report["task"] == "class":
        lines += ["| | n | value | 95 % interval |", "|---|---|---|---|"]
        lines += [_probability_row(name, f) for name, f in report["summary"].items()]
        return "\n".join(lines + _left_out(report))
    lines += ["| | n | median | 95 % interval | mean | worst |", "|---|---|---|---|---|---|"]
    told = [name for name in TOLD if name in report["summary"]]
    told += [name for name in report["summary"] if name.startswith(f"{MARKED}: ")]
    lines += [_row(name, report["summary"][name]) for name in told]
    return "\n".join(lines + _left_out(report))


def _left_out(report: Report) -> list[str]:
    counts = Counter(each["code"] for each in report.get("left_out", ()))
    told = [LEFT_OUT.get(code, "{} more: " + code).format(counts[code]) for code in sorted(counts)]
    return ["", f"Without figures are {'; '.join(told)}."] if told else []


def _note(report: Report) -> str:
    if report["data"] == "phantoms":
        return " with seeds never trained on"
    if report["data"] != "implants":
        return ""
    if report["task"] == "lung":
        return ", against the mask found without them, so this is steadiness and no accuracy"
    return ", within a supplied mask of the lungs or one made by thresholds"


def _row(name: str, figure: Mapping[str, Any]) -> str:
    cells = (
        name,
        str(figure["n"]),
        _number(figure["median"]),
        _range(figure["median_interval"]),
        _number(figure["mean"]),
        _number(figure["worst"]),
    )
    return f"| {' | '.join(cells)} |"


def _probability_row(name: str, figure: Mapping[str, Any]) -> str:
    if "interval" not in figure:
        return f"| {name} | {figure['n']} | {figure['value']:g} | |"
    cells = (name, str(figure["n"]), _number(figure["value"]), _range(figure["interval"]))
    return f"| {' | '.join(cells)} |"


def _real(report: Report, scored: Scored) -> str:
    """One line per series. None of the patients had COVID-19."""
    lines = ["On real CT, of patients without COVID-19 (so many times scored till now):", ""]
    for case in sorted(report["cases"], key=lambda each: str(each["case"])):
        told = ", ".join(f"{name} {_number(value)}" for name, value in _of(case, report))
        times = scored.get(case["case"], {}).get(report["task"], 0)
        lines.append(f"- `{case['case']}` ({times}): {told}")
    return "\n".join(lines)


def _of(case: Mapping[str, Any], report: Report) -> list[tuple[str, float]]:
    figures = case["figures"]
    if report["task"] == "class":
        return [("probability of COVID-19", figures["probability"])]
    return sorted(figures.items())


def _range(pair: Sequence[float | None]) -> str:
    return f"{_number(pair[0])} to {_number(pair[1])}"


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.0f}"
