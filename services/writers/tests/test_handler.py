"""What goes into a writer and what comes out, as the bus sees it."""

from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import EncapsulatedPDFStorage, SegmentationStorage

from services.writers.handler import OPERATIONS, handle
from services.writers.tests.studies import LUNG_MODEL, Study, phantom_study, received
from shared.bus.work import Produced, Work
from shared.catalog import load_service

STAGES = {
    "lung-dicom-seg": ("lung-seg", "seg", SegmentationStorage),
    "lesion-dicom-seg": ("lesion-seg", "seg", SegmentationStorage),
    "classification-report": ("classification-report", "encapsulated-pdf", EncapsulatedPDFStorage),
    "ratio-report": ("ratio-report", "encapsulated-pdf", EncapsulatedPDFStorage),
}


def written(study: Study, work: Work) -> FileDataset:
    produced = handle(work, store=study.store)
    return pydicom.dcmread(BytesIO(study.store.get(produced.payloads["dicom"])))


def uid(produced: Produced) -> str:
    return str(produced.facts["sop_instance_uid"])


def test_the_service_declares_the_operations_it_has() -> None:
    assert set(load_service("writers").operations) == set(OPERATIONS)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_tells_which_output_it_made_and_its_uids(study: Study, stage: str) -> None:
    produced = handle(study.work(stage), store=study.store)

    dicom = pydicom.dcmread(BytesIO(study.store.get(produced.payloads["dicom"])))
    output, kind, sop_class = STAGES[stage]
    assert produced.facts == {
        "output": output,
        "kind": kind,
        "sop_class_uid": sop_class,
        "sop_instance_uid": dicom.SOPInstanceUID,
        "series_instance_uid": dicom.SeriesInstanceUID,
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_same_work_gives_the_same_bytes(study: Study, stage: str) -> None:
    first = handle(study.work(stage), store=study.store)
    again = handle(study.work(stage, run=2), store=study.store)

    assert again == first


def test_a_new_model_gives_a_new_uid_even_for_the_same_mask(study: Study) -> None:
    newer = replace(study, models={**study.models, "lung-seg": replace(LUNG_MODEL, version="2")})

    before = handle(study.work("lung-dicom-seg"), store=study.store)
    after = handle(newer.work("lung-dicom-seg"), store=study.store)

    assert uid(after) != uid(before)


def test_a_warning_that_is_printed_gives_a_new_uid(study: Study) -> None:
    plain = handle(study.work("ratio-report"), store=study.store)
    warned = handle(study.work("ratio-report", warnings=("contrast",)), store=study.store)

    assert uid(warned) != uid(plain)


def test_a_second_version_says_what_it_replaces(study: Study) -> None:
    dicom = written(study, study.work("ratio-report", version=2))

    assert dicom.SeriesDescription == ("AI RESEARCH Lesion-to-lung ratio report (v2 replaces v1)")


def test_a_pipeline_that_wires_no_saliency_has_its_report_all_the_same(study: Study) -> None:
    work = study.work("classification-report")
    without = {port: source for port, source in work.sources.items() if port != "saliency"}

    produced = handle(replace(work, sources=without), store=study.store)

    assert uid(produced) != uid(handle(work, store=study.store))


def test_dates_are_the_jobs_in_the_time_zone_of_the_source() -> None:
    late = phantom_study(received_at=received("2026-01-15T23:30:00+00:00"), timezone="+0100")

    dicom = written(late, late.work("lesion-dicom-seg"))

    made = {
        (dicom.InstanceCreationDate, dicom.InstanceCreationTime),
        (dicom.SeriesDate, dicom.SeriesTime),
        (dicom.ContentDate, dicom.ContentTime),
    }
    assert made == {("20260116", "003000")}


def test_series_numbers_come_from_the_definition(study: Study) -> None:
    assert [written(study, study.work(stage)).SeriesNumber for stage in STAGES] == [
        9001,
        9002,
        9003,
        9004,
    ]
