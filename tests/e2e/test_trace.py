"""One trace per job: every edge of the flow, Triton included, and nothing that names a patient."""

import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from phantom.studies import chest
from shared.catalog import load_catalog
from shared.identity import trace_id
from shared.pipelines.definition import INGEST, parse
from shared.telemetry.attributes import ALLOWED
from tests.e2e import spans
from tests.e2e.spans import Span
from tests.e2e.system import DEFINITIONS, PIPELINE, Job, System, new_seed

pytestmark = pytest.mark.e2e

COVERED = 0.90
TRITON = "triton"


@pytest.fixture(scope="module")
def job(system: System) -> Job:
    return system.analysed(chest(new_seed()))


@pytest.fixture(scope="module")
def trace(system: System, job: Job) -> dict[str, Any]:
    return system.trace(job)


@pytest.fixture(scope="module")
def every(trace: dict[str, Any]) -> list[Span]:
    return spans.of(trace)


def test_the_trace_follows_from_the_job_and_is_one(
    system: System, job: Job, trace: dict[str, Any], every: Sequence[Span]
) -> None:
    assert trace["trace_id"] == job["trace_id"] == f"{trace_id(job['job_id'], 1):032x}"
    with _database(system) as database:
        rows = database.execute(
            "SELECT DISTINCT trace_id FROM spans WHERE attributes LIKE ?", (f"%{job['job_id']}%",)
        ).fetchall()
    assert rows == [(job["trace_id"],)]


def test_it_hangs_together_below_one_root(every: Sequence[Span]) -> None:
    known = {span.span_id for span in every}
    assert [span.name for span in every if span.parent_id is None] == ["study"]
    assert [span for span in every if span.parent_id and span.parent_id not in known] == []


@pytest.mark.parametrize("service", sorted(load_catalog()))
def test_every_service_shows_the_spans_that_it_declares(
    every: Sequence[Span], service: str
) -> None:
    shown = {span.name for span in every if span.service == service}
    assert set(load_catalog()[service].spans) - shown == set()


def test_every_stage_hangs_below_the_stage_that_woke_it(every: Sequence[Span]) -> None:
    definition = parse((DEFINITIONS / f"{PIPELINE}.yaml").read_bytes())
    by_id = {span.span_id: span for span in every}
    for stage in definition.stages:
        [own] = [span for span in every if span.name == stage]
        above = by_id[own.parent_id or ""]
        waker = "publish" if above.service == INGEST else above.name
        wakers = {w for w in (INGEST, *definition.stages) if stage in definition.woken_by(w)}
        assert {INGEST if waker == "publish" else waker} <= wakers, stage


def test_tritons_own_spans_hang_below_the_call(every: Sequence[Span]) -> None:
    by_id = {span.span_id: span for span in every}
    requests = [span for span in every if (span.service, span.name) == (TRITON, "InferRequest")]
    callers = {by_id[span.parent_id or ""].service for span in requests}
    assert callers == {"lung_seg", "lesion_seg", "classifier"}
    assert {by_id[span.parent_id or ""].name for span in requests} == {"infer"}
    computed = {span.parent_id for span in every if span.name == "compute"}
    models = [span for span in every if span.parent_id in {r.span_id for r in requests}]
    assert {span.span_id for span in models} <= computed


def test_leaves_cover_the_jobs_time(trace: dict[str, Any]) -> None:
    sys.stdout.write(f"\ncovered {trace['covered']:.1%}; gaps: {spans.gaps(trace) or 'none'}\n")
    assert trace["covered"] > COVERED


def test_attributes_are_those_that_are_allowed(system: System, job: Job) -> None:
    """Of every span that any test has made the system show."""
    with _database(system) as database:
        rows = database.execute("SELECT service, name, attributes FROM spans").fetchall()
    ours = [(service, name, json.loads(text)) for service, name, text in rows if service != TRITON]
    assert ours
    assert [span for span in ours if not set(span[2]) <= ALLOWED] == []


def _database(system: System) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{system.home.folder / 'spans.db'}?mode=ro", uri=True)
