"""Two small 3D networks: a U-Net for segmentation, a convolutional classifier.

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

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        self.stem = nn.Sequential(_block(1, channels[0]), _block(channels[0], channels[0]))
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
    """Strided convolutions, then mean and maximum over the volume side by side.

    The mean sees how much of the lung is changed, the maximum that something is there at all.
    """

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        pairs = zip((1, *channels[:-1]), channels, strict=True)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(_block(fine, coarse, stride=2), _block(coarse, coarse))
                for fine, coarse in pairs
            )
        )
        self.head = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(2 * channels[-1], channels[-1]),
            nn.LeakyReLU(0.1),
            nn.Linear(channels[-1], classes),
        )

    def forward(self, volume: Tensor) -> Tensor:
        features = self.stages(volume)
        pooled = torch.cat([features.mean(dim=(2, 3, 4)), features.amax(dim=(2, 3, 4))], dim=1)
        logits: Tensor = self.head(pooled)
        return logits
