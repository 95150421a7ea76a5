"""What networks that are not ours learn of the same phantoms in the same time.

    python -m training.compared [--minutes M] [--cases N] [--cache FOLDER] [--json]

Lesions: MONAI's SegResNet, at the full resolution, beside the U-Net at half of it. The class:
MONAI's DenseNet121 on the lung crop at 192 x 192 x 64, taught with the class alone, beside the
network of looks. Each trains for so many minutes of one run, its rate falling once, and is measured
on phantoms never trained on.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from monai.networks.nets import DenseNet121, SegResNet
from torch import Tensor, nn
from torch.nn import functional

from services.classifier.crop import lung_crop
from services.classifier.expected import ClassificationParameters
from shared.imaging.model_parameters import SegmentationParameters
from shared.imaging.model_parameters import read_parameters as checked
from shared.imaging.segment import scaled
from training.batches import Batch, Patches
from training.classifier_head import fit_head
from training.config import Plan, Size, read_parameters, read_phantoms, read_plan
from training.evaluation.overlap import dice
from training.evaluation.probabilities import roc_area
from training.losses import lesion_loss, looks_loss
from training.networks import Classifier, UNet, settle
from training.phantoms import CACHE, FIRST_HELD_OUT, Case, draw_missing, load, train_seeds
from training.train import learning_rate

_TIMED = 8
"""Steps that tell how many there is time for."""
_SETTLED = 0.6
"""After this part of the steps normalisation keeps its statistics, as in our own training."""
_WIDE: Size = (64, 192, 192)
_DEPTH = 112
"""Slices of a whole phantom (107), with air above to a number that every network can halve."""


@dataclass(frozen=True)
class Candidate:
    """A network, how it is taught, and how its answer to one held-out phantom is judged."""

    name: str
    plan: Plan
    parameters: Mapping[str, str]
    network: nn.Module
    loss: Callable[[nn.Module, Batch], Tensor]
    judge: Callable[["Candidate", list[Case]], dict[str, float]]


def candidates() -> tuple[Candidate, ...]:
    """Ours and the other for each task, untrained."""
    lesions, looks = read_plan("lesion_seg"), read_plan("covid_classifier")
    torch.manual_seed(lesions.seed)
    of_lesions = read_parameters(lesions.name)
    of_looks = read_parameters(looks.name)
    wide = {**of_looks, "size": " ".join(map(str, _WIDE))}
    unet = UNet(lesions.channels, classes=1)
    segresnet = SegResNet(spatial_dims=3, init_filters=16, in_channels=1, out_channels=1)
    densenet = DenseNet121(spatial_dims=3, in_channels=1, out_channels=1)
    dense = replace(looks, patch=_WIDE)
    return (
        Candidate("U-Net at half", lesions, of_lesions, unet, _lesions, _dice),
        Candidate("SegResNet", lesions, of_lesions, segresnet, _lesions, _dice),
        Candidate("looks", looks, of_looks, Classifier(looks.channels), _looks, _area),
        Candidate("DenseNet121", dense, wide, densenet, _class, _area),
    )


def compare(
    candidate: Candidate, minutes: float, cache: Path, held_out: list[Case]
) -> dict[str, Any]:
    """Train for so many minutes, then measure."""
    patches = Patches(candidate.plan, candidate.parameters, cache)
    net = candidate.network.train()
    seconds = _taught(candidate, candidate.plan, patches, range(_TIMED)) / _TIMED
    steps = max(_TIMED + 1, round(60 * minutes / seconds))
    plan = replace(candidate.plan, steps=steps, cycle=steps, settle=round(_SETTLED * steps))
    _taught(candidate, plan, patches, range(_TIMED, steps))
    net.eval()
    if isinstance(net, Classifier):
        fit_head(net, (patches[step] for step in range(steps, steps + 150)))
    begin = time.monotonic()
    with torch.no_grad():
        found = candidate.judge(candidate, held_out)
    inference = (time.monotonic() - begin) / len(held_out)
    told = {"network": candidate.name, "steps": steps, "s_per_step": round(seconds, 2)}
    return {**told, "s_per_case": round(inference, 2), **found}


def _taught(candidate: Candidate, plan: Plan, patches: Patches, steps: range) -> float:
    """Train these steps; gives the seconds that they took."""
    optimiser = torch.optim.AdamW(candidate.network.parameters(), weight_decay=1e-3)
    begin = time.monotonic()
    for step in steps:
        if step >= plan.settle:
            settle(candidate.network)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(plan, step)
        loss = candidate.loss(candidate.network, patches[step])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(candidate.network.parameters(), 1.0)
        optimiser.step()
        sys.stderr.write(f"\r{candidate.name}: step {step + 1}/{steps.stop}   ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return time.monotonic() - begin


def _lesions(net: nn.Module, batch: Batch) -> Tensor:
    return lesion_loss(net(batch.volume), batch.target)


def _looks(net: nn.Module, batch: Batch) -> Tensor:
    looks: Tensor = net.get_submodule("looks")(batch.volume)
    return looks_loss(looks, batch.target)


def _class(net: nn.Module, batch: Batch) -> Tensor:
    logits = net(batch.volume)[:, 0]
    return functional.binary_cross_entropy_with_logits(logits, batch.covid.to(logits.dtype))


def _dice(candidate: Candidate, cases: list[Case]) -> dict[str, float]:
    """Median over those with lesions, within the lungs."""
    expected = checked(SegmentationParameters, candidate.plan.name, candidate.parameters)
    found = []
    for case in (each for each in cases if each.lesions.any()):
        above = ((0, _DEPTH - len(case.hu)), (0, 0), (0, 0))
        hu = np.pad(case.hu, above, constant_values=-1000).astype(np.float32)
        volume = torch.from_numpy(scaled(hu, expected))[None, None]
        logits = candidate.network(volume)[0, 0, : len(case.hu)].numpy()
        found.append(dice((logits > 0) & (case.lungs > 0), case.lesions > 0))
    return {"dice": round(median(found), 3), "cases": len(found)}


def _area(candidate: Candidate, cases: list[Case]) -> dict[str, float]:
    expected = checked(ClassificationParameters, candidate.plan.name, candidate.parameters)
    seen = [case for case in cases if case.clear and case.lungs.any()]
    scores = []
    for case in seen:
        crop = lung_crop(case.on_grid(case.hu), case.on_grid(case.lungs), expected)
        answer = candidate.network(torch.from_numpy(scaled(crop, expected))[None, None])
        scores.append(float(answer[0][0, 1] if isinstance(answer, tuple) else answer[0, 0]))
    area = roc_area(np.array(scores), np.array([case.covid for case in seen]))
    return {"auc": round(area, 3), "cases": len(seen)}


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    cases = _held_out(options.cache, options.cases, options.threads)
    found = [compare(each, options.minutes, options.cache, cases) for each in candidates()]
    if options.json:
        sys.stdout.write(f"{json.dumps(found)}\n")
    else:
        for one in found:
            sys.stdout.write("   ".join(f"{name} {value}" for name, value in one.items()) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.compared",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10, metavar="M")
    parser.add_argument("--cases", type=int, default=60, metavar="N", help="to measure with")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _held_out(cache: Path, count: int, processes: int) -> list[Case]:
    """The first cases never trained on; what training needs is drawn with them."""
    phantoms = read_phantoms()
    held_out = range(FIRST_HELD_OUT, FIRST_HELD_OUT + count)
    for seeds in (train_seeds(phantoms), held_out):
        for done, missing in draw_missing(cache, phantoms, seeds, processes):
            sys.stderr.write(f"\rphantom {done}/{missing}   ")
            sys.stderr.flush()
    return [load(cache, phantoms, seed) for seed in held_out]


if __name__ == "__main__":
    sys.exit(main())
