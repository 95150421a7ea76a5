"""A running system, as a hospital and an operator see it: send studies, see what became of them."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from pydicom.dataset import Dataset

from deploy.embedded.cache import REPOSITORY
from deploy.embedded.home import Home, create_home, default_ports, replica_ports
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime
from deploy.embedded.supervisor import Control
from deploy.embedded.survivors import marked_processes
from deploy.embedded.system import bring_down, bring_up
from phantom.studies import slab
from shared.catalog import Catalog, load_catalog
from shared.events.models import Lane
from shared.identity import case_id
from shared.telemetry.tracing import EXPORTED_EVERY_S
from tests.e2e import sending

DATA = REPOSITORY.parent / "shared" / "data"
PIPELINE, ECHO_PIPELINE = "covid19-ct", "covid19-ct-echo"
DEFINITIONS = REPOSITORY / "deploy" / "pipelines"

SHORT, LONG, TRICKLE, ECHO, NIGHT = "COVID19", "PATIENT", "TRICKLE", "ECHO", "NIGHT"
"""AE titles: one of a short quiet time, one that only a release ends in a test, one for instances
that come one by one, an echoing PACS, and one whose studies are bulk."""
_QUIET_S = {SHORT: 1.0, LONG: 30.0, TRICKLE: 5.0, ECHO: 1.0, NIGHT: 30.0}
_START_S, _END_S, _LOOK_S = 300.0, 180.0, 0.1
_LOOKS = round(1.5 * EXPORTED_EVERY_S / _LOOK_S)
"""Longer, together, than any process keeps its last spans back."""

T = TypeVar("T")
Job = dict[str, Any]
_seeds = count(1000)


def until(what: str, found: Callable[[], T | None], within_s: float = _END_S) -> T:
    """What is found in the end. Fails when time is up."""
    deadline = time.monotonic() + within_s
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s:g} s")
        time.sleep(_LOOK_S)
    return answer


def new_seed() -> int:
    """A patient that no other test has sent."""
    return next(_seeds)


@dataclass(frozen=True)
class System:
    """One home whose processes run."""

    home: Home
    results: httpx.Client
    console: httpx.Client

    @property
    def dicom_port(self) -> int:
        return self.home.ports["ingest.dicom"]

    @property
    def control(self) -> Control:
        """Of its supervisord."""
        return Control(self.home)

    @property
    def jobs(self) -> list[Job]:
        """Every job, as the listing shows it."""
        answer = self.results.get("/jobs", params={"limit": 10_000})
        found: list[Job] = answer.raise_for_status().json()
        return found

    def send(self, datasets: Iterable[Dataset], called: str = SHORT) -> None:
        """One association, and Success for each instance."""
        answers = sending.statuses(self.dicom_port, called, datasets)
        assert set(answers) == {0}, answers

    def send_files(self, *paths: Path, called: str = SHORT) -> None:
        """Files and folders, sent by storescu."""
        sending.storescu(self.dicom_port, called, *paths)

    def versions(self, study: str, pipeline: str = PIPELINE) -> list[Job]:
        """The jobs of a study, first version first."""
        case = case_id(pipeline, study, "study")
        return sorted(
            (job for job in self.jobs if job["case_id"] == case),
            key=lambda job: int(job["version"]),
        )

    def job(self, job_id: str) -> Job:
        found: Job = self.results.get(f"/jobs/{job_id}").raise_for_status().json()
        return found

    def ended(self, study: str, version: int = 1, run: int = 1, pipeline: str = PIPELINE) -> Job:
        """The job of a version, when it has finished and is delivered."""

        def found() -> Job | None:
            for job in self.versions(study, pipeline):
                if (job["version"], job["run"]) == (version, run) and _is_over(job):
                    return self.job(job["job_id"])
            return None

        return until(f"version {version}, run {run}", found)

    def analysed(self, datasets: Sequence[Dataset], called: str = SHORT) -> Job:
        """Send a new study and wait for its job's end."""
        self.send(datasets, called)
        return self.ended(str(datasets[0].StudyInstanceUID))

    def rerun(self, job: Job, fresh: bool = False) -> Job:
        """Run a job again and wait for the end."""
        answer = self.results.post(f"/jobs/{job['job_id']}/rerun", params={"fresh": fresh})
        run = answer.raise_for_status().json()["run"]

        def found() -> Job | None:
            now = self.job(job["job_id"])
            settled = now["status"] != "running" and not _waiting(now)
            return now if now["run"] == run and settled else None

        return until(f"run {run}", found)

    def passed(self) -> None:
        """Send a small new study and wait for its end: what was sent before had its time, too."""
        datasets = slab(new_seed())[:3]
        assert self.analysed(datasets)["reasons"][0]["code"] == "too-few-slices"

    def trace(self, job: Job) -> dict[str, Any]:
        """The trace of a job's run, when no process has any more to tell of it."""
        counts: list[int] = []

        def found() -> dict[str, Any] | None:
            body: dict[str, Any] = self.console.get(f"/api/traces/{job['trace_id']}").json()
            spans = body.get("spans", ())
            counts.append(len(spans))
            ended = {"study", "finish", "deliver"} <= {span["name"] for span in spans}
            return body if ended and counts[-_LOOKS:] == [len(spans)] * _LOOKS else None

        return until("trace", found)

    def received(self, study: str) -> dict[str, Path]:
        """What the PACS has filed of a study, by SOPInstanceUID."""
        return {path.stem: path for path in (self.home.received / study).rglob("*.dcm")}

    def outcomes(self, job_id: str) -> set[str]:
        """The stages of a job's first run that have ended."""
        return {path.stem for path in (self.home.payloads / "outcomes" / job_id / "1").glob("*")}

    def is_healthy(self, service: str) -> bool:
        """What the service says on its /health."""
        url = f"http://{self.home.local(f'{service}.health')}/health"
        try:
            return httpx.get(url, trust_env=False, verify=False).is_success  # noqa: S501
        except httpx.HTTPError:
            return False

    def pids(self, *words: str) -> set[int]:
        """The home's processes whose command holds all these words."""
        return {
            each.pid
            for each in marked_processes(self.home.folder)
            if all(any(word in part for part in each.command) for word in words)
        }


def _is_over(job: Job) -> bool:
    return job["status"] != "running" and not job["deliveries"].get("waiting")


def _waiting(job: Job) -> bool:
    return any(
        delivery["status"] == "waiting"
        for output in job["outputs"]
        for delivery in output["deliveries"]
    )


@contextmanager
def running_system(
    folder: Path,
    runtime: Runtime,
    echo_port: int,
    environment: Mapping[str, str] | None = None,
    *,
    catalog: Catalog | None = None,
    replicas: Mapping[str, int] | None = None,
    prepare: Callable[[Home], None] = lambda _: None,
    start_s: float = _START_S,
) -> Iterator[System]:
    """A whole system in a new home; `echo_port` is where the destination `echo` listens.

    `prepare` is shown the home before anything runs in it; `start_s` is how long a part may take.
    """
    catalog = catalog or load_catalog()
    _write_settings(folder, echo_port, environment or {}, catalog, replicas or {})
    home = create_home(folder, catalog)
    prepare(home)
    try:
        asyncio.run(bring_up(home, runtime, catalog, _untold, start_s))
        with _client(home, "results.api") as results, _client(home, "console.http") as console:
            yield System(home, results, console)
    finally:
        asyncio.run(bring_down(home, _untold))


def _client(home: Home, port: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://{home.local(port)}", trust_env=False, timeout=60)


def _write_settings(
    folder: Path,
    echo_port: int,
    environment: Mapping[str, str],
    catalog: Catalog,
    replicas: Mapping[str, int],
) -> None:
    """Free ports, short quiet times, and a second pipeline whose destination sends all back."""
    names = default_ports(catalog) | replica_ports(catalog, replicas)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    pipelines = folder / "pipelines"
    pipelines.mkdir(parents=True)
    text = (DEFINITIONS / f"{PIPELINE}.yaml").read_text()
    (pipelines / f"{PIPELINE}.yaml").write_text(text)
    echoed = text.replace(f"pipeline: {PIPELINE}", f"pipeline: {ECHO_PIPELINE}")
    (pipelines / f"{ECHO_PIPELINE}.yaml").write_text(echoed.replace("[pacs]", "[echo]"))
    pacs = {"ae_title": "PACS", "host": "127.0.0.1", "port": ports["pacs"]}
    aes = {
        title: {
            "pipeline": ECHO_PIPELINE if title == ECHO else PIPELINE,
            "quiet_s": quiet,
            "lane": str(Lane.BULK if title == NIGHT else Lane.ROUTINE),
        }
        for title, quiet in _QUIET_S.items()
    }
    told = {
        "CLARION_AES": yaml.safe_dump(aes, default_flow_style=True).strip(),
        "CLARION_RELEASE_S": "1",
        "CLARION_WORKERS": "1",  # a test that freezes a service's worker freezes the service
        "CLARION_PIPELINES": str(pipelines),
        "CLARION_DESTINATIONS": yaml.safe_dump(
            {"pacs": pacs, "echo": {**pacs, "port": echo_port}}, default_flow_style=True
        ).strip(),
        **environment,
    }
    settings = {"ports": ports, "environment": told, "replicas": dict(replicas)}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))


def _untold(part: str, what: str) -> None:
    """Nobody listens to the progress."""


def dicom_outputs(job: Job) -> dict[str, Path]:
    """The outputs that go to the PACS, as the payload store keeps them, by SOPInstanceUID."""
    return {
        output["sop_instance_uid"]: Path(output["path"])
        for output in job["outputs"]
        if output["sop_instance_uid"]
    }


def output(job: Job, name: str) -> Path:
    """The file of an output."""
    [found] = [output["path"] for output in job["outputs"] if output["name"] == name]
    return Path(found)


def digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """sha256 of each file."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}


def dataset_digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """sha256 of each data set as it was sent; file meta information is each keeper's own."""
    return {
        name: hashlib.sha256(sending.dataset_bytes(path)[0]).hexdigest()
        for name, path in paths.items()
    }


def output_digests(job: Job) -> dict[str, str]:
    """sha256 of every output that a job has made, by the output's name."""
    made = {output["name"]: output["path"] for output in job["outputs"] if output["path"]}
    return digests({name: Path(path) for name, path in made.items()})
