"""Why a stack can't be analysed: a table.

The order of `REFUSALS` is the order of precedence in which reasons are told.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from services.reader import images, spacing
from services.reader.geometry import AXIAL_UP_TO
from services.reader.header import integer, text, texts
from services.reader.planes import Plane
from services.reader.stacks import Stack
from services.reader.syntaxes import DECODABLE, NATIVE
from services.reader.tolerance import Tolerance
from shared.errors import Number, Reason

Numbers = dict[str, Number]
Check = Callable[[Stack, Tolerance], Numbers | None]
"""Gives the numbers that show it and the limit, or None where there is nothing to refuse."""


class Nearness(IntEnum):
    """How near a refused stack is to being a usable one: whose reasons to tell."""

    OTHER = 0
    """Something else than a chest CT's slices."""
    REFORMAT = 1
    """Made from slices, which may be there too."""
    SLICES = 2


@dataclass(frozen=True)
class Refusal:
    """One line of the table."""

    code: str
    check: Check | None
    """None for what is judged of the whole input set."""
    nearness: Nearness = Nearness.SLICES


def mixed_patients(planes: Sequence[Plane]) -> Reason | None:
    """Patients are told apart by PatientID, by name where there is no id."""
    sound = (plane.header for plane in planes if not plane.defect)
    patients = {text(each, "PatientID") or text(each, "PatientName") for each in sound}
    return Reason("mixed-patient", {"patients": len(patients)}) if len(patients) > 1 else None


def refusals(stack: Stack, tolerance: Tolerance) -> tuple[Reason, ...]:
    """Every reason why this stack can't be analysed, in order of precedence."""
    found = ((row.code, row.check(stack, tolerance)) for row in REFUSALS if row.check)
    return tuple(Reason(code, shown) for code, shown in found if shown is not None)


def in_precedence(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Most fundamental first."""
    places = {row.code: place for place, row in enumerate(REFUSALS)}
    return tuple(sorted(reasons, key=lambda reason: places[reason.code]))


def nearness(reasons: Sequence[Reason]) -> Nearness:
    """Of a refused stack, by the reason that comes first."""
    return next(row.nearness for row in REFUSALS if row.code == reasons[0].code)


def _count(stack: Stack, odd: Callable[[Plane], bool]) -> Numbers | None:
    slices = sum(map(odd, stack.planes))
    return {"slices": slices, "of": len(stack.planes)} if slices else None


def _corrupt(stack: Stack, _: Tolerance) -> Numbers | None:
    malformed = sum(images.is_malformed(plane) for plane in stack.planes)
    corrupt = stack.corrupt + malformed
    return {"instances": corrupt} if corrupt else None


def _no_image(stack: Stack, _: Tolerance) -> Numbers | None:
    return _count(stack, lambda plane: not images.is_image(plane))


def _not_ct(stack: Stack, _: Tolerance) -> Numbers | None:
    def is_other(plane: Plane) -> bool:
        modality = text(plane.header, "Modality")
        return not plane.defect and (not images.is_ct(plane) or modality not in ("CT", ""))

    return _count(stack, is_other)


def _localizer(stack: Stack, _: Tolerance) -> Numbers | None:
    return _count(stack, lambda plane: "LOCALIZER" in texts(plane.header, "ImageType"))


def _derived(stack: Stack, _: Tolerance) -> Numbers | None:
    return _count(stack, images.is_derived)


def _no_pixel_data(stack: Stack, _: Tolerance) -> Numbers | None:
    def lacks(plane: Plane) -> bool:
        native = plane.source.transfer_syntax_uid in NATIVE
        return not plane.defect and native and plane.source.pixels is None

    return _count(stack, lacks)


def _unsupported(stack: Stack, _: Tolerance) -> Numbers | None:
    def is_unsupported(plane: Plane) -> bool:
        return not plane.defect and plane.source.transfer_syntax_uid not in NATIVE | DECODABLE

    return _count(stack, is_unsupported)


def _no_frame_of_reference(stack: Stack, _: Tolerance) -> Numbers | None:
    return _count(stack, lambda plane: not text(plane.header, "FrameOfReferenceUID"))


def _not_hu(stack: Stack, _: Tolerance) -> Numbers | None:
    return _count(stack, lambda plane: not images.is_in_hu(plane))


def _not_axial(stack: Stack, _: Tolerance) -> Numbers | None:
    geometry = stack.geometry
    if not geometry or geometry.axial:
        return None
    return {"degrees": round(geometry.off_axis, 2), "at_most": AXIAL_UP_TO}


def _gantry_tilt(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    tilt = stack.geometry.tilt if stack.geometry else 0.0
    if tilt <= tolerance.tilt:
        return None
    return {"degrees": round(tilt, 2), "at_most": tolerance.tilt}


def _inconsistent(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    geometry = stack.geometry
    if geometry is None:
        return {"geometry": "absent"}
    frames = {text(plane.header, "FrameOfReferenceUID") for plane in stack.planes}
    found: Numbers = {"frames_of_reference": len(frames)} if len(frames) > 1 else {}
    if geometry.turned > tolerance.tilt:
        found |= {"turned_degrees": round(geometry.turned, 3), "at_most_degrees": tolerance.tilt}
    uneven = spacing.unevenness(geometry.gaps, spacing.step(stack, tolerance))
    off_mm = max(geometry.lateral, geometry.stretched, uneven)
    if off_mm > tolerance.position:
        found |= {"off_mm": round(off_mm, 3), "at_most_mm": tolerance.position}
    return found or None


def _duplicates(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    positions = int((stack.geometry.gaps < tolerance.position).sum()) if stack.geometry else 0
    return {"positions": positions} if positions else None


def _missing(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    found: Numbers = {}
    if stack.geometry:
        slices = spacing.lost(stack.geometry.gaps, spacing.step(stack, tolerance))
        if slices:
            widest = round(float(stack.geometry.gaps.max()), 3)
            found = {"slices": slices, "widest_gap_mm": widest}
    parts = _missing_parts(stack)
    if parts:
        found["concatenation_parts"] = parts
    return found or None


def _missing_parts(stack: Stack) -> int:
    """Parts of concatenations (PS3.3 C.7.6.16.2.2.4) that never came."""
    here: dict[str, set[int]] = {}
    declared: dict[str, int] = {}
    for plane in stack.planes:
        concatenation = text(plane.header, "ConcatenationUID")
        if concatenation:
            here.setdefault(concatenation, set()).add(plane.instance)
            total = integer(plane.header, "InConcatenationTotalNumber")
            declared[concatenation] = max(total, declared.get(concatenation, 0))
    return sum(max(declared[name] - len(parts), 0) for name, parts in here.items())


def _too_wide(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    step = spacing.step(stack, tolerance)
    if step <= tolerance.max_spacing:
        return None
    return {"spacing_mm": round(step, 3), "at_most": tolerance.max_spacing}


def _too_few(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    slices = len(stack.planes)
    if slices >= tolerance.min_slices:
        return None
    return {"slices": slices, "at_least": ceil(tolerance.min_slices)}


def _too_large(stack: Stack, tolerance: Tolerance) -> Numbers | None:
    header = stack.header
    voxels = len(stack.planes) * integer(header, "Rows") * integer(header, "Columns")
    if voxels <= tolerance.max_voxels:
        return None
    return {"voxels": voxels, "at_most": int(tolerance.max_voxels)}


REFUSALS: tuple[Refusal, ...] = (
    Refusal("corrupt-instance", _corrupt),
    Refusal("mixed-patient", None),
    Refusal("no-image", _no_image, Nearness.OTHER),
    Refusal("not-ct", _not_ct, Nearness.OTHER),
    Refusal("localizer", _localizer, Nearness.OTHER),
    Refusal("derived-image", _derived, Nearness.REFORMAT),
    Refusal("no-pixel-data", _no_pixel_data),
    Refusal("unsupported-transfer-syntax", _unsupported),
    Refusal("no-frame-of-reference", _no_frame_of_reference),
    Refusal("not-hu", _not_hu),
    Refusal("not-axial", _not_axial, Nearness.REFORMAT),
    Refusal("gantry-tilt", _gantry_tilt),
    Refusal("inconsistent-geometry", _inconsistent),
    Refusal("duplicate-positions", _duplicates),
    Refusal("missing-slices", _missing),
    Refusal("spacing-too-wide", _too_wide),
    Refusal("too-few-slices", _too_few),
    Refusal("too-large", _too_large),
)


def codes(reasons: Iterable[Reason]) -> str:
    """The codes alone, for people."""
    return ", ".join(reason.code for reason in reasons)
