"""What is sent: one small chest, each time somebody else's, by a sender that does not give up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from phantom.dicom import Identity, series, uid
from phantom.studies import SLAB, drawn
from tests.chaos.poison import MARKER
from tests.e2e import sending
from tests.e2e.system import LONG, NIGHT

_AGAIN_S = 1.0
_ANSWER_S = 10.0
"""For a status, so that the sender comes again within the quiet time. pynetdicom may lose one: its
own thread can take an answer out of the queue before the caller looks."""
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class Study:
    """A study to send; `poison` is what it does to the reader, empty where it does nothing."""

    number: int
    poison: str
    seed: int

    @property
    def uid(self) -> str:
        """StudyInstanceUID."""
        return str(uid(self.seed, "study"))

    @property
    def called(self) -> str:
        """The AE title: every fifth study is bulk."""
        return LONG if self.number % 5 else NIGHT

    @property
    def datasets(self) -> list[Dataset]:
        """The same bytes each time."""
        made = series(drawn(SLAB), Identity.of(self.seed))
        for dataset in made if self.poison else ():
            dataset.StudyDescription = f"{MARKER}{self.poison}"
        return made


def send_until_stored(port: int, datasets: Sequence[Dataset], called: str = LONG) -> int:
    """Send as a PACS does: what was not answered with Success is sent again.

    Gives the number of associations. Raises `TimeoutError` when something is never stored.
    """
    waiting, associations = list(datasets), 0
    deadline = time.monotonic() + _PATIENCE_S
    while waiting:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(waiting)} of {len(datasets)} instances are not stored")
        if associations:
            time.sleep(_AGAIN_S)
        waiting = _not_stored(port, waiting, called)
        associations += 1
    return associations


def _not_stored(port: int, datasets: list[Dataset], called: str) -> list[Dataset]:
    """What is left after one association, which may break off."""
    try:
        association = sending.associate(port, called, datasets)
    except (ConnectionError, AttributeError):  # nobody listens, or not any more
        return datasets
    association.dimse_timeout = _ANSWER_S
    left = []
    for dataset in datasets:
        answer = association.send_c_store(dataset) if association.is_established else Dataset()
        if answer.get("Status") != 0:
            left.append(dataset)
    if left:
        association.abort()  # a release would say that this was all of the study
    elif association.is_established:
        association.release()
    return left
