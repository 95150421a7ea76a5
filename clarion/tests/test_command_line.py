"""Commands say what went wrong on stderr and with their exit status."""

import json
import subprocess
import sys
from pathlib import Path


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    done = _clarion("up", "--sideways", home=tmp_path)

    assert done.returncode == 2
    assert "--sideways" in done.stderr


def test_settings_that_are_wrong_are_1_and_named(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {nobody: 1}\n")

    done = _clarion("down", home=tmp_path)

    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


def test_down_of_what_is_not_up_is_0(tmp_path: Path) -> None:
    assert _clarion("down", home=tmp_path).returncode == 0


def test_doctor_tells_a_program_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("ports: {nobody: 1}\n")

    done = _clarion("doctor", "--json", home=tmp_path)

    [failed] = [each for each in json.loads(done.stdout) if not each["ok"]]
    assert failed["check"] == "settings"
    assert "nobody" in failed["detail"]
    assert "settings.yaml" in failed["remedy"]
    assert done.returncode == 1


def _clarion(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clarion", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
