"""What a single plane's header says it is."""

from services.reader.header import integer, number, text, texts
from services.reader.planes import CT_IMAGE, MULTI_FRAME_CT, Plane
from services.reader.syntaxes import LOSSY, PERHAPS_LOSSY

_REFORMATTED = frozenset(
    (
        *("MPR", "MIP", "MINIP", "MAX_IP", "MIN_IP", "MEAN_IP", "REFORMATTED", "CURVED", "VRT"),
        *("SSD", "3D", "PROJECTION", "PROJECTION IMAGE", "PERFUSION", "SUBTRACTION"),
        *("RESAMPLED", "CSA MPR", "CSA RESAMPLED"),
    )
)
"""Words of ImageType that vendors and PS3.3 C.8.15.2 give to what was made from slices."""


def is_ct(plane: Plane) -> bool:
    """By SOP class."""
    return plane.source.sop_class_uid in MULTI_FRAME_CT | {CT_IMAGE}


def is_image(plane: Plane) -> bool:
    """Images have a matrix; a CT that lost its matrix is still meant to be one."""
    return is_ct(plane) or "Rows" in plane.header or plane.source.pixels is not None


def is_malformed(plane: Plane) -> bool:
    """Pixel data that the description of its matrix can't be true of."""
    header, source = plane.header, plane.source
    if plane.defect or source.pixels is None:
        return False
    rows, columns = integer(header, "Rows"), integer(header, "Columns")
    allocated, stored = integer(header, "BitsAllocated"), integer(header, "BitsStored")
    high = integer(header, "HighBit")
    frames, samples = integer(header, "NumberOfFrames"), integer(header, "SamplesPerPixel")
    needed = rows * columns * max(frames, 1) * max(samples, 1) * allocated // 8
    single = source.sop_class_uid == CT_IMAGE
    return (
        min(rows, columns) <= 0
        or allocated not in (8, 16, 32)
        or not 0 < stored <= high + 1 <= allocated
        or integer(header, "PixelRepresentation") not in (0, 1)
        or source.pixels.length < needed
        or (single and frames > 1)
    )


def is_derived(plane: Plane) -> bool:
    """Lossy compression makes an image DERIVED too (PS3.3 C.7.6.1.1.2), and a CT no reformat."""
    kind = texts(plane.header, "ImageType")
    if not _REFORMATTED.isdisjoint(kind):
        return True
    compressed = is_lossy(plane) and kind[1:2] == ("PRIMARY",)
    return kind[:1] == ("DERIVED",) and not compressed


def is_in_hu(plane: Plane) -> bool:
    """RescaleType may be absent, as HU is what a CT's rescale gives then (PS3.3 C.8.2.1)."""
    header = plane.header
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    grey = text(header, "PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2", "")
    declared = text(header, "RescaleType") in ("HU", "")
    return bool(slope) and intercept is not None and declared and grey


def is_lossy(plane: Plane) -> bool:
    """Where the header is silent, a syntax that allows loss counts as lossy."""
    declared, syntax = text(plane.header, "LossyImageCompression"), plane.source.transfer_syntax_uid
    return declared == "01" or syntax in LOSSY or (not declared and syntax in PERHAPS_LOSSY)
