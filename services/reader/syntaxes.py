"""The transfer syntaxes (PS3.6 A) that the reader takes, by how it gets at their pixels."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG})
"""Pixels lie in the file as they are."""

_JPEG = "1.2.840.10008.1.2.4."
BY_ITK = frozenset(_JPEG + last for last in ("51", "53", "55"))
"""JPEG with 12 bits (PS3.5 A.4.1), the retired processes too: GDCM's plug-in for pydicom does
not decode them, SimpleITK does."""

BY_PYDICOM = frozenset(
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"}
    | {_JPEG + last for last in ("50", "57", "70", "80", "81", "90", "91", "201", "202", "203")}
)
"""Deflated, RLE, JPEG baseline and lossless, JPEG-LS, JPEG 2000, HTJ2K."""

DECODABLE = BY_ITK | BY_PYDICOM
LOSSY = BY_ITK | {_JPEG + "50"}
PERHAPS_LOSSY = frozenset(_JPEG + last for last in ("81", "91", "203"))
"""Lossless is possible in them, so that the header may say so."""
