"""Looks jobs up: the ledger's facts, joined with the payloads that they refer to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import select

from services.results.definitions import Definitions
from services.results.ledger import deliveries, runs, standing
from services.results.ledger.database import Ledger
from services.results.ledger.deliveries import Delivery
from services.results.ledger.runs import StoredRun, StoredStage
from services.results.ledger.tables import jobs as jobs_table
from services.results.progress import StageStatus, holders, judge
from services.results.views import (
    DeliveryView,
    HolderView,
    JobSummary,
    JobView,
    ModelView,
    OutputView,
    ReasonView,
    StackView,
    StageView,
    head,
)
from shared import provenance, selection
from shared.events.models import PayloadRef
from shared.pipelines.definition import Definition
from shared.store.port import PayloadMissing, PayloadStore


class AmbiguousJob(Exception):
    """Several jobs' ids begin like that."""


@dataclass(frozen=True)
class Archive:
    """Answers questions about jobs. Raises `Unavailable` when ledger or store are down."""

    ledger: Ledger
    store: PayloadStore
    definitions: Definitions

    def list(
        self,
        status: str | None,
        pipeline: str | None,
        limit: int,
        case_ids: Sequence[str] | None = None,
        *,
        undelivered: bool = False,
    ) -> list[JobSummary]:
        """The newest run of each job, newest jobs first."""
        with self.ledger.reading() as connection:
            found = runs.load_many(
                connection, status, limit, pipeline, case_ids, undelivered=undelivered
            )
            counts = deliveries.counts(connection, [run.job_id for run in found])
            open_ = [run.job_id for run in found if run.status == "running"]
            news = standing.last_news(connection, open_)
        return [
            JobSummary.of(run, counts.get(run.job_id, {}), news.get((run.job_id, run.run)))
            for run in found
        ]

    def pipelines(self) -> "Sequence[str]":
        """Every pipeline that any job went through."""
        with self.ledger.reading() as connection:
            return runs.pipelines(connection)

    def find(self, prefix: str) -> str | None:
        """The one job whose id begins so. Raises `AmbiguousJob` when there are several."""
        with self.ledger.reading() as connection:
            query = select(jobs_table.c.job_id).where(
                jobs_table.c.job_id.startswith(prefix, autoescape=True)
            )
            found = list(connection.execute(query.limit(2)).scalars())
        if len(found) > 1:
            raise AmbiguousJob(prefix)
        return found[0] if found else None

    def show(self, job_id: str) -> JobView | None:
        """Everything about a job's newest run."""
        with self.ledger.reading() as connection:
            run = runs.load(connection, job_id)
            if run is None:
                return None
            stages = runs.load_stages(connection, job_id, run.run)
            sent = deliveries.of_job(connection, job_id)
        definition = self.definitions.get(run.definition)
        return JobView(
            **head(run),
            warnings=sorted({warning for stage in stages.values() for warning in stage.warnings}),
            selection=self._selection(stages),
            waits_for=list(_waits_for(run, definition, stages)),
            stages=list(self._stages(run, definition, stages)),
            outputs=list(self._outputs(definition, stages, sent)),
        )

    def _selection(self, stages: Mapping[str, StoredStage]) -> Sequence[StackView]:
        refs = (
            ref
            for stage in stages.values()
            for name, ref in stage.payloads.items()
            if name.endswith(".selection")
        )
        ref = next(refs, None)
        try:
            found = selection.read(ref, self.store).stacks if ref else ()
        except (PayloadMissing, ValidationError):
            return []
        return [StackView(stack=s.stack, chosen=s.chosen, reason=s.reason) for s in found]

    def _outputs(
        self,
        definition: Definition | None,
        stages: Mapping[str, StoredStage],
        sent: Sequence[Delivery],
    ) -> Iterator[OutputView]:
        """What was made: as the definition names it, then what was made besides."""
        wired = definition.outputs if definition else {}
        for name, output in wired.items():
            stage = stages.get(output.source.partition(".")[0])
            ref = stage.payloads.get(output.source) if stage else None
            if stage and ref and stage.fact.status in ("succeeded", "reused"):
                yield self._output(name, output.kind, stage, ref, sent)
        known = definition.stages if definition else {}
        for stage in stages.values():
            if stage.dicom and "~" not in stage.stage and stage.stage not in known:
                ref = stage.payloads[f"{stage.stage}.dicom"]
                yield self._output(stage.dicom["output"], stage.dicom["kind"], stage, ref, sent)

    def _output(
        self, name: str, kind: str, stage: StoredStage, ref: PayloadRef, sent: Sequence[Delivery]
    ) -> OutputView:
        sop_uid = stage.dicom["sop_instance_uid"] if stage.dicom else None
        return OutputView(
            name=name,
            kind=kind,
            sop_instance_uid=sop_uid,
            path=path_of(self.store, ref),
            deliveries=[
                DeliveryView(
                    destination=delivery.destination,
                    status=delivery.status,
                    attempts=delivery.attempts,
                    last_error=_error_of(delivery),
                    committed=delivery.committed,
                    next_attempt_at=delivery.put_off_to,
                )
                for delivery in sent
                if delivery.sop_instance_uid == sop_uid
            ],
        )

    def _stages(
        self,
        run: StoredRun,
        definition: Definition | None,
        stages: Mapping[str, StoredStage],
    ) -> Iterator[StageView]:
        """Every stage of the definition in its order, then shadows and reports."""
        facts = {name: stage.fact for name, stage in stages.items()}
        judged = judge(definition, facts, run.stop).stages if definition else {}
        for name in [*judged, *(name for name in stages if name not in judged)]:
            status: StageStatus = judged[name] if name in judged else facts[name].status
            service = definition.stages[name].service if definition and name in judged else None
            known = stages.get(name)
            yield _stage(name, service, status, known, self._model(known) if known else None)

    def _model(self, stage: StoredStage) -> ModelView | None:
        """What the provenance of a stage says of the model that answered it, if one did."""
        ref = stage.payloads.get(f"{stage.stage}.provenance")
        try:
            model = provenance.read(ref, self.store).model if ref else None
        except PayloadMissing:
            return None
        return (
            ModelView(name=model.name, version=model.version, sha256=model.digest)
            if model
            else None
        )


def _waits_for(
    run: StoredRun, definition: Definition | None, stages: Mapping[str, StoredStage]
) -> Iterator[HolderView]:
    if definition is None or run.status != "running":
        return
    facts = {name: stage.fact for name, stage in stages.items()}
    ends = {name: stage.finished_at for name, stage in stages.items()}
    for at in holders(definition, facts, ends, run.started_at or run.received_at):
        yield HolderView(stage=at.stage, service=at.service, since=at.since)


def _error_of(delivery: Delivery) -> str | None:
    """What went wrong with a delivery, or with the request to confirm it while none is."""
    silent = delivery.committed is None and delivery.commitment_error
    said = (delivery.last_error, f"commitment-{silent}" if silent else None)
    return ", ".join(filter(None, said)) or None


def path_of(store: PayloadStore, ref: PayloadRef) -> str | None:
    """Where a payload lies on this machine; None when it is gone, or kept elsewhere."""
    try:
        file = store.where(ref)
    except PayloadMissing:
        return None
    return str(file) if file else None


def said_at(store: PayloadStore, ref: PayloadRef) -> str | None:
    """Where a payload lies, by its key where the store is elsewhere; None when it is gone."""
    try:
        return str(store.where(ref) or ref.uri)
    except PayloadMissing:
        return None


def _stage(
    name: str,
    service: str | None,
    status: StageStatus,
    known: StoredStage | None,
    model: ModelView | None,
) -> StageView:
    return StageView(
        stage=name,
        service=service or (known.service if known else ""),
        status=status,
        attempts=known.attempts if known else 0,
        started_at=known.started_at if known else None,
        finished_at=known.finished_at if known else None,
        reasons=[ReasonView.of(reason) for reason in known.fact.reasons] if known else [],
        model=model,
    )
