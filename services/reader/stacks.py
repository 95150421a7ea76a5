"""Splits each series into stacks: planes that one reconstruction of one acquisition gave."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.reader.geometry import Floats, Geometry, measure, orientation_of
from services.reader.header import Header, integer, number, numbers, text, texts
from services.reader.planes import Plane

_SAME_ORIENTATION = 10.0
"""Degrees: localizers and reformats differ by more, a broken header's jitter by less."""


@dataclass(frozen=True)
class Stack:
    """Planes of one series that belong together; `corrupt` counts the series' corrupt ones."""

    planes: tuple[Plane, ...]
    corrupt: int = 0

    @property
    def header(self) -> Header:
        return self.planes[0].header

    @property
    def series_instance_uid(self) -> str:
        return text(self.header, "SeriesInstanceUID")

    @property
    def kernel(self) -> str:
        return text(self.header, "ConvolutionKernel")

    @cached_property
    def geometry(self) -> Geometry | None:
        return measure(self.planes)

    @property
    def label(self) -> str:
        """What people see of it: no UIDs, no names."""
        header = self.header
        thickness, series = number(header, "SliceThickness"), number(header, "SeriesNumber")
        acquisition = number(header, "AcquisitionNumber")
        parts = (
            "series without a number" if series is None else f"series {series:.0f}",
            None if acquisition is None else f"acquisition {acquisition:.0f}",
            " ".join(texts(header, "ImageType")[2:3]).lower() or None,
            self.kernel or None,
            None if thickness is None else f"{thickness:g} mm",
        )
        return ", ".join(part for part in parts if part)


def split(planes: Sequence[Plane], min_slices: float) -> tuple[Stack, ...]:
    """All stacks of the input set, by SeriesNumber, then in the order in which planes came."""
    corrupt: dict[str, int] = defaultdict(int)
    for plane in planes:
        corrupt[text(plane.header, "SeriesInstanceUID")] += plane.defect is not None
    orientations: list[Floats] = []
    families: dict[Hashable, list[Plane]] = defaultdict(list)
    for plane in planes:
        families[_family(plane, orientations)].append(plane)
    stacks = [
        Stack(tuple(members), corrupt[text(members[0].header, "SeriesInstanceUID")])
        for family in families.values()
        for members in _by_acquisition(family, min_slices)
    ]
    return tuple(sorted(stacks, key=lambda stack: number(stack.header, "SeriesNumber") or 0.0))


def _family(plane: Plane, orientations: list[Floats]) -> Hashable:
    header = plane.header
    return (
        text(header, "SeriesInstanceUID"),
        plane.source.sop_class_uid,
        _orientation(plane, orientations),
        texts(header, "ImageType"),
        text(header, "ConvolutionKernel"),
        number(header, "SliceThickness"),
        integer(header, "Rows"),
        integer(header, "Columns"),
    )


def _orientation(plane: Plane, seen: list[Floats]) -> int:
    """The number of the orientation seen before that this one is about the same as."""
    axes = orientation_of(plane)
    if axes is None:
        return -1
    for index, other in enumerate(seen):
        if np.einsum("ij,ij->i", axes, other).min() >= np.cos(np.radians(_SAME_ORIENTATION)):
            return index
    seen.append(axes)
    return len(seen) - 1


def _by_acquisition(family: Sequence[Plane], min_slices: float) -> list[list[Plane]]:
    """Acquisitions apart, except those of a sequential scan, which numbers each table position.

    There none is a volume of its own, and no two are at the same place.
    """
    groups: dict[float | None, list[Plane]] = defaultdict(list)
    for plane in family:
        groups[number(plane.header, "AcquisitionNumber")].append(plane)
    if len(groups) == 1 or max(map(len, groups.values())) >= min_slices:
        return list(groups.values())
    places = [numbers(plane.header, "ImagePositionPatient", 3) for plane in family]
    return [list(family)] if len(set(places)) == len(places) else list(groups.values())
