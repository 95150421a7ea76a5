"""`clarion pipelines` shows the definitions, and what keeps one from running."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from clarion.__main__ import build
from shared.catalog import ROOT

_COVID = ROOT / "deploy/pipelines/covid19-ct.yaml"


def test_a_definition_that_can_run_is_0() -> None:
    done = _pipelines("validate", str(_COVID))
    assert (done.exit_code, done.stdout) == (0, f"{_COVID}: can run\n")


def test_each_problem_is_told_with_line_and_fix(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    text = _COVID.read_text().replace("service: reader", "service: raeder")
    wrong.write_text(text.replace("lung-seg.mask, kind: mask", "lung-seg.musk, kind: mask"))
    lines = wrong.read_text().splitlines()
    service = next(n for n, line in enumerate(lines, 1) if "raeder" in line)
    output = next(n for n, line in enumerate(lines, 1) if "musk" in line)

    done = _pipelines("validate", str(wrong))

    assert done.exit_code == 1
    assert f"{wrong}:{service}: " in done.stderr
    assert "'reader'" in done.stderr
    assert f"{wrong}:{output}: output lung-mask: there is no 'lung-seg.musk'" in done.stderr


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("pipeline: x\nstages: {\n")
    done = _pipelines("validate", str(_COVID), str(wrong))
    assert done.exit_code == 1
    assert f"{_COVID}: can run" in done.stdout
    assert "this is not YAML" in done.stderr


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert _pipelines("validate", str(tmp_path / "none.yaml")).exit_code == 2


def test_the_listing_tells_programs_what_a_pipeline_is_made_of() -> None:
    [found] = json.loads(_pipelines("list", "--json").stdout)
    assert found["pipeline"] == "covid19-ct"
    assert {"stage": "lung-dicom-seg", "service": "writers/seg", "shadow": None} in found["stages"]
    assert found["outputs"]["ratio-report"] == "encapsulated-pdf"
    assert found["deliver"]["seg"] == ["pacs"]


def _pipelines(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["pipelines", *arguments])
