"""Events of the shipped pipeline, as its services would publish them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.intake import Intake
from services.results.ledger.database import Ledger
from shared.bus.received import Place, Received
from shared.catalog import ROOT, topic_name
from shared.clock import ManualClock
from shared.events.models import KINDS, Lane, PayloadRef
from shared.events.wire import Event
from shared.identity import case_id, event_id, job_id
from shared.pipelines.definition import parse
from shared.store.port import PayloadStore

TEXT = (ROOT / "deploy/pipelines/covid19-ct.yaml").read_bytes()
PIPELINE = parse(TEXT)
RECEIVED = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
CASE = case_id("covid19-ct", "study", "study")
SEG_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"

_KIND_OF_PORT = {
    "volume": "volume-ready",
    "mask": "mask-ready",
    "classification": "classification-ready",
    "measurement": "measurement-ready",
    "dicom": "dicom-ready",
}
_PORTS = {
    "reader": ("volume", "selection"),
    "lung-seg": ("mask",),
    "lesion-seg": ("mask",),
    "classifier": ("classification", "csv"),
    "ratio": ("measurement",),
}


def job(version: int = 1, case: str = CASE) -> str:
    """The job of a version of a case, nearly always the one of these tests."""
    return job_id(case, version, f"input {version}")


class Story:
    """Makes the events of one job, a second apart, in the order in which one asks for them."""

    def __init__(
        self,
        store: PayloadStore,
        version: int = 1,
        run: int = 1,
        case: str = CASE,
        began: datetime = RECEIVED,
        lane: Lane = Lane.ROUTINE,
        partition: int = 2,
    ) -> None:
        self.store, self.version, self.run, self.case = store, version, run, case
        self.job_id = job(version, case)
        self.lane, self.partition = lane, partition
        self._moment = began

    def input_ready(self) -> Received:
        """The job begins."""
        completeness = {"rule": "quiet", "instances": 100, "waited_s": 2.0}
        return self._event("input-ready", "ingest", "ingest", {}, completeness=completeness)

    def made(self, stage: str, provenance: PayloadRef | None = None, **fields: Any) -> Received:
        """A stage of the pipeline has succeeded."""
        ports = _PORTS.get(stage, ("dicom",))
        payloads = {f"{stage}.{port}": self._payload(stage, port) for port in ports}
        if provenance:
            payloads[f"{stage}.provenance"] = provenance
        if ports == ("dicom",):
            fields = self._object(stage) | fields
        source = PIPELINE.stages[stage].service_name if stage in PIPELINE.stages else "writers"
        return self._event(_KIND_OF_PORT[ports[0]], stage, source, payloads, **fields)

    def failed(self, stage: str, code: str = "defect", verdict: str = "failed") -> Received:
        """A stage has given up, or refused its input."""
        cause = {"id": "1", "type": "clarion.volume-ready.v1", "topic": "t", "data": {}}
        return self._event(
            "stage-failed",
            stage,
            PIPELINE.stages[stage].service_name,
            {},
            verdict=verdict,
            reasons=[{"code": code, "numbers": {"slices": 3}}],
            cause=cause,
            attempts=3,
        )

    def refused(self, stage: str, code: str) -> Received:
        return self.failed(stage, code, "refused")

    def whole(self) -> list[Received]:
        """Everything succeeds."""
        return [self.input_ready(), *(self.made(stage) for stage in PIPELINE.stages)]

    def sop_uid(self, stage: str) -> str:
        return f"2.25.{self.version}{len(stage)}{sum(stage.encode())}"

    def _object(self, stage: str) -> dict[str, Any]:
        found = ((n, o.kind) for n, o in PIPELINE.outputs.items() if o.source == f"{stage}.dicom")
        output, kind = next(found, (stage, "encapsulated-pdf"))
        return {
            "output": output,
            "kind": kind,
            "sop_class_uid": SEG_CLASS if kind == "seg" else PDF_CLASS,
            "sop_instance_uid": self.sop_uid(stage),
            "series_instance_uid": f"{self.sop_uid(stage)}.1",
        }

    def _payload(self, stage: str, port: str) -> PayloadRef:
        kind = "application/dicom" if port == "dicom" else "application/json"
        return self.store.put(f"{self.job_id} {stage} {port}".encode(), kind)

    def _event(
        self,
        announces: str,
        stage: str,
        source: str,
        payloads: dict[str, PayloadRef],
        **fields: Any,
    ) -> Received:
        started, self._moment = self._moment, self._moment + timedelta(seconds=1)
        data = {
            "job_id": self.job_id,
            "case_id": self.case,
            "version": self.version,
            "supersedes": job(self.version - 1, self.case) if self.version > 1 else None,
            "run": self.run,
            "pipeline": "covid19-ct",
            "lane": self.lane,
            "received_at": RECEIVED,
            "stage": stage,
            "started_at": started,
            "finished_at": self._moment,
            "payloads": {"pipeline.definition": self.store.put(TEXT, "application/yaml")}
            | payloads,
        } | fields
        model = KINDS[announces].model_validate(data)
        name = event_id(self.job_id, self.run, stage, announces)
        event = Event(name, source, announces, self.job_id, self._moment, "", model)
        place = Place(topic_name(announces, self.lane), self.partition, 0, self.lane)
        return Received(event, place)


def intake_into(path: Path | None, store: PayloadStore, clock: ManualClock | None = None) -> Intake:
    """An intake over the ledger in a folder, or over one in memory."""
    ledger = Ledger(f"sqlite:///{path}/ledger.db" if path else "sqlite://")
    ledger.migrate()
    return Intake(ledger, Concluder(Definitions(store), clock or ManualClock(RECEIVED)))


def rows(ledger: Ledger, *tables: Any) -> list[Sequence[Any]]:
    """What tables hold, in an order of its own."""
    with ledger.reading() as connection:
        return [
            sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in tables
        ]
