"""Nothing that identifies a patient leaves payloads, journal and ledger, whatever becomes of it."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from phantom.studies import slab
from tests.e2e import sending
from tests.e2e.quoting import BROKEN
from tests.e2e.studies import study_uid
from tests.e2e.system import LONG, SHORT, Job, System, new_seed
from tests.pipeline.canaries import PRIVATE, ROOT, TEXT, VALUES, found_in, marked

pytestmark = pytest.mark.e2e

PRIVATE_PLACES = ("payloads/artifacts", "ingest", "ledger.db", "received", "models")
"""Where patients are allowed to be. Models hold none, and are large."""
INDEXES = (".index", ".timeindex")
"""Kafka's, of offsets: ten megabytes of zeros each."""
UNKNOWN, CALLING = f"{TEXT}77777", f"{TEXT}88888"
"""AE titles of a sender that is turned away."""


@dataclass(frozen=True)
class Sent:
    """What became of studies full of canaries."""

    jobs: dict[str, Job]


def analysed() -> list[Dataset]:
    return slab(new_seed())


def refused() -> list[Dataset]:
    """Too few slices."""
    return slab(new_seed())[:3]


def failed() -> list[Dataset]:
    """The reader fails at it three times, and each error quotes it."""
    return slab(new_seed())


STUDIES: dict[str, Callable[[], list[Dataset]]] = {
    "completed": analysed,
    "refused": refused,
    "failed": failed,
}


@pytest.fixture(scope="module")
def sent(instant: System) -> Sent:
    """Studies that are analysed, refused and given up; and senders that do it all wrong."""
    jobs = {}
    for number, (status, make) in enumerate(STUDIES.items()):
        datasets = as_patient(marked(make()), number)
        if status == "failed":
            for dataset in datasets:
                dataset.StudyDescription = BROKEN
        instant.send(datasets, LONG)  # which no starved sender splits
        jobs[status] = instant.ended(study_uid(datasets))
    turned_away(instant.dicom_port)
    not_understood(instant.dicom_port)
    over_http(instant)
    instant.passed()
    instant.trace(jobs["completed"])  # until each process has told all its spans
    return Sent(jobs)


def as_patient(datasets: list[Dataset], number: int) -> list[Dataset]:
    """Another study each time, of whose UIDs every one is still a canary."""
    for index, dataset in enumerate(datasets):
        dataset.StudyInstanceUID = f"{ROOT}.{number + 10}"
        dataset.SeriesInstanceUID = f"{ROOT}.{number + 10}.1"
        dataset.SOPInstanceUID = f"{ROOT}.{number + 10}.1.{index}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return datasets


def turned_away(port: int) -> None:
    """An association for an AE title that is not ours, and one that offers nothing we know."""
    for called, abstract_syntax in ((UNKNOWN, "1.2.840.10008.1.1"), (SHORT, f"{ROOT}.4")):
        entity = AE(ae_title=CALLING)
        entity.add_requested_context(abstract_syntax)
        assert not entity.associate(sending.HOST, port, ae_title=called).is_established
    with socket.create_connection((sending.HOST, port), timeout=30) as connection:
        connection.sendall(b"\x01\x00" + TEXT.encode() + b"66666" + bytes(80))
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            connection.recv(1)


def not_understood(port: int) -> None:
    """Data sets that are none, and UIDs that are none, one of which is far too long."""
    values = VALUES["PatientName"].encode()
    names = (f"{ROOT}.5.1", f"{ROOT}.5" + ".1" * 40, f"{TEXT}55555")
    for name in names:
        for dataset in (values, b"\x08\x00\x18\x00UI\xff\xff" + values):
            sending.raw(
                port, LONG, dataset, ExplicitVRLittleEndian, "1.2.840.10008.5.1.4.1.1.2", name
            )


def over_http(system: System) -> None:
    """STOW-RS: what names the study stands in the address."""
    [file] = sending.as_files(as_patient(marked(analysed()[:1]), 9))
    boundary = f"{TEXT}44444"
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    parts = (
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
        file,
        f"\r\n--{boundary}--\r\n".encode(),
    )
    address = f"http://{system.home.local('ingest.health')}"
    for content in (b"".join(parts), f"--{boundary} {VALUES['PatientID']}".encode()):
        for path in (f"{SHORT}/studies/{ROOT}.19", f"{UNKNOWN}/studies"):
            url = f"{address}/{path}"
            httpx.post(url, content=content, headers={"content-type": kind}, trust_env=False)


def public_files(home: Path) -> Iterator[Path]:
    """Topics, spans, outcomes, logs, and whatever else the system leaves in its home."""
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home).as_posix()
        if path.is_file() and not place.startswith(PRIVATE_PLACES) and path.suffix not in INDEXES:
            yield path


def read(path: Path) -> str:
    """A file as text, whatever it holds; nothing of a folder, or of one that has gone."""
    try:
        return path.read_bytes().decode("latin-1")
    except (FileNotFoundError, IsADirectoryError):
        return ""


def pages(system: System, jobs: Sequence[Job]) -> Iterator[tuple[str, str]]:
    """What the system says over HTTP."""
    local = system.home.local
    addresses = [f"http://{local(f'{name}.health')}/health" for name in ("ingest", "reader")]
    addresses += [f"http://{local('triton-metrics')}/metrics"]
    addresses += [f"http://{local('statistics.statistics')}/snapshot"]
    addresses += [f"http://{local('results.api')}/{path}" for path in ("jobs", "failures")]
    addresses += [f"http://{local('console.http')}/"]
    for job in jobs:
        addresses += [f"http://{local('results.api')}/jobs/{job['job_id']}"]
        for page in ("traces", "api/traces"):
            addresses += [f"http://{local('console.http')}/{page}/{job['trace_id']}"]
    for address in addresses:
        answer = httpx.get(address, trust_env=False, timeout=60)
        assert answer.status_code in (200, 503), address
        yield address, answer.text


def test_the_studies_end_as_they_should(sent: Sent) -> None:
    assert {status: job["status"] for status, job in sent.jobs.items()} == {
        status: status for status in STUDIES
    }


def test_what_was_sent_lies_where_it_may(instant: System, sent: Sent) -> None:
    """Or else there would be nothing to find."""
    kept = "".join(read(path) for path in (instant.home.payloads / "artifacts").rglob("*"))
    journal = "".join(read(path) for path in (instant.home.folder / "ingest").rglob("*"))
    assert {VALUES["PatientName"], PRIVATE} <= set(found_in([kept]))
    assert set(found_in([journal])) > {VALUES["PatientID"], PRIVATE}


def test_no_file_beside_holds_or_is_named_by_a_canary(instant: System, sent: Sent) -> None:
    home = instant.home.folder
    found = {
        path.relative_to(home).as_posix(): canaries
        for path in public_files(home)
        if (canaries := found_in([path.name, read(path)]))
    }
    assert found == {}


@pytest.mark.parametrize("place", ["kafka", "spans.db", "logs", "payloads/outcomes"])
def test_it_was_looked_for_where_every_job_is_told_of(
    instant: System, sent: Sent, place: str
) -> None:
    """Topics and spans are not compressed: the jobs' ids are found by the same means."""
    where = str(instant.home.folder / place)
    files = [path for path in public_files(instant.home.folder) if str(path).startswith(where)]
    told = "".join(f"{path} {read(path)}" for path in files)
    assert [job["status"] for job in sent.jobs.values() if job["job_id"] not in told] == []


def test_no_page_and_no_metric_tells_a_canary(instant: System, sent: Sent) -> None:
    """But the name of a reconstruction kernel, by which `jobs show` tells stacks apart."""
    jobs = list(sent.jobs.values())
    found = {address: found_in([text]) for address, text in pages(instant, jobs)}
    told = {canary for canaries in found.values() for canary in canaries}
    assert told <= {VALUES["ConvolutionKernel"].upper()}


def test_no_process_is_told_a_canary(instant: System, sent: Sent) -> None:
    """Arguments can be seen by everybody on the machine."""
    told = [read(Path("/proc", str(pid), "cmdline")) for pid in instant.pids()]
    assert len(told) > 10
    assert found_in(told) == []
