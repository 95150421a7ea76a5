"""What intensity transforms do to HU, together: a clip and one straight line."""

from dataclasses import dataclass, replace

_CT = (-32768.0, 32767.0)
"""HU that 16 bits can hold: clipping to them changes nothing."""


@dataclass(frozen=True)
class Intensity:
    """HU clipped to `low` … `high`, times `slope`, plus `offset`."""

    slope: float = 1.0
    offset: float = 0.0
    low: float = _CT[0]
    high: float = _CT[1]

    @property
    def clips(self) -> bool:
        return (self.low, self.high) != _CT

    @property
    def range(self) -> tuple[float, float]:
        """What `low` and `high` become."""
        return self.low * self.slope + self.offset, self.high * self.slope + self.offset

    def then_line(self, slope: float, offset: float) -> "Intensity":
        """Followed by another line. Raises `ValueError` for one that does not rise."""
        if slope <= 0:
            raise ValueError("intensities would be inverted")
        return replace(self, slope=self.slope * slope, offset=self.offset * slope + offset)

    def then_clip(self, low: float, high: float) -> "Intensity":
        """Followed by a clip. Raises `ValueError` when nothing lies between."""
        clipped = replace(self, low=max(self.low, self.hu(low)), high=min(self.high, self.hu(high)))
        if clipped.low >= clipped.high:
            raise ValueError("all intensities would be the same")
        return clipped

    def hu(self, value: float) -> float:
        """The HU that become this value."""
        return (value - self.offset) / self.slope

    def reaches(self, value: float) -> bool:
        """Whether any HU become this value."""
        low, high = self.range
        margin = 1e-9 * (high - low)
        return low - margin <= value <= high + margin
