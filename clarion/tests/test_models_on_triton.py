"""Promotion and rollback on a real Triton while requests keep coming."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from tenacity import retry, retry_if_exception_type
from tritonclient.grpc import InferenceServerClient, InferInput

from clarion.models import listing, promotion
from clarion.models.server import NoServer, Triton
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.runtime import missing_shared_library, unsupported_platform
from deploy.modelrepo.candidates import candidates
from deploy.modelrepo.origin import Source
from deploy.modelrepo.refused import Refused
from deploy.modelrepo.repository import Candidate, Repository
from shared.errors import Unavailable
from shared.inference.tests import doubling
from shared.inference.tests.conftest import Server
from shared.inference.triton import TritonInference

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        bool(unsupported_platform() or missing_shared_library()),
        reason=f"no Triton here: {unsupported_platform() or missing_shared_library()}",
    ),
]
AT = datetime(2026, 1, 1, tzinfo=UTC)
X = np.ones((1, 2, 3), np.float32)
FACTORS = {"1": 2.0, "2": 3.0}
REQUESTS_BETWEEN = 50


@dataclass
class Home:
    """A repository of one model, which doubles in version 1 and triples in version 2."""

    repository: Repository
    triton: Triton
    server: Server

    def promote(self, number: int) -> None:
        promotion.promote(self.repository, self.triton, "doubling", number, AT)

    def rollback(self) -> None:
        promotion.rollback(self.repository, self.triton, "doubling", AT)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    repository = Repository(tmp_path / "home" / "models")
    server = Server(install(cache_folder(), print), repository.folder)
    promotion.add(repository, NoServer(), "doubling", _made(tmp_path / "first"), AT)
    server.start()
    home = Home(repository, Triton(server.address), server)
    _add(home, _made(tmp_path / "second", 3.0))
    yield home
    server.stop()


def _add(home: Home, candidate: Candidate) -> None:
    promotion.add(home.repository, home.triton, "doubling", candidate, AT)


def _made(folder: Path, factor: float | None = None) -> Candidate:
    doubling.put(folder, factor=factor)
    return candidates(folder / "doubling", Source(source="test"))[1]


@dataclass
class Clients:
    """Two clients that ask on and on: one whatever answers, one as a unit of work asks."""

    address: str
    stop: Event = field(default_factory=Event)
    seen: list[float] = field(default_factory=list)
    units: list[tuple[str, set[float]]] = field(default_factory=list)

    def ask_any(self) -> None:
        tensor = InferInput("x", X.shape, "FP32")
        tensor.set_data_from_numpy(X)
        with InferenceServerClient(self.address) as client:
            while not self.stop.is_set():
                self.seen.append(float(client.infer("doubling", [tensor]).as_numpy("y").max()))

    def work(self) -> None:
        inference = TritonInference(self.address, shared_memory=True)
        while not self.stop.is_set():
            self.units.append(self._unit(inference))
        inference.close()

    @retry(retry=retry_if_exception_type(Unavailable))
    def _unit(self, inference: TritonInference) -> tuple[str, set[float]]:
        """A unit of three requests; the bus begins it again when its version is gone."""
        version = inference.identity("doubling").version
        answers = [inference.infer("doubling", {"x": X}, ("y",))["y"] for _ in range(3)]
        return version, {float(answer.max()) for answer in answers}

    def wait_for_more(self) -> None:
        """Until each client was answered some more, or one of them ended."""
        seen, units = len(self.seen) + REQUESTS_BETWEEN, len(self.units) + REQUESTS_BETWEEN // 3
        while (len(self.seen) < seen or len(self.units) < units) and not self.stop.wait(0.01):
            pass


def test_no_request_fails_while_versions_come_and_go(home: Home) -> None:
    clients = Clients(home.server.address)
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(clients.ask_any), threads.submit(clients.work)]
        for each in running:
            each.add_done_callback(lambda _: clients.stop.set())
        for change in (partial(home.promote, 2), home.rollback, partial(home.promote, 2)):
            clients.wait_for_more()
            change()
        clients.wait_for_more()
        clients.stop.set()
        for each in running:
            each.result()

    assert set(clients.seen) == set(FACTORS.values())
    assert {version for version, _ in clients.units} == set(FACTORS)
    assert all(answers == {FACTORS[version]} for version, answers in clients.units)


def _broken(folder: Path) -> Candidate:
    made = _made(folder)
    (made.weights / "model.onnx").write_bytes(b"no graph")
    return made


def test_what_triton_can_not_load_leaves_what_answers(home: Home, tmp_path: Path) -> None:
    _add(home, _broken(tmp_path / "broken"))

    with pytest.raises(Refused, match="version 1 goes on answering"):
        home.promote(3)

    inference = TritonInference(home.server.address, shared_memory=False)
    inference.probe()
    assert inference.identity("doubling").version == "1"
    assert np.array_equal(inference.infer("doubling", {"x": X}, ("y",))["y"], X * 2)
    inference.close()


def test_a_model_that_can_not_be_loaded_keeps_no_server_from_its_work(
    home: Home, tmp_path: Path
) -> None:
    home.server.stop()
    promotion.add(home.repository, NoServer(), "unused", _broken(tmp_path / "broken"), AT)

    home.server.start()

    assert home.triton.states()["unused"] == {1: "UNAVAILABLE"}
    inference = TritonInference(home.server.address, shared_memory=False)
    inference.probe()
    assert np.array_equal(inference.infer("doubling", {"x": X}, ("y",))["y"], X * 2)
    inference.close()


def test_the_list_tells_what_triton_has_loaded(home: Home) -> None:
    home.promote(2)
    first, second = listing.of_home(home.repository, home.triton)
    assert (first["active"], second["active"], second["triton"]) == (False, True, "READY")
    (told,) = (e for e in listing.of_server(home.triton, "elsewhere") if e["active"])
    assert told["sha256"] == home.repository.origin("doubling", 2).weights


def test_an_unloaded_model_stays_so_when_triton_starts_again(home: Home) -> None:
    promotion.unload(home.repository, home.triton, "doubling")
    assert home.triton.serving("doubling") is None
    home.server.stop()
    home.server.start()
    assert home.triton.serving("doubling") is None

    promotion.load(home.repository, home.triton, "doubling")

    inference = TritonInference(home.server.address, shared_memory=False)
    assert np.array_equal(inference.infer("doubling", {"x": X}, ("y",))["y"], X * 2)
    inference.close()
