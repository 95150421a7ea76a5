"""The study that the demo sends: an invented patient with COVID-19, another one each time."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from phantom import Recipe, draw
from phantom.dicom import series, write
from shared.identity import case_id

_PIPELINE, _GROUP = "covid19-ct", "study"
_UNSENT = "unsent"
_WIDTH_MM, _SIZE = 380.0, 256
CHEST = Recipe(
    shape=(64, _SIZE, _SIZE),
    spacing=(5.0, round(_WIDTH_MM / _SIZE, 4), round(_WIDTH_MM / _SIZE, 4)),
    lesions=12,
    scale=0.92,
    blanket=True,
)
"""A whole adult chest with COVID-19."""


@dataclass(frozen=True)
class Study:
    """A study on this machine, and the case that it becomes."""

    folder: Path
    patient: str
    images: int
    case_id: str


def next_study(folder: Path, recipe: Recipe = CHEST) -> Study:
    """Draw the next patient below `folder`; `keep` the study once it is sent.

    The first demo of every home shows the same patient, the second the next: a study that was
    sent before would rightly make no second job.
    """
    folder.mkdir(exist_ok=True)
    own = folder / _UNSENT
    shutil.rmtree(own, ignore_errors=True)
    seed = _kept(folder)
    datasets = series(draw(replace(recipe, seed=seed)))
    write(datasets, own)
    return Study(
        folder=own,
        patient=str(datasets[0].PatientName),
        images=len(datasets),
        case_id=case_id(_PIPELINE, str(datasets[0].StudyInstanceUID), _GROUP),
    )


def keep(study: Study) -> Study:
    """Give a study that was sent a number of its own, so that the next is another."""
    folder = study.folder.parent
    return replace(study, folder=study.folder.rename(folder / f"{_kept(folder) + 1:04d}"))


def _kept(folder: Path) -> int:
    return sum(each.name != _UNSENT for each in folder.iterdir())
