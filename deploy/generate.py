"""Writes what follows from the declarations: compose file, table, diagram, AsyncAPI.

`python -m deploy.generate` after a change of a `service.yaml`, `topics.yaml` or a pipeline;
a test compares what is committed.
"""

import re
from collections.abc import Callable
from pathlib import Path

from deploy.asyncapi import asyncapi
from deploy.compose import compose
from deploy.diagram import diagram
from shared.catalog import ROOT, Catalog, Topics, load_catalog, load_topics
from shared.pipelines.definition import Definition, parse

PIPELINE = "deploy/pipelines/covid19-ct.yaml"


def services_table(catalog: Catalog) -> str:
    """The table of services in the README."""
    lines = ["| service | does | reads | writes |", "|---|---|---|---|"]
    for name, service in catalog.items():
        reads, writes = (", ".join(kinds) or "–" for kinds in (service.consumes, service.publishes))
        lines.append(f"| [{name}](services/{name}/) | {service.summary} | {reads} | {writes} |")
    return "\n".join(lines)


def between(text: str, mark: str, content: str) -> str:
    """The text with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: found[1] + content + "\n" + found[2], text)
    if count != 1:
        raise ValueError(f"<!-- {mark} --> … <!-- /{mark} --> must stand in the text once")
    return replaced


def documents(root: Path = ROOT) -> dict[str, str]:
    """Every generated file, by its path."""
    catalog, topics = load_catalog(root), load_topics(root)
    definition = parse((root / PIPELINE).read_text())
    makers: dict[str, Callable[[Catalog, Topics, Definition], str]] = {
        "docker-compose.yml": lambda catalog, *_: compose(catalog),
        "schemas/asyncapi.yaml": lambda catalog, topics, _: asyncapi(catalog, topics),
    }
    made = {path: make(catalog, topics, definition) for path, make in makers.items()}
    readme, flow = root / "README.md", root / "docs/architecture.md"
    made["README.md"] = between(readme.read_text(), "services", services_table(catalog))
    picture = diagram(definition, catalog, topics)
    made["docs/architecture.md"] = between(flow.read_text(), "flow", picture)
    return made


def main(root: Path = ROOT) -> None:
    """Write all of them."""
    for path, text in documents(root).items():
        (root / path).write_text(text)


if __name__ == "__main__":
    main()
