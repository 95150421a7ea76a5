"""Which presentation contexts ingest offers, and in which order it chooses syntaxes.

pynetdicom takes the first syntax of the acceptor's list that the requestor proposes too, so
the order here is the order of preference: lossless before lossy.
"""

from collections.abc import Iterator
from typing import Any

from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    Verification,
)

LOSSLESS: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    JPEGLosslessSV1,
    JPEGLossless,
    RLELossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000MCLossless,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
_ROOT = "1.2.840.10008.1.2"
NEWER = tuple(UID(f"{_ROOT}.{last}") for last in ("1.98", "4.110", "4.111", "4.112", "8.1"))
"""Encapsulated uncompressed, JPEG XL and deflated frames, which pydicom does not name."""
NO_FILES = tuple(UID(f"{_ROOT}.{last}") for last in ("4.204", "4.205", "7.1", "7.2", "7.3"))
"""Of pixels by reference (JPIP), and of video in real time (SMPTE ST 2110)."""
RETIRED = tuple(UID(f"{_ROOT}.4.{process}") for process in (*range(52, 57), *range(58, 67)))
"""Of JPEG: an archive may still hold them."""
PREFERENCE = (
    *LOSSLESS,
    *(each for each in AllTransferSyntaxes if each not in LOSSLESS and each not in NO_FILES),
    *NEWER,
    *RETIRED,
)
"""All of PS3.6 (table A-1) in which files hold pixels."""


class Contexts(list[PresentationContext]):
    """The contexts of a server, which are never changed: copying them for every association,
    as pynetdicom does, costs 50 ms, and many senders open an association for each image."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Contexts":
        return self


def supported_contexts() -> Contexts:
    """Verification, commitment reports, and every storage SOP class in every syntax of PS3.6."""
    return Contexts(_contexts())


def _contexts() -> Iterator[PresentationContext]:
    yield build_context(Verification, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    reports = build_context(
        StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    )
    reports.scu_role = reports.scp_role = True  # who reports is the SCP (PS3.4 J.3.3)
    yield reports
    for context in AllStoragePresentationContexts:
        yield build_context(str(context.abstract_syntax), list(PREFERENCE))
