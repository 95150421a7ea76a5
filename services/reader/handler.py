"""Chooses and checks the series of an input set, and builds its volume."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.reader import choice, decision, tolerance
from services.reader.geometry import Geometry
from services.reader.header import text
from services.reader.pixels import Array, OutOfRange, element_type, voxels
from services.reader.planes import Plane, planes_of
from services.reader.stacks import Stack
from services.reader.warnings import warnings as warnings_of
from shared import manifest, selection
from shared.bus.work import Produced, Work
from shared.errors import InputRejected
from shared.events.models import PayloadRef
from shared.imaging import volume
from shared.manifest import InstanceFiles
from shared.store.port import PayloadStore
from shared.telemetry.tracing import span


def handle(work: Work, *, store: PayloadStore) -> Produced:
    """`volume`: the chosen stack in HU; `selection`: which one, why, and from which slices.

    A stack whose pixels turn out not to be readable is passed over for the next best.
    Raises `InputRejected` when no stack is usable.
    """
    rules = choice.parse(work.definition.input.choose)
    tolerances = tolerance.parse(work.definition.input.tolerance)
    with span("choose"):
        received = manifest.read(work.input("manifest"), store)
        files = InstanceFiles(received, store)
        judged = decision.judge(planes_of(received, files), rules, tolerances)
    while judged.usable:
        chosen = judged.usable[0]
        try:
            with span("build"):
                made = _build(chosen, files, store)
        except InputRejected as unreadable:
            judged = judged.without(chosen, tuple(unreadable.reasons))
            continue
        warnings = warnings_of(chosen)
        kept = _selection(chosen, decision.recorded(judged, chosen, rules), warnings)
        return Produced({"volume": made, "selection": selection.keep(kept, store)}, warnings)
    raise judged.rejection()


def _build(stack: Stack, files: InstanceFiles, store: PayloadStore) -> PayloadRef:
    planes, geometry = _ordered(stack)
    dtype = element_type(planes)
    try:
        return _keep(geometry, dtype, voxels(planes, files, dtype), store)
    except OutOfRange:
        wide = np.dtype("<f4")
        return _keep(geometry, wide, voxels(planes, files, wide), store)


def _keep(
    geometry: Geometry, dtype: np.dtype[np.generic], planes: Iterator[Array], store: PayloadStore
) -> PayloadRef:
    """Write plane by plane: the whole volume is never in this process."""
    outline = np.broadcast_to(np.zeros((), dtype), geometry.shape)
    grid = volume.Volume(outline, geometry.spacing, geometry.origin, geometry.direction)

    def parts() -> Iterator[bytes | memoryview]:
        yield volume.encode_header(grid)
        for plane in planes:
            yield np.ascontiguousarray(plane).data

    return store.put_parts(parts(), volume.MEDIA_TYPE)


def _selection(
    stack: Stack, stacks: tuple[selection.Stack, ...], warnings: tuple[str, ...]
) -> selection.Selection:
    planes, geometry = _ordered(stack)
    return selection.Selection(
        stacks=stacks,
        slices=tuple(
            selection.Slice(
                instance=plane.instance,
                sop_instance_uid=plane.source.sop_instance_uid,
                frame=plane.frame,
            )
            for plane in planes
        ),
        geometry=selection.Geometry(
            shape=geometry.shape,
            spacing=geometry.spacing,
            origin=geometry.origin,
            direction=geometry.direction,
            frame_of_reference_uid=text(stack.header, "FrameOfReferenceUID"),
        ),
        warnings=warnings,
    )


def _ordered(stack: Stack) -> tuple[Sequence[Plane], Geometry]:
    """The planes along the normal. A stack without a geometry was refused before."""
    geometry = stack.geometry
    if geometry is None:
        raise ValueError("a stack without a geometry has no order")
    return [stack.planes[index] for index in geometry.order], geometry
