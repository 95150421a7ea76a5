"""Phantoms that are kept are those that the code of today draws."""

from pathlib import Path
from types import ModuleType

import phantom
from training.config import read_phantoms
from training.phantoms import drawing_code, path_of


def package(folder: Path, source: str) -> ModuleType:
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "organs.py").write_text(source)
    made = ModuleType(folder.name)
    made.__file__ = str(folder / "__init__.py")
    return made


def test_other_code_is_told_apart(tmp_path: Path) -> None:
    one, same, other = (
        drawing_code(package(tmp_path / name, source))
        for name, source in (("one", "LIVER = 60"), ("same", "LIVER = 60"), ("other", "LIVER = 55"))
    )
    assert one == same
    assert one != other


def test_a_phantom_is_kept_by_grid_and_code(tmp_path: Path) -> None:
    path = path_of(tmp_path, read_phantoms(), 7)
    assert path == tmp_path / f"3x3x3x107x128x128-{drawing_code(phantom)}" / "00000007.npz"
