"""What the networks are made to minimise."""

import torch
from torch import Tensor
from torch.nn import functional

_SMOOTH = 50.0
"""Voxels added above and below in Dice, so that an absent structure has a gradient too."""
_LESION, _OUTSIDE, _LOOK_ALIKE = 4.0, 0.5, 0.1
"""Weights of a voxel's cross-entropy; any other voxel of the lung counts 1."""


def lung_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of every label but the background.

    `logits` (batch, classes, z, y, x), `labels` (batch, z, y, x) of integers.
    """
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    dice = soft_dice(logits.softmax(dim=1)[:, 1:], truth[:, 1:])
    return functional.cross_entropy(logits, labels) + (1 - dice).mean()


def lesion_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy everywhere, soft Dice within the lung only, and false alarms outside it.

    Lesions are a thousandth of the volume: over the whole of it both first terms drown them.
    `logits` (batch, 1, z, y, x); `target` (batch, 3, z, y, x) holds the lesions, the inside of
    the lung, and look-alikes, which a reader too could take for lesions: they count little, and
    not in Dice, or whatever is hazy would be called nothing.
    """
    lesions, inside, others = target[:, :1], target[:, 1:2], target[:, 2:]
    doubtful = others * (1 - lesions)
    weight = inside + _OUTSIDE * (1 - inside) + (_LESION - 1) * lesions
    weight = weight * (1 - (1 - _LOOK_ALIKE) * doubtful)
    entropy = functional.binary_cross_entropy_with_logits(logits, lesions, reduction="none")
    certain = inside * (1 - doubtful)
    dice = soft_dice(logits.sigmoid() * certain, lesions * certain)
    mean = (weight * entropy).sum() / weight.sum()
    # Where there is none to overlap with, Dice would only punish doubt.
    overlap = (1 - dice).mean() * bool(lesions.any())
    return mean + overlap + _OUTSIDE * false_alarms(logits, inside)


def false_alarms(logits: Tensor, inside: Tensor) -> Tensor:
    """Cross-entropy of the tenth of the voxels outside the lung that are worst.

    Nothing outside the lung is a lesion, and most of it is plainly none: a mean over all of it
    forgives litres of liver (online hard example mining, Shrivastava et al., CVPR 2016).
    """
    wrong = functional.softplus(logits[inside == 0])
    if not wrong.numel():
        return logits.new_zeros(())
    return wrong.topk(max(1, wrong.numel() // 10)).values.mean()


def soft_dice(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Soft Dice per label over the whole batch (Milletari et al., 3DV 2016)."""
    axes = (0, 2, 3, 4)
    overlap = (probabilities * truth).sum(axes)
    total = probabilities.sum(axes) + truth.sum(axes)
    result: Tensor = (2 * overlap + _SMOOTH) / (total + _SMOOTH)
    return result


def looks_loss(looks: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the look of each place; opacities are rare and weigh more.

    `looks` and `truth` (batch, looks, z, y, x) are logits and shares.
    """
    weight = torch.tensor([1.0, 4.0, 4.0], dtype=looks.dtype, device=looks.device)
    return functional.cross_entropy(looks, truth, weight=weight)
