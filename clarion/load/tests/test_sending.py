"""However a sender misbehaves, each image is acknowledged in the end."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import pytest
import yaml

from clarion.failure import Failure
from clarion.load.identities import Run
from clarion.load.plan import Fault
from clarion.load.routes import Way, definition, ways
from clarion.load.sending import send
from clarion.load.studies import Study, make, recorded
from clarion.load.tests.studies import order
from clarion.storage import Target
from clarion.tests.receiver import Receiver, listening
from deploy.embedded.home import HomeSettings
from phantom.dicom import write
from phantom.studies import slab
from services.ingest.settings import IngestSettings, Route
from shared.events.models import Lane

PIPELINE = definition(IngestSettings().pipelines, "covid19-ct")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as ready:
        yield ready


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return _study(tmp_path, 6)


@pytest.fixture
def pauses(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """How many images had come at each pause of the sender, and its seconds: it takes none."""
    made: list[tuple[int, float]] = []

    def pause(seconds: float) -> None:
        made.append((len(receiver.datasets), seconds))

    monkeypatch.setattr("clarion.load.sending.sleep", pause)
    return made


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.NONE, [([0, 1, 2, 3, 4, 5], "released")]),
        (Fault.ABORT, [([0, 1, 2], "aborted"), ([0, 1, 2, 3, 4, 5], "released")]),
        (Fault.EARLY_RELEASE, [([0, 1, 2], "released"), ([3, 4, 5], "released")]),
        (Fault.DUPLICATES, [([0, 1, 2, 3, 4, 5, 0, 3], "released")]),
        (Fault.SLOW, [([0, 1, 2, 3, 4, 5], "released")]),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_a_fault_loses_no_image(
    receiver: Receiver, study: Study, fault: Fault, expected: list[tuple[list[int], str]]
) -> None:
    sent = send(order(fault=fault), study, _way(receiver), 0.0)
    assert (sent.stored, sent.instances, sent.makes_job) == (True, 6, True)
    assert _came(receiver, study) == expected


def test_parallel_associations_are_open_at_once(receiver: Receiver, study: Study) -> None:
    receiver.meeting = Barrier(3)
    sent = send(order(fault=Fault.PARALLEL), study, _way(receiver), 0.0)
    assert (sent.stored, sent.unanswered) == (True, 0)
    thirds = [([0, 3], "released"), ([1, 4], "released"), ([2, 5], "released")]
    assert sorted(_came(receiver, study)) == thirds


@pytest.mark.parametrize("fault", [Fault.ABORT, Fault.EARLY_RELEASE])
def test_who_went_too_early_comes_again_after_a_pause(
    receiver: Receiver, study: Study, pauses: list[tuple[int, float]], fault: Fault
) -> None:
    send(order(fault=fault), study, _way(receiver), 0.0)
    assert pauses[0] == (3, 0.5)


@pytest.mark.parametrize(("images", "pause_s"), [(6, 1.0), (16, 0.625)])
def test_a_slow_sender_pauses_after_each_image_for_ten_seconds_in_all_at_most(
    receiver: Receiver,
    tmp_path: Path,
    pauses: list[tuple[int, float]],
    images: int,
    pause_s: float,
) -> None:
    send(order(fault=Fault.SLOW), _study(tmp_path, images), _way(receiver), 0.0)
    assert pauses == [(come, pause_s) for come in range(1, images + 1)]


@pytest.mark.parametrize("modality", ["MR", "US", "DX", "SR"])
def test_a_study_of_one_s_own_makes_a_job_if_its_headers_are_admitted(
    receiver: Receiver, tmp_path: Path, modality: str
) -> None:
    datasets = slab(1)[:3]
    for dataset in datasets:
        dataset.Modality = modality
    write(datasets, tmp_path / "scans")
    sources = recorded([tmp_path / "scans"])
    alone = make(order(), sources[0], Run(1), tmp_path / "alone")
    assert not send(order(), alone, _way(receiver), 0.0).makes_job

    datasets[1].Modality = "CT"
    write(datasets, tmp_path / "scans")
    mixed = make(order(), sources[0], Run(2), tmp_path / "mixed")
    assert send(order(), mixed, _way(receiver), 0.0).makes_job


def test_what_nobody_answered_is_sent_once_more(receiver: Receiver, study: Study) -> None:
    receiver.silent_once = {study.instances[2].sop_instance_uid}
    sent = send(order(), study, _way(receiver), 0.0)
    assert (sent.stored, sent.unanswered) == (True, 4)  # it, and all that came after it
    assert len(receiver.associations) == 2


def test_an_image_that_is_refused_makes_the_study_not_stored(
    receiver: Receiver, study: Study
) -> None:
    receiver.statuses = {study.instances[2].sop_instance_uid: 0xA700}
    sent = send(order(), study, _way(receiver), 0.0)
    assert sent.why_not == "1 of 6 instances not stored: Refused: Out of Resources"


def test_an_association_that_is_rejected_makes_the_study_not_stored(
    receiver: Receiver, study: Study
) -> None:
    nobody = Way(Target("NOBODY", "127.0.0.1", receiver.port), Lane.ROUTINE, PIPELINE)
    assert "1/1/7" in send(order(), study, nobody, 0.0).why_not


def test_a_lane_is_reached_by_its_title_or_stat_by_priority() -> None:
    aes = {
        "USUAL": Route(pipeline="covid19-ct"),
        "NIGHT": Route(pipeline="covid19-ct", lane=Lane.BULK),
    }
    found = ways(list(Lane), aes, 104, IngestSettings().pipelines)
    assert {lane: (way.target.ae_title, way.priority) for lane, way in found.items()} == {
        Lane.STAT: ("USUAL", Lane.STAT),
        Lane.ROUTINE: ("USUAL", Lane.ROUTINE),
        Lane.BULK: ("NIGHT", Lane.ROUTINE),
    }


@pytest.mark.parametrize(("taken", "new"), [("USUAL", "LOAD"), ("LOAD", "LOAD2")])
def test_what_a_lane_without_a_title_is_told_to_set_keeps_all_that_is_served(
    taken: str, new: str
) -> None:
    served = {taken: Route(pipeline="covid19-ct", quiet_s=3), "7": Route(pipeline="covid19-ct")}
    with pytest.raises(Failure, match=r"^lane-without-route: .*CLARION_AES") as refused:
        ways([Lane.BULK], served, 104, IngestSettings().pipelines)
    advice = str(refused.value).partition("\n")[2]
    settings = HomeSettings.model_validate(yaml.safe_load(advice))
    aes = IngestSettings.model_validate({"aes": settings.environment["CLARION_AES"]}).aes
    assert aes == {**served, new: Route(pipeline="covid19-ct", lane=Lane.BULK)}


def _way(receiver: Receiver) -> Way:
    return Way(Target("PACS", "127.0.0.1", receiver.port), Lane.ROUTINE, PIPELINE)


def _study(folder: Path, images: int) -> Study:
    write(slab(1)[:images], folder / "scans")
    [source] = recorded([folder / "scans"])
    return make(order(), source, Run(1), folder / "made")


def _came(receiver: Receiver, study: Study) -> list[tuple[list[int], str]]:
    """By association: the places in the study of what it brought, and how it ended."""
    places = {each.sop_instance_uid: place for place, each in enumerate(study.instances)}
    return [([places[uid] for uid in each.instances], each.end) for each in receiver.came()]
