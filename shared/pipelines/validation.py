"""Judges a pipeline definition before anything runs: each problem with its line and its fix."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from pydantic import ValidationError

from shared.catalog import Catalog, Topics
from shared.pipelines.definition import INGEST, Definition, Stage, parse

MANIFEST = "ingest.manifest"
_MANIFEST_TYPE = "manifest"


@dataclass(frozen=True)
class Problem:
    """What is wrong, where (counted from 1), and what to do about it."""

    line: int
    what: str
    fix: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}. {self.fix}"


class InvalidPipeline(Exception):
    """The definition can't run; `problems` says why, all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def validated(text: str, catalog: Catalog, topics: Topics) -> Definition:
    """The definition. Raises `InvalidPipeline` with every problem found."""
    try:
        tree = yaml.compose(text)
        definition = parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        fix = "Check indentation, brackets and quotes there"
        raise InvalidPipeline([Problem(line, "this is not YAML", fix)]) from None
    except ValidationError as error:
        raise InvalidPipeline([*_shape(yaml.compose(text), error)]) from None
    lines = _Lines(tree)
    problems = [
        *_stages(definition, catalog, lines),
        *_deadlines(definition, lines),
        *_cycles(definition, lines),
        *_outputs(definition, catalog, lines),
        *_waking(definition, catalog, topics, lines),
    ]
    if problems:
        raise InvalidPipeline(sorted(problems, key=lambda problem: problem.line))
    return definition


class _Lines:
    """The line of a path of keys in the YAML text; of its deepest key that exists."""

    def __init__(self, tree: yaml.Node | None) -> None:
        self._tree = tree

    def of(self, *path: str | int) -> int:
        node, line = self._tree, 1
        for key in path:
            found = next((pair for pair in _children(node) if pair[0] == str(key)), None)
            if found is None:
                break
            _, line, node = found
        return line


def _children(node: yaml.Node | None) -> Iterator[tuple[str, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield str(index), value.start_mark.line + 1, value


def _shape(tree: yaml.Node | None, error: ValidationError) -> Iterator[Problem]:
    lines = _Lines(tree)
    for detail in error.errors():
        path = tuple(detail["loc"])
        where = ".".join(map(str, path)) or "the definition"
        fix = "Remove it or correct its name" if detail["type"] == "extra_forbidden" else "Mend it"
        yield Problem(lines.of(*path), f"{where}: {detail['msg'].lower()}", fix)


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(sorted(known)) or "none"
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed}"


def _stages(definition: Definition, catalog: Catalog, lines: _Lines) -> Iterator[Problem]:
    for name, stage in definition.stages.items():
        for key in ("service", "shadow"):
            reference = getattr(stage, key)
            if reference:
                yield from _stage(definition, catalog, lines, name, stage, key, reference)


def _deadlines(definition: Definition, lines: _Lines) -> Iterator[Problem]:
    """The job's deadline ends a stage that has a longer one."""
    whole = definition.deadline
    for name, stage in definition.stages.items():
        if stage.deadline and stage.deadline > whole:
            what = f"stage {name}: its deadline, {stage.deadline:g} s, is past the job's"
            fix = f"Give it {whole:g} s at most, or the job more"
            yield Problem(lines.of("stages", name, "deadline"), what, fix)


def _stage(
    definition: Definition,
    catalog: Catalog,
    lines: _Lines,
    name: str,
    stage: Stage,
    key: str,
    reference: str,
) -> Iterator[Problem]:
    service = catalog.get(reference.partition("/")[0])
    operation = service.operation(reference) if service else None
    at = lines.of("stages", name, key)
    if service is None or operation is None:
        known = [other for other in catalog if catalog[other].operations]
        if service:
            known = [f"{service.service}/{one}" for one in service.operations]
        yield Problem(at, f"stage {name}: no service {reference!r}", _nearest(reference, known))
        return
    for port in sorted(set(operation.inputs) - set(operation.optional) - set(stage.inputs)):
        wanted = operation.inputs[port]
        yield Problem(
            lines.of("stages", name, "inputs"),
            f"stage {name}: input {port!r} of {reference} is missing",
            f"Wire it to an output of type {wanted}: {_offers(definition, catalog, wanted)}",
        )
    for port, source in stage.inputs.items():
        at = lines.of("stages", name, "inputs", port)
        if port not in operation.inputs:
            fix = _nearest(port, list(operation.inputs))
            yield Problem(at, f"stage {name}: {reference} has no input {port!r}", fix)
            continue
        given, wanted = _type_of(definition, catalog, source), operation.inputs[port]
        if given != wanted:
            what = f"there is no {source!r}" if given is None else f"{source} is a {given}"
            fix = f"{port!r} takes a {wanted}: {_offers(definition, catalog, wanted)}"
            yield Problem(at, f"stage {name}: {what}", fix)


def _type_of(definition: Definition, catalog: Catalog, source: str) -> str | None:
    if source == MANIFEST:
        return _MANIFEST_TYPE
    stage_name, _, port = source.partition(".")
    stage = definition.stages.get(stage_name)
    service = catalog.get(stage.service_name) if stage else None
    operation = service.operation(stage.service) if stage and service else None
    return operation.outputs.get(port) if operation else None


def _offers(definition: Definition, catalog: Catalog, wanted: str) -> str:
    offered = [MANIFEST] if wanted == _MANIFEST_TYPE else []
    for name, stage in definition.stages.items():
        service = catalog.get(stage.service_name)
        operation = service.operation(stage.service) if service else None
        if operation:
            offered += [
                f"{name}.{port}" for port, kind in operation.outputs.items() if kind == wanted
            ]
    return ", ".join(offered) or "no stage gives one"


def _cycles(definition: Definition, lines: _Lines) -> Iterator[Problem]:
    for name in definition.stages:
        if _reaches(definition, name, name, set()):
            what = f"stage {name} waits for its own result"
            yield Problem(lines.of("stages", name), what, "Break the circle of inputs")


def _reaches(definition: Definition, start: str, goal: str, seen: set[str]) -> bool:
    for source in definition.sources.get(start, ()):
        if source == goal:
            return True
        if source not in seen:
            seen.add(source)
            if _reaches(definition, source, goal, seen):
                return True
    return False


def _outputs(definition: Definition, catalog: Catalog, lines: _Lines) -> Iterator[Problem]:
    for name, output in definition.outputs.items():
        if _type_of(definition, catalog, output.source) is None:
            known = [
                f"{stage}.{port}"
                for stage in definition.stages
                for port in _ports(definition, catalog, stage)
            ]
            what = f"output {name}: there is no {output.source!r}"
            at = lines.of("outputs", name)
            yield Problem(at, what, _nearest(output.source, known))
    used = {source for stage in definition.stages.values() for source in stage.inputs.values()}
    used |= {output.source for output in definition.outputs.values()}
    used_stages = {source.partition(".")[0] for source in used}
    for name in definition.stages:
        if name not in used_stages:
            what = f"nothing uses what stage {name} makes"
            fix = "Name it under outputs, or remove the stage"
            yield Problem(lines.of("stages", name), what, fix)
    kinds = {output.kind for output in definition.outputs.values()}
    for kind in definition.deliver:
        if kind not in kinds:
            fix = _nearest(kind, sorted(kinds))
            yield Problem(lines.of("deliver", kind), f"no output has the kind {kind!r}", fix)


def _ports(definition: Definition, catalog: Catalog, stage: str) -> list[str]:
    service = catalog.get(definition.stages[stage].service_name)
    operation = service.operation(definition.stages[stage].service) if service else None
    return list(operation.outputs) if operation else []


def _waking(
    definition: Definition, catalog: Catalog, topics: Topics, lines: _Lines
) -> Iterator[Problem]:
    """A stage's service must read the kinds of event that wake the stage."""
    for name, stage in definition.stages.items():
        service = catalog.get(stage.service_name)
        for waker in sorted(definition.wakers[name]) if service else ():
            kinds = _kinds(definition, catalog, topics, waker)
            if kinds and service and not kinds & set(service.consumes):
                what = f"stage {name} is woken by {', '.join(sorted(kinds))}"
                fix = f"Add it to `consumes` of {service.service}'s service.yaml"
                yield Problem(lines.of("stages", name, "inputs"), what, fix)


def _kinds(definition: Definition, catalog: Catalog, topics: Topics, stage: str) -> set[str]:
    if stage == INGEST:
        return {"input-ready"}
    if stage not in definition.stages:
        return set()
    service = catalog.get(definition.stages[stage].service_name)
    operation = service.operation(definition.stages[stage].service) if service else None
    types = operation.outputs.values() if operation else ()
    return {kind for kind in map(topics.kind_of, types) if kind}
