"""What did not fit is asked for until it does, or until nobody waits for it."""

import os
import time
from pathlib import Path

from shared.store.lacking import forget, lacking, note

_HOUR_S = 3600


def noted(path: Path, *sizes: int) -> Path:
    for size in sizes:
        note(path, size)
    return path


def test_the_largest_that_did_not_fit_is_asked_for_and_takes_no_room(tmp_path: Path) -> None:
    notes = [noted(tmp_path / "a", 7 << 20, 9 << 20, 8 << 20), noted(tmp_path / "b", 3 << 20)]
    notes.append(tmp_path / "none")
    assert lacking(notes) == 9 << 20
    assert notes[0].stat().st_blocks == 0
    forget(notes)
    assert lacking(notes) == 0


def test_what_nobody_waits_for_is_not_asked_for(tmp_path: Path) -> None:
    file, now = noted(tmp_path / "a", 9), time.time()
    os.utime(file, (now - 5 * _HOUR_S, now - 5 * _HOUR_S))
    assert lacking([file]) == 9
    os.utime(file, (now - 7 * _HOUR_S, now - 7 * _HOUR_S))
    assert lacking([file]) == 0
    note(file, 3)
    assert lacking([file]) == 3
