"""Shows a person's name to people (PS3.5 6.2.1): every script that it is written in."""

import unicodedata

from pydicom.valuerep import PersonName


def written(name: PersonName | str | None) -> list[str]:
    """`YAMADA, Tarou`, `山田 太郎`, `やまだ たろう`; a dash alone for a name that is empty."""
    groups = [_group(group) for group in str(name or "").split("=")[:3]]
    return [group for group in groups if group] or ["–"]


def _group(group: str) -> str:
    parts = [plain(part) for part in group.split("^")]
    family, given, middle, prefix, suffix = (*parts, "", "", "", "", "")[:5]
    if _is_ideographic(family):
        return " ".join(part for part in (prefix, family, given, middle, suffix) if part)
    givens = " ".join(part for part in (prefix, given, middle, suffix) if part)
    return ", ".join(part for part in (family, givens) if part)


def _is_ideographic(text: str) -> bool:
    """Scripts that write the family name first, with no comma."""
    return any(
        unicodedata.name(character, "").startswith(("CJK", "HANGUL", "HIRAGANA", "KATAKANA"))
        for character in text
    )


def plain(value: object) -> str:
    """Text for a page: no control character, no private one, no gap at the ends."""
    text = "" if value is None else str(value)
    kept = (" " if c.isspace() and c != "\u00a0" else c for c in text)
    return "".join(c for c in kept if unicodedata.category(c)[0] != "C").strip()
