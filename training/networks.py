"""Two small 3D networks: a U-Net for segmentation, and a classifier that stands on one.

Both take a volume (batch, 1, z, y, x) and give logits; `export` puts the activation behind them.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn


def _block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, activation.

    Batch normalisation keeps fixed statistics at inference, so that what a voxel is called does
    not depend on how much air lies around the patient, nor on where a tile ends; and it folds
    into the convolution.
    """
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(channels_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


class UNet(nn.Module):
    """3D U-Net (Çiçek et al., MICCAI 2016) that works at half the input's resolution.

    At the full resolution nearly all time goes into moving memory: its features cost more than
    four times as much as twice as many at half. Skip connections are added instead of joined,
    after a 1x1x1 convolution at the coarser level. Each size of the input must be a multiple of
    2^levels. The logits have the input's size, or half of it where not `whole`.
    """

    def __init__(self, channels: tuple[int, ...], classes: int, whole: bool = True) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        first = _block(1, channels[0], stride=2)
        self.stem = nn.Sequential(first, _block(channels[0], channels[0]))
        self.down = nn.ModuleList(
            nn.Sequential(_block(fine, coarse, stride=2), _block(coarse, coarse))
            for fine, coarse in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(_block(fine, fine) for fine, _ in pairs)
        self.head = (
            nn.ConvTranspose3d(channels[0], classes, 4, stride=2, padding=1)
            if whole
            else nn.Conv3d(channels[0], classes, 1)
        )

    def forward(self, volume: Tensor) -> Tensor:
        features = [self.stem(volume)]
        for stage in self.down:
            features.append(stage(features[-1]))
        x = features.pop()
        for narrow, stage in zip(reversed(self.narrow), reversed(self.up), strict=True):
            x = stage(_doubled(narrow(x)) + features.pop())
        logits: Tensor = self.head(x)
        return logits


def _doubled(volume: Tensor) -> Tensor:
    """Each voxel eight times; ONNX Runtime copies faster than it resizes (a quarter of the CPU)."""
    for axis in (4, 3, 2):
        volume = torch.stack((volume, volume), axis + 1).flatten(axis, axis + 1)
    return volume


class Classifier(nn.Module):
    """What each place looks like, then how much of each look there is, then the class.

    A few hundred volumes with one label each teach too little. The phantoms know what lies at
    each voxel, so it is the looks (nothing, COVID-19's opacity, another's) that are taught, at
    half the resolution; the head, fitted afterwards, weighs nine numbers.
    """

    LOOKS = 3
    _LEAST = (1e-4, 1e-6)

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.looks = UNet(channels, self.LOOKS, whole=False)
        self.head = nn.Linear(3 * self.LOOKS, 1)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """The probabilities (batch, 2) and the saliency (batch, 1, z / 2, y / 2, x / 2)."""
        shares = self.looks(volume).softmax(dim=1)
        covid = self.head(_summary(shares, self._LEAST)).sigmoid()
        return torch.cat([1 - covid, covid], dim=1), self.saliency(shares)

    def summary(self, volume: Tensor) -> Tensor:
        """What the head weighs, (batch, 9)."""
        return _summary(self.looks(volume).softmax(dim=1), self._LEAST)

    def saliency(self, shares: Tensor) -> Tensor:
        """What moves the model towards COVID-19, 0 to 1: a gradient-weighted activation map.

        Grad-CAM (Selvaraju et al., ICCV 2017) on the looks' shares, whose gradient has a closed
        form here, over the sum of its weights, so that a map of little evidence stays faint.
        """
        amounts, sures, _ = self.head.weight[0].split(self.LOOKS)
        mean = shares.mean(dim=(2, 3, 4)) + self._LEAST[0]
        sure = shares.pow(4).mean(dim=(2, 3, 4)) + self._LEAST[1]
        weights = amounts / mean + 4 * sures * shares.pow(3).mean(dim=(2, 3, 4)) / sure
        weights = weights / weights.abs().sum(dim=1, keepdim=True)
        # What the background adds is no finding.
        found = (weights[:, 1:, None, None, None] * shares[:, 1:]).sum(dim=1, keepdim=True)
        return found.clamp(min=0)


def _summary(shares: Tensor, least: tuple[float, float]) -> Tensor:
    """How much of each look there is, how much of it is sure, and the surest place."""
    axes = (2, 3, 4)
    amount = (shares.mean(dim=axes) + least[0]).log()
    sure = (shares.pow(4).mean(dim=axes) + least[1]).log()
    return torch.cat([amount, sure, shares.amax(dim=axes)], dim=1)


def settle(net: nn.Module) -> None:
    """Let normalisation keep the statistics it has, as it does at inference."""
    for part in net.modules():
        if isinstance(part, nn.BatchNorm3d):
            part.eval()
