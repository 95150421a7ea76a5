"""The classifier's head, fitted to what its finished network says of new phantom crops."""

from collections.abc import Iterable

import torch
from torch.nn import functional

from training.batches import Batch
from training.networks import Classifier

_ROUNDS = 800


def fit_head(net: Classifier, batches: Iterable[Batch]) -> None:
    """Fit `net.head` to some batches; the rest of the network stays as it is.

    Labels are smoothed, so that probabilities do not run to 0 and 1.
    """
    with torch.no_grad():
        pairs = [(net.summary(b.volume), shows_covid(b)) for b in batches]
    summaries = torch.cat([summary for summary, _ in pairs])
    covid = torch.cat([label for _, label in pairs])
    net.head.train()
    optimiser = torch.optim.AdamW(net.head.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(_ROUNDS):
        loss = functional.cross_entropy(net.head(summaries), covid, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.head.eval()


def shows_covid(batch: Batch) -> torch.Tensor:
    """1 for each crop (batch,) in which some voxel is mostly COVID-19's opacity."""
    return (batch.target[:, 1].amax(dim=(1, 2, 3)) > 0.5).long()
