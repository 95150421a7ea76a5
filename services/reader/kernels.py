"""Tells soft from sharp reconstruction kernels by their vendors' names.

Siemens numbers kernels by sharpness (B31f, Br40d, I70f): 55 and above are for lung and bone.
Canon's FC01 to FC27 are body and head, FC30 to FC49 bone, FC50 and above lung. GE and Philips
have names.
"""

import re
from enum import IntEnum


class Sharpness(IntEnum):
    """Softer is larger: what `soft kernel` prefers."""

    SHARP = 0
    UNKNOWN = 1
    SOFT = 2


_NAMES = {
    Sharpness.SHARP: (
        "LUNG LUNG+ BONE BONE+ BONEPLUS EDGE ULTRA CHST SHARP D E EB EC F L YA YB YC YD YE"
    ),
    Sharpness.SOFT: (
        "SOFT STANDARD STANDARD+ STND STND+ STD STD+ DETAIL SMOOTH A AA AB B C CA CB SA SB SC"
    ),
}
_NAMED = {name: sharpness for sharpness, names in _NAMES.items() for name in names.split()}

_NUMBERED = (
    (re.compile(r"^FC(\d\d)"), 30),
    (re.compile(r"^(?:B|I|T|H|U|J|D|Q|S|BR|BV|BF|BL|BP|QR|HR|HC|SA)(\d\d)[A-Z]*\b"), 55),
)
"""Names with a number: from which number on the kernel is sharp."""

_WORDS = (
    (re.compile(r"LUNG|BONE|SHARP|EDGE|HRES"), Sharpness.SHARP),
    (re.compile(r"SOFT|STANDARD|SMOOTH|BODY|MEDIASTIN"), Sharpness.SOFT),
)


def sharpness(kernel: str) -> Sharpness:
    """The sharpness of a ConvolutionKernel (0018,1210), in capitals."""
    name = kernel.partition("\\")[0].strip()
    if name in _NAMED:
        return _NAMED[name]
    for pattern, sharp_from in _NUMBERED:
        match = pattern.match(name)
        if match:
            return Sharpness.SHARP if int(match[1]) >= sharp_from else Sharpness.SOFT
    return next((found for word, found in _WORDS if word.search(name)), Sharpness.UNKNOWN)
