"""One golden example of each kind of event: one job of the COVID-19 pipeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.bus.announced import Announced
from shared.bus.outcomes import Outcome, OutcomeEvent
from shared.events import models as m
from shared.identity import case_id, event_id, job_id, uid

_RECEIVED = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_CASE = case_id("covid19-ct", "2.25.1", "2.25.1")
_JOB = job_id(_CASE, 1, "0" * 64)
_UID = uid(_JOB, "lung-dicom-seg", "0" * 64, "instance")


def _ref(letter: str, suffix: str, media_type: str) -> m.PayloadRef:
    sha256 = letter * 64
    uri = f"artifacts/{sha256[:2]}/{sha256}{suffix}"
    return m.PayloadRef(uri=uri, sha256=sha256, size=1024, media_type=media_type)


_REFS = {
    "pipeline.definition": _ref("a", ".yaml", "application/yaml"),
    "ingest.manifest": _ref("b", ".json", "application/json"),
    "reader.volume": _ref("c", ".mha", "application/x-metaimage"),
    "reader.selection": _ref("d", ".json", "application/json"),
    "lung-seg.mask": _ref("e", ".mha", "application/x-metaimage"),
    "lung-seg.provenance": _ref("f", ".json", "application/json"),
    "lesion-seg.mask": _ref("0", ".mha", "application/x-metaimage"),
    "lesion-seg.provenance": _ref("1", ".json", "application/json"),
    "classifier.classification": _ref("2", ".json", "application/json"),
    "classifier.csv": _ref("3", ".csv", "text/csv"),
    "classifier.saliency": _ref("8", ".mha", "application/x-metaimage"),
    "classifier.provenance": _ref("4", ".json", "application/json"),
    "ratio.measurement": _ref("5", ".json", "application/json"),
    "ratio.provenance": _ref("6", ".json", "application/json"),
    "lung-dicom-seg.dicom": _ref("7", ".dcm", "application/dicom"),
}


def _common(stage: str, *payloads: str, after_s: float = 1) -> dict[str, Any]:
    at = _RECEIVED + timedelta(seconds=after_s)
    begin = ("pipeline.definition", "ingest.manifest")
    return {
        "job_id": _JOB,
        "case_id": _CASE,
        "version": 1,
        "run": 1,
        "pipeline": "covid19-ct",
        "lane": m.Lane.ROUTINE,
        "received_at": _RECEIVED,
        "stage": stage,
        "started_at": at,
        "finished_at": at + timedelta(milliseconds=250),
        "payloads": {name: _REFS[name] for name in (*begin, *payloads)},
    }


_INPUT = m.InputReady(
    **_common("ingest", after_s=5),
    completeness=m.Completeness(rule="quiet-time", instances=100, waited_s=5),
    sender="CT_1",
)
_READ = ("reader.volume", "reader.selection")
_LUNGS = (*_READ, "lung-seg.mask", "lung-seg.provenance")
_LESIONS = ("lesion-seg.mask", "lesion-seg.provenance")
_CLASS = (
    "classifier.classification",
    "classifier.csv",
    "classifier.saliency",
    "classifier.provenance",
)

EXAMPLES: dict[str, m.Model] = {
    "input-ready": _INPUT,
    "volume-ready": m.VolumeReady(**_common("reader", *_READ), warnings=("contrast",)),
    "mask-ready": m.MaskReady(**_common("lung-seg", *_LUNGS)),
    "classification-ready": m.ClassificationReady(**_common("classifier", *_LUNGS, *_CLASS)),
    "measurement-ready": m.MeasurementReady(
        **_common("ratio", *_LUNGS, *_LESIONS, "ratio.measurement", "ratio.provenance")
    ),
    "dicom-ready": m.DicomReady(
        **_common("lung-dicom-seg", *_LUNGS, "lung-dicom-seg.dicom"),
        output="lung-seg",
        kind="seg",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.66.4",
        sop_instance_uid=_UID,
        series_instance_uid=uid(_JOB, "lung-dicom-seg", "0" * 64, "series"),
    ),
    "stage-failed": m.StageFailed(
        **_common("reader"),
        verdict="refused",
        reasons=(m.ReasonModel(code="too-few-slices", numbers={"slices": 12, "at_least": 20}),),
        cause=m.Cause(
            id=event_id(_JOB, 1, "ingest", "input-ready"),
            type="clarion.input-ready.v1",
            topic="clarion.input-ready.v1.routine",
            data=_INPUT.model_dump(mode="json", exclude_none=True),
        ),
    ),
    "job-finished": m.JobFinished(
        **_common("results", after_s=12),
        status="completed",
        outputs={"lung-seg": "made", "ratio-report": "made"},
    ),
    "dicom-delivered": m.DicomDelivered(
        **_common("results", after_s=13),
        output="lung-seg",
        sop_instance_uid=_UID,
        destination="pacs",
        status="delivered",
        dicom_status="0000",
        at=_RECEIVED + timedelta(seconds=13),
    ),
    "commitment-reported": m.CommitmentReported(
        transaction_uid="2.25.2",
        instances=(m.CommittedInstance(sop_instance_uid=_UID, committed=True),),
    ),
    "job-control": m.JobControl(job_id=_JOB, superseded_by=job_id(_CASE, 2, "1" * 64)),
    "statistics": m.Statistics(
        window="minute",
        key={},
        figures={"per_min": 3},
        at=_RECEIVED,
        series=(
            m.SeriesFigures(
                key={"stage": "reader", "lane": "routine", "pipeline": "covid19-ct"},
                figures={"succeeded": 3, "per_min": 3, "duration_p95_s": 0.7945},
                sketches={"duration": {-15: 1, -11: 2}},
            ),
        ),
        backlog=(m.Waiting(service="reader", lane="routine", events=2),),
        senders=(m.LastStudy(sender="CT_1", at=_RECEIVED - timedelta(seconds=20)),),
    ),
    "alert": m.Alert(
        code="silent-sender",
        window="11 d",
        key={"sender": "CT_1"},
        figures={"silent_s": 7200, "missed": 6.5, "unusual_from": 2.5},
        at=_RECEIVED,
    ),
}

ANNOUNCED = Announced(
    id=event_id(_JOB, 1, "ingest", "input-ready"),
    time=_INPUT.finished_at,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    partition=2,
    data=_INPUT,
)
OUTCOME = Outcome(
    job_id=_JOB,
    run=1,
    stage="reader",
    service="reader",
    status="succeeded",
    attempts=1,
    started_at=_RECEIVED,
    finished_at=_RECEIVED + timedelta(seconds=1),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    code_version="0.1.0",
    inputs={"manifest": "b" * 64},
    events=(
        OutcomeEvent(
            id=event_id(_JOB, 1, "reader", "volume-ready"),
            kind="volume-ready",
            time=_RECEIVED + timedelta(seconds=1),
            data=EXAMPLES["volume-ready"].model_dump(mode="json", exclude_none=True),
        ),
    ),
)
