"""`clarion pipelines`: the definitions, and whether they can run."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.table import Table

from clarion.options import JsonOption
from shared.catalog import ROOT, load_catalog, load_topics
from shared.pipelines.definition import Definition, parse
from shared.pipelines.validation import InvalidPipeline, Problem, validated

app = typer.Typer(name="pipelines", help="The pipeline definitions.", no_args_is_help=True)

_FOLDER = ROOT / "deploy" / "pipelines"


@app.command()
def validate(
    files: Annotated[
        list[Path], typer.Argument(help="Definitions (YAML).", exists=True, dir_okay=False)
    ],
) -> None:
    """Judge definitions before anything runs: each problem with its line and its fix."""
    problems = {file: _problems(file) for file in files}
    for file, found in problems.items():
        for problem in found:
            typer.echo(f"{file}:{problem.line}: {problem.what}. {problem.fix}", err=True)
        if not found:
            typer.echo(f"{file}: can run")
    if any(problems.values()):
        raise typer.Exit(1)


@app.command("list")
def listing(as_json: JsonOption = False) -> None:
    """List the pipelines that there are, and what each is made of."""
    known = {path: parse(path.read_bytes()) for path in sorted(_FOLDER.glob("*.yaml"))}
    if as_json:
        described = [_described(path, each) for path, each in known.items()]
        typer.echo(json.dumps(described, indent=1))
    else:
        screen = Console(markup=False, highlight=False)
        screen.print(Group(*(_group(path, each) for path, each in known.items())))


def _problems(file: Path) -> list[Problem]:
    try:
        validated(file.read_text(), load_catalog(), load_topics())
    except InvalidPipeline as invalid:
        return invalid.problems
    return []


def _described(path: Path, definition: Definition) -> dict[str, Any]:
    return {
        "pipeline": definition.pipeline,
        "file": str(path),
        "deadline_s": definition.deadline,
        "stages": [
            {"stage": name, "service": stage.service, "shadow": stage.shadow}
            for name, stage in definition.stages.items()
        ],
        "outputs": {name: output.kind for name, output in definition.outputs.items()},
        "deliver": {kind: list(where) for kind, where in definition.deliver.items()},
    }


def _group(path: Path, definition: Definition) -> Group:
    """A pipeline: where it stands, its stages, and what goes where."""
    table = Table("stage", "service", "waits for", box=None)
    for stage, each in definition.stages.items():
        table.add_row(stage, each.service, ", ".join(sorted(definition.wakers[stage])))
    delivered = (f"{kind} to {', '.join(to)}" for kind, to in definition.deliver.items())
    return Group(
        f"{definition.pipeline}  {path.relative_to(ROOT)}",
        table,
        f" makes     {', '.join(definition.outputs)}",
        f" delivers  {'; '.join(delivered) or 'nothing'}",
    )
