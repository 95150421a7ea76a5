"""Two small 3D networks: a U-Net for segmentation, and a classifier that stands on one.

Both take a volume (batch, 1, z, y, x) and give logits; `export` puts the activation behind them.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def _block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Convolution, group normalisation (batches are of one or two volumes), activation."""
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(min(4, channels_out), channels_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


class UNet(nn.Module):
    """3D U-Net (Çiçek et al., MICCAI 2016) with added instead of joined skip connections.

    Adding, after a 1x1x1 convolution at the coarser level, halves the work at the finest level,
    where nearly all of it is done. Each size of the input must be a multiple of 2^(levels - 1).
    """

    def __init__(self, channels: tuple[int, ...], classes: int, stride: int = 1) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        first = _block(1, channels[0], stride)
        self.stem = nn.Sequential(first, _block(channels[0], channels[0]))
        self.down = nn.ModuleList(
            nn.Sequential(_block(fine, coarse, stride=2), _block(coarse, coarse))
            for fine, coarse in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(_block(fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(channels[0], classes, 1)

    def forward(self, volume: Tensor) -> Tensor:
        features = [self.stem(volume)]
        for stage in self.down:
            features.append(stage(features[-1]))
        x = features.pop()
        for narrow, stage in zip(reversed(self.narrow), reversed(self.up), strict=True):
            finer = functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = stage(finer + features.pop())
        logits: Tensor = self.head(x)
        return logits


class Classifier(nn.Module):
    """What each place looks like, then how much of each look there is, then the class.

    A few hundred volumes with one label each teach too little. The phantoms know what lies at
    each voxel, so it is the looks (nothing, COVID-19's opacity, another's) that are taught, at
    half the resolution; the head, fitted afterwards, judges a dozen numbers.
    """

    LOOKS = 3

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.looks = UNet(channels, self.LOOKS, stride=2)
        self.head = nn.Sequential(
            nn.BatchNorm1d(3 * self.LOOKS),
            nn.Linear(3 * self.LOOKS, 8),
            nn.LeakyReLU(0.1),
            nn.Linear(8, classes),
        )

    def forward(self, volume: Tensor) -> Tensor:
        logits: Tensor = self.head(self.summary(volume))
        return logits

    def summary(self, volume: Tensor) -> Tensor:
        """How much of each look there is, how much of it is sure, and the surest place."""
        shares = self.looks(volume).softmax(dim=1)
        axes = (2, 3, 4)
        amount = (shares.mean(dim=axes) + 1e-4).log()
        sure = (shares.pow(4).mean(dim=axes) + 1e-6).log()
        return torch.cat([amount, sure, shares.amax(dim=axes)], dim=1)
