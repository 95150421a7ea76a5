"""Any segmentation model, run by its parameters: a CT in, a mask on exactly the CT's grid out."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from shared.events.models import Lane
from shared.imaging import border
from shared.imaging.model_parameters import (
    BadModel,
    ModelParameters,
    SegmentationParameters,
    read_parameters,
)
from shared.imaging.postprocess import keep_largest_parts, keep_whole_parts
from shared.imaging.resample import (
    Box,
    Grid,
    at_spacing,
    at_spacing_from_centre,
    bounding_box,
    cropped,
    grid_of,
    image_on,
    oriented,
    resampled,
    sampled,
    slabs,
)
from shared.imaging.tiles import Network, slid, tiled
from shared.imaging.volume import Volume
from shared.inference.port import Inference
from shared.telemetry.tracing import span

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Coarse:
    """The probability of each label, background left out: (labels, z, y, x) on its grid."""

    probabilities: Array
    values: tuple[int, ...]
    grid: Grid


@dataclass(frozen=True)
class Prepared:
    """The CT as a model is shown it: HU (z, y, x) on the model's grid, not scaled yet."""

    hu: Array
    grid: Grid


def segment(volume: Volume, model: str, inference: Inference, lane: Lane = Lane.ROUTINE) -> Volume:
    """The mask (uint8, z, y, x) of a CT (HU).

    Raises `BadModel` for parameters that don't describe what the model gives, and what
    `Inference` raises.
    """
    parameters = read_parameters(SegmentationParameters, model, inference.parameters(model))
    return segment_prepared(prepare(volume, parameters), volume, model, parameters, inference, lane)


def prepare(volume: Volume, parameters: SegmentationParameters) -> Prepared:
    """The CT at the spacing and orientation that a model wants."""
    with span("prepare"):
        image = oriented(volume, parameters.orientation)
        grid = _model_grid(grid_of(image), parameters)
        hu = resampled(clipped(image, parameters), grid, parameters.sampling)
        return Prepared(hu, grid)


def _model_grid(grid: Grid, parameters: SegmentationParameters) -> Grid:
    if parameters.grid == "centres":
        return at_spacing_from_centre(grid, parameters.spacing_mm)
    return at_spacing(grid, parameters.spacing_mm)


def segment_prepared(
    prepared: Prepared,
    volume: Volume,
    model: str,
    parameters: SegmentationParameters,
    inference: Inference,
    lane: Lane,
) -> Volume:
    """The mask on the grid of `volume`. What lies between voxels of the model is interpolated as
    probability and cut afterwards, so that edges are as smooth as the model is sure.
    """

    def network(tile: Array) -> Array:
        return _answer(tile, model, parameters, inference, lane)

    output = as_probabilities(_in_pieces(network, prepared.hu, parameters), parameters)
    with span("restore"):
        found = _without_background(output, prepared.grid, model, parameters)
        coarse = _improved(found, parameters)
        return volume.like(
            _at_border(_restored(coarse, grid_of(volume), parameters), volume, parameters)
        )


def _in_pieces(network: Network, hu: Array, parameters: SegmentationParameters) -> Array:
    image = scaled(hu, parameters)
    pad = float(scaled(np.float32(parameters.pad_value), parameters))
    if parameters.sliding:
        return slid(network, image, pad, parameters.sliding)
    return tiled(network, image, pad, parameters.pad_multiple, parameters.max_tile)


def clipped(volume: Volume, parameters: ModelParameters) -> Volume:
    """The volume, clipped (HU) where the model wants that before resampling."""
    if not parameters.clip_first:
        return volume
    low, high = parameters.intensity_window
    return volume.like(np.clip(volume.array, low, high).astype(np.float32))


def scaled(hu: NDArray[np.float32] | np.float32, parameters: ModelParameters) -> Array:
    """Intensities (HU) as the model wants them."""
    low, high = parameters.intensity_window
    first, last = parameters.intensity_range
    share = (np.clip(hu, low, high) - low) / (high - low)
    return np.asarray(share * (last - first) + first, dtype=np.float32)


def ask(
    tensor: Array, model: str, parameters: ModelParameters, inference: Inference, lane: Lane
) -> Array:
    """The probabilities (channels, …) that a model of one input channel gives for one image."""
    return as_probabilities(_answer(tensor, model, parameters, inference, lane), parameters)


def _answer(
    tensor: Array, model: str, parameters: ModelParameters, inference: Inference, lane: Lane
) -> Array:
    name = parameters.output_tensor
    answer = inference.infer(model, {parameters.input_tensor: tensor[None, None]}, (name,), lane)
    return np.asarray(answer[name][0], dtype=np.float32)


def as_probabilities(output: Array, parameters: ModelParameters) -> Array:
    """Logits are blended as logits, as MONAI does, and become probabilities afterwards."""
    if parameters.output == "probabilities":
        return output
    if parameters.activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-output)), dtype=np.float32)
    powers = np.exp(output - output.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), dtype=np.float32)


def _without_background(
    output: Array, grid: Grid, model: str, parameters: SegmentationParameters
) -> _Coarse:
    """The channels of the labels; a model need not give one to the background, label 0."""
    for values in (sorted(parameters.labels), sorted(parameters.foreground)):
        if len(values) == len(output):
            channels = [channel for channel, value in enumerate(values) if value]
            return _Coarse(output[channels], tuple(sorted(parameters.foreground)), grid)
    raise BadModel(f"model {model}: {len(output)} channels for labels {parameters.labels}")


def _improved(coarse: _Coarse, parameters: SegmentationParameters) -> _Coarse:
    if not parameters.postprocess:
        return coarse
    probabilities = keep_whole_parts(
        coarse.probabilities,
        _winners(list(coarse.probabilities), parameters),
        "largest-component-per-label" in parameters.postprocess,
        "fill-holes" in parameters.postprocess,
    )
    return _Coarse(probabilities, coarse.values, coarse.grid)


def _winners(probabilities: list[Array], parameters: SegmentationParameters) -> NDArray[np.uint8]:
    """Numbers from 1 the label that wins each voxel, 0 where none does.

    With softmax a label has to beat the background, which is what the labels leave of 1, and
    each other; with sigmoid it has to pass the threshold.
    """
    if parameters.activation == "softmax":
        best = 1 - probabilities[0]
        for probability in probabilities[1:]:
            best -= probability
    else:
        best = np.full(probabilities[0].shape, _threshold(parameters), np.float32)
    winners = np.zeros(best.shape, np.uint8)
    for number, probability in enumerate(probabilities, start=1):
        won = probability > best
        winners[won] = number
        np.maximum(best, probability, out=best)
    return winners


def _threshold(parameters: SegmentationParameters) -> float:
    return 0.5 if parameters.threshold is None else parameters.threshold


def _restored(coarse: _Coarse, fine: Grid, parameters: SegmentationParameters) -> NDArray[np.uint8]:
    """The labels on the CT's grid, slab by slab, where there can be any."""
    mask = np.zeros(fine.size[::-1], np.uint8)
    least = _least(coarse, parameters)
    box = _reach(coarse.probabilities.max(axis=0) >= least, coarse.grid, fine)
    if box is None:
        return mask
    images = [image_on(probability, coarse.grid) for probability in coarse.probabilities]
    reaches = [_reach(each > 0, coarse.grid, fine) for each in coarse.probabilities]
    values = np.array([0, *coarse.values], dtype=np.uint8)
    for slab in slabs(box):
        finer = [
            _sampled_within(reach, image, fine, slab)
            for image, reach in zip(images, reaches, strict=True)
        ]
        mask[slab] = values[_winners(finer, parameters)]
    if "largest-component-of-mask" in parameters.postprocess:
        mask[box] = keep_largest_parts(mask[box])
    return mask


def _at_border(
    mask: NDArray[np.uint8], volume: Volume, parameters: SegmentationParameters
) -> NDArray[np.uint8]:
    """What half a voxel of the model can be wrong by, where the model's label ends in air."""
    if parameters.border_hu is None:
        return mask
    reach_mm = max(parameters.spacing_mm) / 2
    return border.put_at(mask, volume.array, volume.spacing, parameters.border_hu, reach_mm)


def _least(coarse: _Coarse, parameters: SegmentationParameters) -> float:
    """The probability below which no label wins."""
    if parameters.activation == "softmax":
        return 1 / (len(coarse.values) + 1)
    return _threshold(parameters)


def _sampled_within(reach: Box | None, image: sitk.Image, fine: Grid, slab: Box) -> Array:
    """The image on a slab of the fine grid; outside of its reach it is 0, which costs nothing."""
    shared = _overlap(slab, reach) if reach else None
    if shared == slab:
        return sampled(image, cropped(fine, slab))
    found = np.zeros([part.stop - part.start for part in slab], np.float32)
    if shared:
        inside = tuple(
            slice(part.start - own.start, part.stop - own.start)
            for part, own in zip(shared, slab, strict=True)
        )
        found[inside] = sampled(image, cropped(fine, shared))
    return found


def _overlap(one: Box, other: Box) -> Box | None:
    z, y, x = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return (z, y, x) if all(part.start < part.stop for part in (z, y, x)) else None


def _reach(where: NDArray[np.bool_], coarse: Grid, fine: Grid) -> Box | None:
    """The box of the fine grid outside of which interpolation sees no voxel of the mask `where`."""
    # A voxel wider: interpolation reaches from one voxel's centre to the next's.
    box = bounding_box(where)
    if box is None:
        return None
    corners = np.array(
        [[part.start - 1.0 for part in reversed(box)], [float(part.stop) for part in reversed(box)]]
    )
    places = np.array([coarse.point(corner) for corner in corners])
    indices = (places - np.asarray(fine.origin)) @ fine.axes / np.asarray(fine.spacing)
    first = np.clip(np.floor(indices.min(axis=0)) - 1, 0, fine.size).astype(int)
    last = np.clip(np.ceil(indices.max(axis=0)) + 2, 0, fine.size).astype(int)
    x, y, z = (slice(int(start), int(stop)) for start, stop in zip(first, last, strict=True))
    return z, y, x
