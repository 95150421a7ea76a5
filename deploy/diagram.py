"""The flow of one pipeline as a Mermaid diagram."""

from shared.catalog import Catalog, Topics
from shared.pipelines.definition import INGEST, Definition


def diagram(definition: Definition, catalog: Catalog, topics: Topics) -> str:
    """Stages, the events that wake them, and what is delivered."""
    lines = ["```mermaid", "flowchart LR", "  PACS([PACS]) -- C-STORE --> ingest"]
    for name, stage in definition.stages.items():
        lines.append(f'  {name}["{name}<br/><small>{stage.service}</small>"]')
    for name, wakers in definition.wakers.items():
        for waker in sorted(wakers):
            lines.append(f"  {waker} -- {_kind(definition, catalog, topics, waker)} --> {name}")
    delivered = {
        output.source.partition(".")[0]
        for output in definition.outputs.values()
        if output.kind in definition.deliver
    }
    lines += [f"  {name} -- dicom-ready --> results" for name in sorted(delivered)]
    lines += ["  results -- C-STORE --> PACS", "```"]
    return "\n".join(lines)


def _kind(definition: Definition, catalog: Catalog, topics: Topics, stage: str) -> str:
    if stage == INGEST:
        return "input-ready"
    reference = definition.stages[stage].service
    operation = catalog[reference.partition("/")[0]].operation(reference)
    types = operation.outputs.values() if operation else ()
    return next(kind for kind in map(topics.kind_of, types) if kind)
