"""`clarion load` refuses what it can't do, sends what it was asked for, and ends in words."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from pynetdicom.dsutils import decode
from typer.testing import CliRunner, Result

from clarion.__main__ import build
from clarion.failure import Failure
from clarion.load.arrivals import HOSPITAL_HOUR
from clarion.load.judging import Lost
from clarion.load.plan import Fault, Order
from clarion.load.report import Report, Verdict
from clarion.load.tests.reports import HELD
from clarion.load.tests.studies import job
from clarion.tests.receiver import Receiver, listening
from deploy.embedded.home import Home
from phantom.dicom import write
from phantom.studies import slab
from shared.events.models import Lane
from shared.identity import case_id

NOBODY = 9
"""A port on which nothing listens."""


@dataclass
class Unsent:
    """A session in which every run comes to the same, and nothing is drawn or sent."""

    report: Report
    home: Home | None = None
    orders: list[Order] = field(default_factory=list)

    def run(self, orders: Iterator[Order], planned: int, _: str) -> Report:
        self.orders = list(orders)
        assert len(self.orders) == planned
        return self.report


@dataclass
class Completes:
    """A jobs API in which every study that came has a completed job."""

    ingest: Receiver

    def get(self, path: str, **_: Any) -> Any:
        studies = {
            str(decode(BytesIO(each), is_implicit_vr=False, is_little_endian=True).StudyInstanceUID)
            for each in [*self.ingest.datasets.values()]  # more may come meanwhile
        }
        made = [job(case_id("covid19-ct", uid, "study")) for uid in studies]
        return made if path == "/jobs" else next(j for j in made if path.endswith(j["job_id"]))


def test_a_system_that_is_down_is_not_put_under_load(tmp_path: Path) -> None:
    done = _load("--home", str(tmp_path))
    assert isinstance(done.exception, Failure)
    assert "not-up" in str(done.exception)


def test_another_machine_is_never_put_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_RESULTS_URL", "http://10.0.0.5:8081")
    done = _load("--home", str(tmp_path))
    assert isinstance(done.exception, Failure)
    assert "not-loopback" in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "300"],
        ["--lanes", "urgent=1"],
        ["--faults", "sleep=0.1"],
        ["--phantoms", "HUGE"],
        ["--profile", "quiet-night"],
        ["--profile", "hospital-hour", "--from", "."],
        ["--profile", "hospital-hour", "--capacity"],
        ["--studies", "0"],
    ],
)
def test_what_is_no_load_is_wrong_usage(arguments: list[str]) -> None:
    assert _load(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("lost", "status", "words"),
    [
        ((), 0, "nothing lost, all delivered: 9 studies, jobs: completed 9"),
        ((Lost("case", "2.25.1", "no job began"),), 1, "not well: 9 studies, lost 1"),
    ],
)
def test_the_last_line_is_the_verdict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: tuple[Lost, ...],
    status: int,
    words: str,
) -> None:
    _unsent(monkeypatch, replace(HELD, verdict=Verdict(lost)))
    told, for_programs = (_load("--home", str(tmp_path), *more) for more in ((), ("--json",)))
    assert (told.exit_code, told.output.splitlines()[-1]) == (status, words)
    assert (for_programs.exit_code, json.loads(for_programs.stdout)["ok"]) == (status, not lost)


def test_orders_are_what_the_options_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = _unsent(monkeypatch)

    def ordered(seed: int) -> list[Order]:
        what = ("--studies", "60", "--lanes", "stat=1", "--faults", "slow=1", "--shuffle")
        _load("--home", str(tmp_path), *what, "--rate", "2/min", "--seed", str(seed))
        return session.orders

    first = ordered(1)
    assert first == ordered(1)
    assert first != ordered(2)
    assert {(each.lane, each.fault) for each in first} == {(Lane.STAT, Fault.SLOW)}
    assert set(pairwise(each.source for each in first)) == set(product(range(2), repeat=2))
    gaps = [after.due_s - before.due_s for before, after in pairwise(first)]
    assert sum(gaps) / len(gaps) == pytest.approx(30, rel=0.5)
    assert min(gaps) < 10 < 60 < max(gaps)


def test_without_options_ten_plain_studies_are_due_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _unsent(monkeypatch)
    _load("--home", str(tmp_path))
    assert session.orders == [
        Order(number, 0.0, Lane.ROUTINE, Fault.NONE, number % 2) for number in range(10)
    ]


def test_a_profile_is_an_hour_of_its_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _unsent(monkeypatch)
    _load("--home", str(tmp_path), "--profile", "hospital-hour")
    assert Counter(each.modality for each in session.orders) == HOSPITAL_HOUR.studies
    assert session.orders[-1].due_s == pytest.approx(3600, rel=0.2)


def test_studies_of_folders_are_sent_and_followed_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(slab(1)[:1], tmp_path / "scans" / "one")
    write(slab(2)[:4], tmp_path / "scans" / "four")
    with listening(Receiver()) as ingest:
        home = _home(tmp_path / "home", ingest)
        monkeypatch.setattr("clarion.load.system.require_up", lambda _: None)
        monkeypatch.setattr("clarion.load.system.results", lambda _: Completes(ingest))
        monkeypatch.setattr("clarion.load.tracking._LATER_VERSION_S", 0.0)
        what = ("--from", str(tmp_path / "scans"), "--shuffle", "--studies", "6", "--senders", "1")
        how = ("--lanes", "stat=1", "--faults", "duplicates=1", "--json")
        done = _load("--home", str(home), *what, *how)

        told = json.loads(done.stdout)
        assert (done.exit_code, told["ok"], told["jobs"]) == (0, True, {"completed": 6})
        assert told["sending"]["faults"] == {"duplicates": 6}
        assert ingest.priorities == {1}
        came = ingest.came()
    assert {each.end for each in came} == {"released"}
    sizes = [len(each.instances) for each in came]
    assert set(sizes) == {1 + 1, 4 + 2}
    assert any(before == after for before, after in pairwise(sizes))
    assert len(ingest.datasets) == sum({2: 1, 6: 4}[size] for size in sizes)


def _unsent(monkeypatch: pytest.MonkeyPatch, report: Report = HELD) -> Unsent:
    session = Unsent(report)

    @contextmanager
    def opened(home: Home, *_: object) -> Iterator[Unsent]:
        session.home = home
        yield session

    monkeypatch.setattr("clarion.load.system.require_up", lambda _: None)
    monkeypatch.setattr("clarion.load.session.phantoms", lambda *_: (object(), object()))
    monkeypatch.setattr("clarion.load.session.opened", opened)
    return session


def _home(folder: Path, ingest: Receiver) -> Path:
    """A home whose ingest is the receiver, and of which nothing else is up."""
    ports = {"ingest.dicom": ingest.port}
    ports |= dict.fromkeys(("triton-metrics", "statistics.statistics"), NOBODY)
    aes = json.dumps({"PACS": {"pipeline": "covid19-ct"}})
    folder.mkdir()
    settings = {"ports": ports, "environment": {"CLARION_AES": aes}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _load(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["load", *arguments])
