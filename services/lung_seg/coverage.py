"""Whether the scan shows the lungs whole."""

from shared.imaging.volume import Volume

TRUNCATED = "lungs-truncated"


def warnings_of(mask: Volume) -> tuple[str, ...]:
    """`lungs-truncated` when the mask touches an end slice: volumes and ratios are then of a part.

    The mask is (z, y, x), its slices axial.
    """
    cut = mask.array[0].any() or mask.array[-1].any()
    return (TRUNCATED,) if cut else ()
