"""What a study becomes: from the C-STORE to `input-ready`."""

from datetime import timedelta

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from services.ingest.checks import KEPT, Received
from services.ingest.tests.conftest import House
from services.ingest.tests.instances import DATA, STUDY, ct, encoded, send
from shared.bus.received import Place as BusPlace
from shared.bus.received import Received as Fact
from shared.events.models import DicomReady, Lane
from shared.events.wire import Event
from shared.manifest import InstanceFiles, Manifest

REPORT = "1.2.840.10008.5.1.4.1.1.88.67"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def dose_report(number: int) -> object:
    return ct(number, SOPClassUID=REPORT, Modality="SR")


def uids(manifest: Manifest) -> set[str]:
    return {instance.sop_instance_uid for instance in manifest.instances}


def test_a_study_becomes_one_version_with_its_instances_whole(house: House) -> None:
    statuses = send(house.scp.port, [ct(number) for number in range(3)])
    (ready,) = house.quiet()
    manifest = house.manifest(ready)
    files = InstanceFiles(manifest, house.store)
    pixels = [bytes(files.bytes(i.pixels)) for i in manifest.instances if i.pixels]
    names = {str(files.dataset(instance).PatientName) for instance in manifest.instances}
    assert (statuses, ready.version, ready.completeness.instances) == ([0, 0, 0], 1, 3)
    assert pixels == [ct(number).PixelData for number in range(3)]
    assert names == {"Grün^Eva"}
    assert (manifest.called_ae, manifest.calling_ae) == (("COVID19",), ("SCANNER",))
    assert set(ready.payloads) == {"pipeline.definition", "ingest.manifest"}


def test_a_hundred_instances_over_several_associations_make_one_version(house: House) -> None:
    for start in range(0, 100, 25):
        send(house.scp.port, [ct(number) for number in range(start, start + 25)])
        house.clock.advance(1)
    (ready,) = house.quiet()
    assert (ready.version, ready.completeness.instances) == (1, 100)


def test_nothing_is_published_before_the_quiet_time_is_over(house: House) -> None:
    send(house.scp.port, [ct(1)])
    assert house.quiet(4.9) == []


def test_the_time_received_is_that_of_the_first_instance(house: House) -> None:
    first = house.clock()
    send(house.scp.port, [ct(1)])
    house.clock.advance(3)
    send(house.scp.port, [ct(2)])
    (ready,) = house.quiet(6)
    assert (ready.received_at, ready.finished_at - first) == (first, timedelta(seconds=9))
    assert ready.completeness.waited_s == 6


def test_the_same_again_changes_nothing(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.quiet()
    segments = house.ingest.journal.names()
    assert send(house.scp.port, [ct(1)]) == [0]
    assert len(house.quiet()) == 1
    assert house.ingest.journal.names() == segments


def test_the_same_study_to_two_ae_titles_of_a_pipeline_is_one_case(house: House) -> None:
    send(house.scp.port, [ct(1)], "COVID19")
    send(house.scp.port, [ct(1)], "COVID19STAT")
    assert len(house.quiet()) == 1


def test_a_late_slice_makes_a_version_of_all_instances(house: House) -> None:
    send(house.scp.port, [ct(1)])
    (first,) = house.quiet()
    send(house.scp.port, [ct(2)])
    _, second = house.quiet()
    manifest = house.manifest(second)
    files = InstanceFiles(manifest, house.store)
    read = [files.dataset(instance).SOPInstanceUID for instance in manifest.instances]
    assert (second.version, second.supersedes) == (2, first.job_id)
    assert (len(manifest.segments), read) == (2, [f"{STUDY}.1.1", f"{STUDY}.1.2"])


def test_a_corrected_name_replaces_the_instance_and_the_old_one_makes_a_third(
    house: House,
) -> None:
    for name in ("Grün^Eva", "Gruen^Eva", "Grün^Eva"):
        send(house.scp.port, [ct(1, PatientName=name)])
        house.quiet()
    names = [
        house.manifest(ready).instances[0].header["PatientName"] for ready in house.published()
    ]
    assert names == ["Grün^Eva", "Gruen^Eva", "Grün^Eva"]
    assert len({ready.job_id for ready in house.published()}) == 3


def test_a_late_dose_report_is_kept_and_makes_no_version(house: House) -> None:
    send(house.scp.port, [ct(1)])
    house.quiet()
    assert send(house.scp.port, [dose_report(2)]) == [0]  # type: ignore[list-item]
    assert len(house.quiet()) == 1
    send(house.scp.port, [ct(3)])
    _, second = house.quiet()
    manifest = house.manifest(second)
    assert uids(manifest) == {f"{STUDY}.1.1", f"{STUDY}.1.3"}
    assert [other.sop_instance_uid for other in manifest.others] == [f"{STUDY}.1.2"]


def received(syntax: str, dataset: bytes) -> Received:
    sop_class = ct(1).SOPClassUID
    return Received(sop_class, f"{STUDY}.1.1", syntax, dataset, "a", "COVID19", "SCANNER")


def test_another_transfer_syntax_alone_is_no_difference(house: House) -> None:
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        house.ingest.receiver.receive(received(syntax, encoded(ct(1), syntax)))
        house.quiet()
    assert len(house.published()) == 1


def test_sequences_of_another_length_encoding_are_no_difference(house: House) -> None:
    """Some senders write sequences with their length, others with a delimiter (PS3.5 7.5)."""
    for undefined in (True, False):
        dataset = ct(1, ReferencedImageSequence=[ct(2)])
        dataset["ReferencedImageSequence"].is_undefined_length = undefined
        house.ingest.receiver.receive(received(ExplicitVRLittleEndian, encoded(dataset)))
        house.quiet()
    assert len(house.published()) == 1


def test_the_old_content_in_another_syntax_is_the_old_content(house: House) -> None:
    """v1 A, then within one quiet time B and A in another syntax: the set is what it was."""
    house.ingest.receiver.receive(received(ExplicitVRLittleEndian, encoded(ct(1))))
    house.quiet()
    other = encoded(ct(1, PatientName="X"))
    house.ingest.receiver.receive(received(ExplicitVRLittleEndian, other))
    again = encoded(ct(1), ImplicitVRLittleEndian)
    house.ingest.receiver.receive(received(ImplicitVRLittleEndian, again))
    assert len(house.quiet()) == 1


def test_other_pixels_in_another_syntax_are_a_difference(house: House) -> None:
    house.ingest.receiver.receive(received(ExplicitVRLittleEndian, encoded(ct(1))))
    house.quiet()
    changed = encoded(ct(1, PixelData=ct(2).PixelData), ImplicitVRLittleEndian)
    house.ingest.receiver.receive(received(ImplicitVRLittleEndian, changed))
    assert [ready.version for ready in house.quiet()] == [1, 2]


def test_series_are_cases_of_their_own_where_the_ae_title_groups_by_series(house: House) -> None:
    series = [ct(n, SeriesInstanceUID=f"{STUDY}.{n}") for n in (1, 2)]
    send(house.scp.port, series, "BYSERIES")
    assert len({ready.case_id for ready in house.quiet()}) == 2


def test_the_lane_is_that_of_the_ae_title(house: House) -> None:
    send(house.scp.port, [ct(1)], "COVID19STAT")
    (ready,) = house.quiet()
    assert (ready.lane, house.bus.records[0].place.lane) == (Lane.STAT, Lane.STAT)


def test_the_source_s_time_zone_is_kept(house: House) -> None:
    send(house.scp.port, [ct(1, TimezoneOffsetFromUTC="+0530")])
    (ready,) = house.quiet()
    assert house.manifest(ready).timezone == "+0530"


def test_a_broken_instance_is_kept_and_says_so(house: House) -> None:
    cut = encoded(ct(1))[:-50]
    assert house.ingest.receiver.receive(received(ExplicitVRLittleEndian, cut)) is KEPT
    (ready,) = house.quiet()
    assert house.manifest(ready).instances[0].defect == "truncated"


def made_by_us(house: House, uid: str) -> Fact:
    send(house.scp.port, [ct(1)])
    (ready,) = house.quiet()
    data = DicomReady(
        **{**ready.model_dump(exclude={"completeness"}), "stage": "lung-dicom-seg"},
        output="lung-seg",
        kind="seg",
        sop_class_uid=SEG,
        sop_instance_uid=uid,
        series_instance_uid="2.25.1",
    )
    event = Event("id", "writers", "dicom-ready", ready.job_id, house.clock(), "", data)
    return Fact(event, BusPlace("clarion.dicom-ready.v1.routine", 0, 0, Lane.ROUTINE))


def test_our_own_output_is_recognised_by_its_uid_even_after_a_restart(house: House) -> None:
    ours = ct(9, SOPClassUID=SEG, SOPInstanceUID="2.25.9")
    house.ingest.recognise([made_by_us(house, "2.25.9")])
    house.restart()
    assert send(house.scp.port, [ours]) == [0]
    assert len(house.quiet()) == 1


@pytest.mark.parametrize(("modality", "jobs"), [("SEG", 0), ("CT", 1)])
def test_our_own_output_is_recognised_by_its_maker(house: House, modality: str, jobs: int) -> None:
    equipment = {"Manufacturer": "Clarion", "SoftwareVersions": "0.1.0", "Modality": modality}
    assert send(house.scp.port, [ct(1, **equipment)]) == [0]
    assert (len(house.quiet()), len(house.ingest.index.unexamined())) == (jobs, 0)


@pytest.mark.skipif(not DATA.exists(), reason="real data is not at ../shared/data")
def test_a_real_series_arrives_byte_for_byte(house: House) -> None:
    import pydicom

    paths = sorted((DATA / "chest-ct-real" / "lung_dx_a0001_sharp").glob("*.dcm"))[:8]
    assert set(send(house.scp.port, [pydicom.dcmread(path) for path in paths])) == {0}
    (ready,) = house.quiet()
    manifest = house.manifest(ready)
    files = InstanceFiles(manifest, house.store)
    sent = {pydicom.dcmread(path).PixelData for path in paths}
    assert {bytes(files.bytes(i.pixels)) for i in manifest.instances if i.pixels} == sent
