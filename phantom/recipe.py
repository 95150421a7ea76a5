"""What a phantom is to show: every knob of a procedural chest CT, in millimetres and HU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from phantom.chance import Kind, knobs


@dataclass(frozen=True)
class Recipe:
    """One chest CT. The same recipe gives the same voxels; the seed decides what it leaves open.

    All lengths are millimetres of the patient, so one seed shows the same anatomy at any spacing;
    noise, texture and the ragged borders of lesions do depend on the grid.
    """

    seed: int = 0
    shape: tuple[int, int, int] = (64, 256, 256)
    """Voxels (z, y, x); z runs to the head, y to the back, x to the patient's left."""
    spacing: tuple[float, float, float] = (5.0, 1.5, 1.5)
    """Distance of voxel centres (z, y, x) in mm."""

    kind: Kind = "covid"
    """What the patient has; the knobs of disease below may add to it."""
    lesions: int = 6
    """How many opacities (covid) or tumours; 0 shows none of them whatever the kind."""
    density: float = 0.4
    """Share of the covid opacities that are consolidated instead of ground glass, 0 to 1."""
    faintness: float = 0.2
    """0: ground glass is dense; 1: it hardly differs from healthy lung."""
    paving: float = 0.0
    """Share of the ground glass that is crazy paving, crossed by a net of thicker septa."""
    diffuse: float = 0.0
    """Share of the lungs that covid fills beside its patches, in clouds without a border."""

    scale: float = 1.0
    """Size of the skeleton; 1 is an adult of medium height."""
    barrel: float = 1.0
    """Depth of the chest against that of a usual one: more in emphysema."""
    kyphosis: float = 0.0
    """How far the upper chest bends forward, mm at 15 cm from its middle."""
    breath: float = 1.0
    """Height of the lungs against that after breathing in."""
    raised: float = 0.0
    """How much higher than usual the left dome of the diaphragm stands (the right, if < 0), mm."""
    heart: float = 1.0
    """Size of the heart against a usual one."""
    fat: float = 18.0
    """Thickness of the fat under the skin, mm."""
    lung_hu: float = -850.0
    """Density of healthy lung halfway between front and back."""
    vessels: float = 1.0
    """Calibre of the lungs' vessels against usual ones."""
    contrast: float = 0.0
    """What a contrast agent adds to blood, HU."""
    arms: Literal["up", "down"] = "up"
    """Where the arms are. Raised ones are in the image beside neck and head only."""
    breasts: bool = False
    """Whether breasts are drawn."""
    gas: float = 0.4
    """How much gas stomach and bowel hold, 0 to 1."""
    interposed: bool = False
    """Whether colon with gas lies between liver and right dome."""
    metal: Literal["none", "pacemaker", "port", "wires"] = "none"
    """Metal in the chest wall, with its leads and streaks; wires close a sternum."""

    emphysema: float = 0.0
    """Share of the lung that is destroyed, 0 to 1."""
    nodules: int = 0
    """How many small round nodules (3 to 12 mm) there are, whatever the kind."""
    mosaic: float = 12.0
    """How unevenly the lung is aired: deviation in HU over patches of a centimetre."""
    dependent: float = 0.0
    """What badly aired lung adds next to the pleura at the back, HU."""
    bands: int = 0
    """How many platelike atelectases cross the lungs' bases."""
    collapse: float = 0.0
    """How far atelectasis reaches up from the diaphragm at the back, mm."""
    effusion: tuple[float, float] = (0.0, 0.0)
    """How thick the pleural fluid is where it is deepest, left and right, mm."""
    oedema: float = 0.0
    """What cardiogenic oedema adds around the hila, HU."""
    septa: float = 0.0
    """What thickened septa add, HU."""
    scars: float = 0.0
    """Scars at the apices: their thickness under the pleura, mm."""
    fibrosis: float = 0.0
    """Fibrosis at the bases: how far its net reaches from the pleura, mm."""
    heartbeat: float = 0.0
    """How far the heart's border moves during the scan, mm."""
    breathing: float = 0.0
    """How far the diaphragm moves during the scan, mm."""

    roll: float = 0.0
    """Turn of the patient about the long axis, degrees."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Where the body's axis lies in the image (y, x), mm from the centre."""
    level: float = 0.0
    """How far the scan is shifted to the head against one that is centred on the lungs, mm."""
    table: bool = True
    """Whether the table is in the image."""
    blanket: bool = False
    """Whether a blanket covers the patient's front."""
    padding: int | None = None
    """Value outside the scanner's circle of reconstruction; None when that is measured too."""

    noise: float = 12.0
    """Standard deviation of the noise, HU."""
    kernel: Literal["soft", "sharp"] = "soft"
    """Whether the reconstruction blurs, or exaggerates edges."""
    blur: float = 0.75
    """Standard deviation of a soft kernel, mm."""
    overshoot: float = 0.8
    """How much a sharp kernel exaggerates edges."""
    slice_thickness: float = 0.0
    """Thickness of the slices before they were put on this grid, mm; 0: as the grid's."""

    @property
    def covid(self) -> bool:
        """Whether COVID-19 is drawn; `Phantom.covid` says whether the image shows it."""
        return self.kind == "covid" and (self.lesions > 0 or self.diffuse > 0)

    def healthy(self) -> Self:
        """The same patient without any lesion."""
        return replace(self, kind="healthy", lesions=0, diffuse=0.0)

    @classmethod
    def random(
        cls,
        seed: int,
        spacing: tuple[float, float, float] = (4.0, 4.0, 4.0),
        shape: tuple[int, int, int] = (80, 96, 96),
    ) -> Self:
        """A recipe that varies everything, for training: nearly half of them are of COVID-19."""
        return cls(seed=seed, shape=shape, spacing=spacing, **knobs(seed, shape[0] * spacing[0]))
