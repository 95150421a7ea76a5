"""The training loop: seeded, resumable, its curve in a CSV file."""

import csv
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.batches import Batch, Patches
from training.checkpoint import cut_curve, resume, save
from training.classifier_head import fit_head
from training.config import Plan, read_parameters
from training.losses import lesion_loss, looks_loss, lung_loss
from training.networks import Classifier, UNet, settle

_CHECKPOINT_EVERY = 100
_CURVE_EVERY = 20
_HEAD_BATCHES = 300
_LOADERS = min(12, os.cpu_count() or 1)
"""Processes that make patches for a GPU; a CPU, which is busy with the network, has one."""
_HALVES = {"avx512_bf16", "amx_bf16"}
"""What processors call it that compute with bfloat16; others gain nothing by it."""


def network(plan: Plan) -> nn.Module:
    """The untrained network of a plan."""
    torch.manual_seed(plan.seed)
    if plan.task == "classification":
        return Classifier(plan.channels)
    return UNet(plan.channels, classes=3 if plan.task == "lung" else 1)


def train(plan: Plan, cache: Path, folder: Path) -> nn.Module:
    """Train to the last step, going on from the folder's checkpoint if there is one.

    Raises `OtherPlan` where the checkpoint is another plan's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = network(plan).to(device, memory_format=torch.channels_last_3d)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    first = resume(folder / "checkpoint.pt", plan, net, optimiser)
    if first == plan.steps:
        sys.stderr.write(f"{plan.name}: {folder} was trained to its end before; to train from ")
        sys.stderr.write("nothing, delete it or choose another --runs\n")
    cut_curve(folder / "curve.csv", first)
    patches = Patches(plan, read_parameters(plan.name), cache)
    _steps(plan, net, optimiser, _loaded(patches, range(first, plan.steps), device), folder)
    net.eval()
    if isinstance(net, Classifier):
        later = range(plan.steps, plan.steps + min(_HEAD_BATCHES, plan.steps))
        fit_head(net, (batch for _, batch in _loaded(patches, later, device)))
    return net.cpu()


def _loaded(patches: Patches, steps: range, device: torch.device) -> Iterator[tuple[int, Batch]]:
    """The batch of each step, in order; made by other processes while the network computes."""
    workers = _LOADERS if device.type == "cuda" else 1
    loader = DataLoader(patches, batch_size=None, sampler=steps, num_workers=workers)
    return zip(steps, loader, strict=True)


def _steps(
    plan: Plan,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[tuple[int, Batch]],
    folder: Path,
) -> None:
    net.train()
    started, recent = time.monotonic(), []
    for done, (step, batch) in enumerate(batches, 1):
        if step >= plan.settle:
            settle(net)
        recent.append(_step(plan, net, optimiser, batch, step))
        if (step + 1) % _CURVE_EVERY == 0:
            mean = sum(recent) / len(recent)
            recent.clear()
            _record(folder / "curve.csv", step + 1, mean)
            _progress(plan, step + 1, mean, (time.monotonic() - started) / done)
        if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == plan.steps:
            save(folder / "checkpoint.pt", plan, net, optimiser, step + 1)
    sys.stderr.write("\n")


def _step(
    plan: Plan, net: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch, step: int
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(plan, step)
    device = next(net.parameters()).device
    # bfloat16 needs no loss scaling.
    with torch.autocast(device.type, torch.bfloat16, enabled=_halves(device)):
        loss = _loss(plan, net, batch.volume.to(device), batch.target.to(device))
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _halves(device: torch.device) -> bool:
    return device.type == "cuda" or bool(_HALVES & set(Path("/proc/cpuinfo").read_text().split()))


def _loss(plan: Plan, net: nn.Module, volume: Tensor, target: Tensor) -> Tensor:
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    if isinstance(net, Classifier):
        return looks_loss(net.looks(volume).float(), target)
    if plan.task == "lung":
        return lung_loss(net(volume).float(), target)
    return lesion_loss(net(volume).float(), target)


def learning_rate(plan: Plan, step: int) -> float:
    """A short rise, then half a cosine to a hundredth, and again, each time from half as high.

    A run can so be ended or lengthened by whole cycles (warm restarts: Loshchilov and Hutter,
    ICLR 2017).
    """
    number, place = divmod(step, plan.cycle)
    rise = min(1.0, (place + 1) / 50)
    fall = 0.505 + 0.495 * math.cos(math.pi * place / plan.cycle)
    return plan.learning_rate * 0.5**number * rise * fall


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
