"""What the labels of a mask mean, in the codes of the standard (PS3.16, CID 7150 and below)."""

from dataclasses import dataclass

from highdicom.color import CIELabColor
from pydicom.sr.coding import Code

_ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical structure")
_ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically abnormal structure")
_LUNG = Code("39607008", "SCT", "Lung")
_LESION = Code("52988006", "SCT", "Lesion")
_LEFT = Code("7771000", "SCT", "Left")
_RIGHT = Code("24028007", "SCT", "Right")


@dataclass(frozen=True)
class Coding:
    """How one label is written in a DICOM SEG; `colour` is CIELab, for viewers that follow it."""

    category: Code
    type: Code
    colour: tuple[float, float, float]
    modifier: Code | None = None
    region: Code | None = None

    @property
    def display_colour(self) -> CIELabColor:
        return CIELabColor(*self.colour)


CODINGS = {
    "left lung": Coding(_ANATOMICAL_STRUCTURE, _LUNG, (70.0, -20.0, -32.0), modifier=_LEFT),
    "right lung": Coding(_ANATOMICAL_STRUCTURE, _LUNG, (76.0, -38.0, 18.0), modifier=_RIGHT),
    "lesion": Coding(_ABNORMAL_STRUCTURE, _LESION, (62.0, 48.0, 52.0), region=_LUNG),
}
"""By the label's name, as the stage that made the mask declares it."""


def coding_of(label: str) -> Coding:
    """The coding of a label. Raises `ValueError` for one that has none: it can't be sent."""
    try:
        return CODINGS[label]
    except KeyError:
        known = ", ".join(CODINGS)
        raise ValueError(f"no DICOM coding for the label {label!r}; known are {known}") from None
