"""The training loop: seeded, resumable, its curve in a CSV file."""

import csv
import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from training.batches import Batch, Patches
from training.classifier_head import fit_head
from training.config import Plan, read_parameters
from training.losses import lesion_loss, looks_loss, lung_loss
from training.networks import Classifier, UNet

_CHECKPOINT_EVERY = 100
_CURVE_EVERY = 20
_HEAD_BATCHES = 150


def network(plan: Plan) -> nn.Module:
    """The untrained network of a plan."""
    torch.manual_seed(plan.seed)
    if plan.task == "classification":
        return Classifier(plan.channels, classes=2)
    return UNet(plan.channels, classes=3 if plan.task == "lung" else 1)


def train(plan: Plan, cache: Path, folder: Path) -> nn.Module:
    """Train to the last step, and then its finish, going on from their checkpoints if any."""
    net = network(plan).to(memory_format=torch.channels_last_3d)
    _steps(plan, net, cache, folder)
    if plan.finish:
        _steps(plan.finish, net, cache, folder / "finish")
    net.eval()
    if isinstance(net, Classifier):
        patches = Patches(plan, read_parameters(plan.name), cache)
        fit_head(net, map(patches.batch, range(plan.steps, plan.steps + _HEAD_BATCHES)))
    return net


def _steps(plan: Plan, net: nn.Module, cache: Path, folder: Path) -> None:
    """All steps of one plan, the finish not among them; from `folder/checkpoint.pt` on."""
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    first = _resume(folder / "checkpoint.pt", net, optimiser)
    patches = Patches(plan, read_parameters(plan.name), cache)
    net.train()
    started, recent = time.monotonic(), []
    for step in range(first, plan.steps):
        recent.append(_step(plan, net, optimiser, patches.batch(step), step))
        if (step + 1) % _CURVE_EVERY == 0:
            mean = sum(recent) / len(recent)
            recent.clear()
            _record(folder / "curve.csv", step + 1, mean)
            _progress(plan, step + 1, mean, (time.monotonic() - started) / (step + 1 - first))
        if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == plan.steps:
            _save(folder / "checkpoint.pt", net, optimiser, step + 1)
    sys.stderr.write("\n")


def _step(
    plan: Plan, net: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch, step: int
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(plan, step)
    loss = _loss(plan, net, batch)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _loss(plan: Plan, net: nn.Module, batch: Batch) -> Tensor:
    target = batch.target
    if isinstance(net, Classifier):
        return looks_loss(net.looks(batch.volume), target)
    if plan.task == "lung":
        return lung_loss(net(batch.volume), target)
    return lesion_loss(net(batch.volume), target[:, :1], target[:, 1:], plan.outside)


def learning_rate(plan: Plan, step: int) -> float:
    """A short linear rise, then half a cosine to a hundredth."""
    rise = min(1.0, (step + 1) / 50)
    fall = 0.505 + 0.495 * math.cos(math.pi * step / plan.steps)
    return plan.learning_rate * rise * fall


def _resume(path: Path, net: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"])
    return int(state["step"])


def _save(path: Path, net: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    state = {
        "network": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "step": step,
    }
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.rename(path)


def _record(path: Path, step: int, loss: float) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "loss"])
        writer.writerow([step, f"{loss:.5f}"])


def _progress(plan: Plan, step: int, loss: float, seconds: float) -> None:
    left = (plan.steps - step) * seconds / 60
    sys.stderr.write(
        f"\r{plan.name}: step {step}/{plan.steps}, loss {loss:.4f}, {seconds:.2f} s a step, "
        f"{left:.0f} min left   "
    )
    sys.stderr.flush()
