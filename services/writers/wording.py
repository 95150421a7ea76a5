"""What codes and numbers are called on a page that people read."""

from collections.abc import Iterable
from datetime import datetime

_NARROW_SPACE = "\u202f"

WARNINGS = {
    "lungs-truncated": "The scan does not cover the lungs completely: volumes and ratios describe "
    "only the part that was imaged.",
    "contrast": "Contrast medium was given. Enhanced vessels can be mistaken for lesions.",
    "sharp-kernel": "The images were reconstructed with a sharp kernel. Noise can change outlines "
    "and results.",
    "lossy-compressed": "The images were compressed with loss. Fine detail may be missing.",
    "under-18": "The patient is under 18. The models were not made for children.",
    "prone": "The patient lay prone. The models expect a patient on the back.",
    "unusual-for-the-model": "The images differ from what the model was trained on.",
}
"""By the warning's code."""


def warnings_in_words(codes: Iterable[str]) -> list[str]:
    """Each warning once, in the order of the table; an unknown code is shown as it is."""
    raised = set(codes)
    unknown = sorted(raised - WARNINGS.keys())
    known = [text for code, text in WARNINGS.items() if code in raised]
    return known + [f"Warning “{code}”." for code in unknown]


def percent(value: float | None) -> str:
    """A percentage as it is read: one decimal, and never 0 or 100 for what is not."""
    if value is None:
        return "–"
    if 0 < value < 0.05:
        return unbroken("< 0.1 %")
    if 99.95 <= value < 100:
        return unbroken("> 99.9 %")
    return unbroken(f"{value:.0f} %" if value in (0, 100) else f"{value:.1f} %")


def millilitres(value: float) -> str:
    """A volume in ml, with thousands apart."""
    if 0 < value < 0.05:
        return "< 0.1"
    digits = 1 if 0 < value < 100 else 0
    return f"{value:,.{digits}f}".replace(",", _NARROW_SPACE)


def millimetres(value: float) -> str:
    """A position in mm, with a true minus."""
    return unbroken(f"{value:.1f} mm".replace("-", "−"))


def moment(value: datetime) -> str:
    """When, and in which time zone: 2026-01-15 12:00, UTC+01:00."""
    offset = f"{value:%z}"
    return f"{value:%Y-%m-%d %H:%M}, UTC{offset[:3]}:{offset[3:5]}"


def unbroken(text: str) -> str:
    """The same text, never broken between two lines."""
    return text.replace(" ", "\u00a0")


def date(value: object) -> str:
    """A DICOM date (PS3.5 6.2) as 2026-01-31; anything else as it is."""
    text = str(value or "").strip()
    if len(text) == 8 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text


def time(value: object) -> str:
    """A DICOM time as 13:05; nothing where it has no minutes."""
    text = str(value or "").strip()
    return f"{text[:2]}:{text[2:4]}" if len(text) >= 4 and text[:4].isdigit() else ""
