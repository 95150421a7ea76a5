"""Draws one patient whole: the CT in HU and the truth that belongs to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.otherphantom.chest import branches, chest_of, lay_mediastinum
from training.otherphantom.disease import add_nodules, infect, lung_tissue
from training.otherphantom.frame import dome, frame_of, lay, lay_abdomen, lay_bones, lay_wall
from training.otherphantom.patient import LEFT, RIGHT, Kind, body_of, patient_of
from training.otherphantom.scan import lay_table, scanned


@dataclass(frozen=True)
class Drawn:
    """Arrays are (z, y, x): to the head, to the back, to the patient's left."""

    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8]
    """1 the left lung, 2 the right, lesions and vessels included, central airways not."""
    lesions: NDArray[np.uint8]
    kind: Kind

    @property
    def covid(self) -> bool:
        """Whether COVID-19 is to be seen."""
        return self.kind == "covid" and bool(self.lesions.any())


def draw(seed: int, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Drawn:
    """The same seed gives the same voxels. Shape and spacing (mm) are (z, y, x)."""
    rng = np.random.default_rng([seed, 77])
    patient = patient_of(rng)
    body = body_of(patient, shape, spacing, rng)
    frame = frame_of(body, patient, rng)
    above = dome(body, patient, rng)
    chest = chest_of(body, patient, frame, above, rng)
    hu = np.full(shape, -1000, np.float32)
    behind = patient.scale * (90 + 28) + patient.fat + float(rng.uniform(4, 12))
    lay_table(hu, behind, body, rng)
    lay_wall(hu, body, patient, frame, rng)
    lay_mediastinum(hu, body, patient, frame, chest, rng)
    lay_abdomen(hu, body, patient, body.cover(-above) * body.cover(frame.cage - 1), rng)
    lay_bones(hu, body, patient, frame, rng)
    left, right = chest.left > 0, chest.right > chest.left
    lungs = np.where(left & ~right, LEFT, np.where(chest.right > 0, RIGHT, 0)).astype(np.uint8)
    inside = lungs > 0
    tissue = lung_tissue(body, patient, rng)
    lesions = infect(tissue, inside, body, rng) if patient.kind == "covid" else inside & False
    if patient.kind == "nodules":
        add_nodules(tissue, inside, body, rng)
    for value, sign in ((LEFT, 1.0), (RIGHT, -1.0)):
        vessels = branches(body, patient, lungs == value, sign, rng)
        share = body.cover(vessels) * np.clip((vessels + 3.2) / 4.0, 0, 1)
        tissue += share * np.maximum(40 + patient.contrast - tissue, 0)
    lay(hu, body.cover(np.maximum(chest.left, chest.right)), tissue)
    stored = scanned(hu, body, patient, frame.skin, rng)
    return Drawn(stored, lungs, lesions.astype(np.uint8), patient.kind)
