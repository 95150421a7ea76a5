"""Makes the unit of work that the bus would hand to a stage's handler."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.bus.work import Work
from shared.catalog import ROOT
from shared.events.models import Lane, PayloadRef
from shared.identity import case_id, job_id
from shared.pipelines.definition import Definition, parse
from shared.store.port import PayloadStore
from shared.testing.manifests import ARRIVED

DEFINITION = ROOT / "deploy/pipelines/covid19-ct.yaml"


def work_for(
    stage: str,
    store: PayloadStore,
    payloads: Mapping[str, PayloadRef],
    *,
    definition: Definition | None = None,
    parameters: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    version: int = 1,
    supersedes: str | None = None,
    run: int = 1,
    received_at: datetime = ARRIVED,
) -> Work:
    """Version 1, run 1 of a job of the shipped pipeline; `payloads` by `stage.port`.

    `parameters` replace single parameters of the stage's own.
    """
    text = DEFINITION.read_bytes()
    definition = definition or parse(text)
    wired = definition.stages[stage]
    case = case_id(definition.pipeline, "study", "study")
    return Work(
        job_id=job_id(case, version, "input"),
        case_id=case,
        version=version,
        supersedes=supersedes,
        run=run,
        lane=Lane.ROUTINE,
        received_at=received_at,
        stage=stage,
        operation=wired.service.partition("/")[2] or "default",
        parameters={**wired.parameters, **(parameters or {})},
        sources=wired.inputs,
        payloads={"pipeline.definition": store.put(text, "application/yaml"), **payloads},
        warnings=warnings,
        definition=definition,
        traceparent="",
    )
