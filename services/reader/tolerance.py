"""How exact a series must be, as the pipeline definition says it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from shared.pipelines.quantities import number


@dataclass(frozen=True)
class Tolerance:
    """Keys of `input.tolerance` in a definition; these values hold where it is silent."""

    position: float = 0.1
    """mm by which a plane may lie off its place."""
    tilt: float = 0.5
    """Degrees between the planes' normal and the way the table went."""
    max_spacing: float = 10.0
    """mm between neighbouring planes."""
    min_slices: float = 20
    max_voxels: float = 6e8


def parse(texts: Mapping[str, str | float | int]) -> Tolerance:
    """Raises `ValueError` for a key that is no tolerance, or a value that is no quantity."""
    unknown = set(texts) - {field.name for field in fields(Tolerance)}
    if unknown:
        raise ValueError(f"input.tolerance has no {', '.join(sorted(unknown))}")
    return Tolerance(**{name: number(text) for name, text in texts.items()})
