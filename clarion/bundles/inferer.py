"""How a bundle passes a volume through its network: whole, or window by window."""

from collections.abc import Sequence
from dataclasses import dataclass

from clarion.bundles.component import Component, Triple

_SPEED = ("sw_batch_size", "sw_device", "device", "progress", "cache_roi_weight_map")
_BUFFERS = ("cpu_thresh", "buffer_steps", "buffer_dim", "with_coord")


@dataclass(frozen=True)
class Inferer:
    """`window` and `overlap` are (x, y, z), as in the bundle; without a window, the whole.

    `outside` is what a volume smaller than the window is padded with, as the network sees it.
    """

    window: tuple[int, int, int] | None = None
    overlap: Triple = (0.25, 0.25, 0.25)
    blend: str = "constant"
    sigma: float = 0.125
    outside: float = 0.0


def read(section: Sequence[Component]) -> Inferer:
    """Raises `Refused`."""
    if not section:
        return Inferer()
    (inferer,) = section[:1]
    if len(section) > 1 or inferer.name not in {"SimpleInferer", "SlidingWindowInferer"}:
        raise inferer.refused(
            "inferer-not-expressible",
            "the pipeline knows no such way",
            "use SimpleInferer or SlidingWindowInferer",
        )
    if inferer.name == "SimpleInferer":
        inferer.finish()
        return Inferer()
    return _sliding(inferer)


def _sliding(inferer: Component) -> Inferer:
    window = inferer.triple("roi_size")
    if min(window) <= 0 or any(each % 1 for each in window):
        raise inferer.refused(
            "not-expressible", f"roi_size is {window}", "give a whole number for each axis"
        )
    overlap = inferer.triple("overlap", 0.25)
    if not all(0 <= each < 1 for each in overlap):
        raise inferer.refused("bad-argument", f"overlap is {overlap}", "it must lie in [0, 1)")
    blend = inferer.take("mode", "constant")
    if blend not in ("constant", "gaussian"):
        raise inferer.refused("not-expressible", f"mode is {blend!r}", "constant or gaussian")
    padding = ("constant", None)
    inferer.only("padding_mode", padding, "constant", "only padding with a constant is expressed")
    inferer.only("roi_weight_map", (None,), None, "leave it out")
    sigma, outside = inferer.number("sigma_scale", 0.125), inferer.number("cval", 0.0)
    inferer.ignore(*_SPEED, *_BUFFERS)
    inferer.finish()
    x, y, z = (int(each) for each in window)
    return Inferer((x, y, z), overlap, blend, sigma, outside)


def parameters(inferer: Inferer) -> dict[str, str]:
    """The window as a model tells it, in (z, y, x)."""
    if inferer.window is None:
        return {}
    return {
        "window": " ".join(str(each) for each in reversed(inferer.window)),
        "overlap": " ".join(f"{each:g}" for each in reversed(inferer.overlap)),
        "blend": inferer.blend,
        "blend_sigma": f"{inferer.sigma:g}",
    }
