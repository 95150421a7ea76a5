"""What a run keeps, to go on where it was ended: network, optimiser, and the plan they are of."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

import phantom
from training.config import Plan, read_parameters
from training.phantoms import drawing_code

_SEEN = ("spacing_mm", "intensity_window", "intensity_range", "labels", "size", "margin_mm")
"""The parameters that every patch is made by."""


class OtherPlan(Exception):
    """A run's checkpoint is of another plan than is to be trained."""


def learnt_by(plan: Plan) -> dict[str, Any]:
    """What must be the same for a run to go on: the plan, but for its length, the model's input,
    and the phantoms."""
    fields = asdict(plan)
    del fields["steps"]
    told = read_parameters(plan.name)
    seen = {f"config.pbtxt's {key}": told[key] for key in _SEEN if key in told}
    return {**fields, **seen, "drawing code": drawing_code(phantom)}


def resume(path: Path, plan: Plan, net: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """The step to go on with, 0 without a checkpoint. Raises `OtherPlan`."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    _require_same_plan(state, plan, path)
    net.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _require_same_plan(state: dict[str, Any], plan: Plan, path: Path) -> None:
    """A run may be lengthened (see `learning_rate`), and nothing else."""
    wanted, found = learnt_by(plan), state.get("plan")
    if found is None:
        raise OtherPlan(f"{path} tells no plan. Choose another --runs, or delete it")
    differs = sorted(key for key in wanted | found if wanted.get(key) != found.get(key))
    if state["step"] > plan.steps:
        differs.append("steps")
    if differs:
        told = ", ".join(differs)
        raise OtherPlan(f"{path} is of another plan ({told}). Choose another --runs, or delete it")


def save(
    path: Path, plan: Plan, net: nn.Module, optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Under its name only when it is whole: a run may be ended at any time."""
    state = {
        "network": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "plan": learnt_by(plan),
    }
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.rename(path)


def cut_curve(path: Path, step: int) -> None:
    """Leave of a curve what the checkpoint knows: the steps after it are trained again."""
    if not path.exists():
        return
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if int(row.partition(",")[0]) <= step]
    path.write_text("\n".join([head, *kept]) + "\n")
