"""Sets a report as PDF/A-2b with Typst: the same content gives the same bytes."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import typst

_FONTS = (
    "fontpkg_noto_sans",
    "fontpkg_noto_sans_arabic",
    "fontpkg_noto_sans_thai",
    "noto_cjk_sans_jp_regular",
)
_EVERYWHERE = 0x530
"""Latin, Greek and Cyrillic end here: every character below has a glyph in the first font."""
_MISSING = "□"


def typeset(
    template: str, content: Mapping[str, Any], pictures: Mapping[str, bytes], moment: datetime
) -> bytes:
    """The PDF of a template, filled with `content`; `pictures` are its files by name.

    PDF/A refuses a character that no font has (an emoji, a rare script). The stage must not
    fail for it: it is shown as a box then, and the page says so.
    """
    try:
        return _compile(template, content, pictures, moment)
    except typst.TypstError as error:
        if "could not be displayed" not in str(error):
            raise
    return _compile(template, {**_boxed(content), "boxed": True}, pictures, moment)


def _compile(
    template: str, content: Mapping[str, Any], pictures: Mapping[str, bytes], moment: datetime
) -> bytes:
    sources = {
        name: (files(__package__) / "templates" / name).read_bytes()
        for name in ("frame.typ", template)
    }
    # Files in memory, the first being the main one; the library's stub does not list them.
    pdf = typst.compile(  # type: ignore[call-overload]
        {"main.typ": sources.pop(template), **sources, **pictures},
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        pdf_standards=["a-2b"],
        timestamp=moment.replace(microsecond=0),  # typst counts no finer
    )
    if not isinstance(pdf, bytes):
        raise TypeError("a PDF is one file")
    return pdf


@cache
def _fonts() -> typst.Fonts:
    """Our own fonts alone, so that a page does not depend on the machine."""
    folders = []
    for package in _FONTS:
        folder = files(package)
        inner = folder / "files"
        folders.append(str(inner if inner.is_dir() else folder))
    return typst.Fonts(include_system_fonts=False, font_paths=folders)


def _boxed(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(
            c if ord(c) < _EVERYWHERE or c in "–—‘’“”•…\u202f−→□" else _MISSING for c in value
        )
    if isinstance(value, Mapping):
        return {key: _boxed(item) for key, item in value.items()}
    return [_boxed(item) for item in value] if isinstance(value, list | tuple) else value
