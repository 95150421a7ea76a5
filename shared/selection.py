"""The selection: which stack of the input set was analysed, and why each other one was not.

It is a payload, so it may name UIDs of the source; nothing of it goes on the bus but its
reference. The reader writes it, writers take the order of the slices from it, results shows
`stacks` to people.
"""

from shared.events.models import Model, PayloadRef
from shared.imaging.volume import Matrix, Vector
from shared.store.port import PayloadStore

MEDIA_TYPE = "application/json"


class Stack(Model):
    """Slices of one series that share orientation, acquisition, kind, kernel and matrix."""

    stack: str
    """A label for people: `series 3, acquisition 1, B30f, 5 mm`; no UIDs."""
    series_instance_uid: str
    slices: int
    chosen: bool
    reason: str
    """Why it was chosen or passed over: a refusal's code, or the rule that it lost by."""


class Slice(Model):
    """Where one plane of the volume comes from; the planes are listed along +z of the grid."""

    instance: int
    """Index into `Manifest.instances`."""
    sop_instance_uid: str
    frame: int | None = None
    """Frame number from 1 (PS3.3 C.7.6.6), or None in a single-frame instance."""


class Geometry(Model):
    """The volume's grid, in DICOM's LPS; spacing (x, y, z) in mm, shape (z, y, x).

    `direction` is the row-major 3×3 matrix whose columns are the directions of x, y and z.
    """

    shape: tuple[int, int, int]
    spacing: Vector
    origin: Vector
    direction: Matrix
    frame_of_reference_uid: str


class Selection(Model):
    """What the reader decided."""

    stacks: tuple[Stack, ...]
    slices: tuple[Slice, ...]
    geometry: Geometry
    warnings: tuple[str, ...] = ()


def keep(selection: Selection, store: PayloadStore) -> PayloadRef:
    """Write the payload."""
    return store.put(selection.model_dump_json().encode(), MEDIA_TYPE)


def read(ref: PayloadRef, store: PayloadStore) -> Selection:
    """Read what `keep` wrote."""
    return Selection.model_validate_json(store.get(ref))
