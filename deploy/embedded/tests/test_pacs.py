"""The receiving PACS keeps the first of each instance, and says Success only for what it keeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from deploy.embedded import pacs


@pytest.fixture
def association(tmp_path: Path) -> Iterator[Association]:
    server = pacs.start(pacs.build_ae("PACS"), "127.0.0.1", 0, tmp_path)
    with _associated(server.server_address[1]) as made:
        yield made
    server.shutdown()


def test_it_answers_an_echo(association: Association) -> None:
    assert association.send_c_echo().Status == pacs.SUCCESS


def test_an_instance_is_filed_under_study_and_series(
    association: Association, tmp_path: Path
) -> None:
    assert association.send_c_store(_instance("2.25.3")).Status == pacs.SUCCESS

    assert _filed(tmp_path) == ["2.25.1/2.25.2/2.25.3.dcm"]
    assert dcmread(tmp_path / "2.25.1/2.25.2/2.25.3.dcm").SOPClassUID == SegmentationStorage


def test_the_same_again_is_success_and_kept_once(association: Association, tmp_path: Path) -> None:
    association.send_c_store(_instance("2.25.3"))

    assert association.send_c_store(_instance("2.25.3")).Status == pacs.SUCCESS
    assert _filed(tmp_path) == ["2.25.1/2.25.2/2.25.3.dcm"]


def test_other_content_under_the_same_uid_is_refused(
    association: Association, tmp_path: Path
) -> None:
    association.send_c_store(_instance("2.25.3", label="FIRST"))

    answer = association.send_c_store(_instance("2.25.3", label="SECOND"))

    assert answer.Status == pacs.DUPLICATE_INSTANCE
    assert dcmread(tmp_path / "2.25.1/2.25.2/2.25.3.dcm").ContentLabel == "FIRST"


def test_a_uid_that_is_a_path_is_refused(association: Association, tmp_path: Path) -> None:
    instance = _instance("2.25.3")
    instance["StudyInstanceUID"].value = "../../elsewhere"

    with pytest.warns(UserWarning, match="VR UI"):
        answer = association.send_c_store(instance)

    assert answer.Status == pacs.CANNOT_UNDERSTAND
    assert _filed(tmp_path) == []


@contextmanager
def _associated(port: int) -> Iterator[Association]:
    ae = AE()
    ae.add_requested_context(Verification)
    ae.add_requested_context(SegmentationStorage, ExplicitVRLittleEndian)
    made = ae.associate("127.0.0.1", port)
    try:
        yield made
    finally:
        made.release()


def _filed(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def _instance(uid: str, label: str = "LUNGS") -> Dataset:
    instance = Dataset()
    instance.SOPClassUID = SegmentationStorage
    instance.SOPInstanceUID = uid
    instance.StudyInstanceUID = "2.25.1"
    instance.SeriesInstanceUID = "2.25.2"
    instance.ContentLabel = label
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return instance
