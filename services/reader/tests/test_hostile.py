"""Files made to break readers end in a code, never in a crash or a hang."""

import json
import subprocess
import sys
from pathlib import Path

from services.reader import checks

ROOT = Path(__file__).resolve().parents[3]
READER = "services.reader.tests.reading_hostile_files"


def test_hostile_files_are_refused_with_a_code(data: Path, tmp_path: Path) -> None:
    archive = data / "odd/hostile/files.tar.gz"
    done = subprocess.run(
        [sys.executable, "-m", READER, str(archive), "10", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=90,
        check=True,
    )
    outcomes = json.loads(done.stdout)
    assert len(outcomes) >= 30
    assert set(outcomes.values()) <= {row.code for row in checks.REFUSALS}
