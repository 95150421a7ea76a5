"""What every `Inference` does: the fake, and Triton with shared memory and without."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from shared.errors import Unavailable
from shared.events.models import Lane
from shared.identity import digest
from shared.inference.fake import FakeInference
from shared.inference.port import Inference, ModelFailed, UnknownModel
from shared.inference.tests import doubling
from shared.inference.tests.conftest import Server
from shared.inference.triton import TritonInference

Rows = Callable[[int], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


def _rows(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.arange(count * 3, dtype=np.float32).reshape(1, count, 3)


@pytest.fixture(
    params=[
        "fake",
        pytest.param("shared memory", marks=pytest.mark.e2e),
        pytest.param("bytes", marks=pytest.mark.e2e),
    ]
)
def inference(request: pytest.FixtureRequest) -> Iterator[Inference]:
    if request.param == "fake":
        yield FakeInference({"doubling": doubling.fake()})
        return
    address = request.getfixturevalue("triton_address")
    connected = TritonInference(address, shared_memory=request.param == "shared memory")
    yield connected
    connected.close()


def test_a_model_answers(inference: Inference) -> None:
    answer = inference.infer("doubling", {"x": _rows(4)}, ("y",))

    assert np.array_equal(answer["y"], _rows(4) * 2)


def test_answers_stay_what_they_were_when_larger_and_smaller_ones_follow(
    inference: Inference,
) -> None:
    counts = (4, 4000, 40)

    answers = [inference.infer("doubling", {"x": _rows(count)}, ("y",))["y"] for count in counts]

    for count, answer in zip(counts, answers, strict=True):
        assert np.array_equal(answer, _rows(count) * 2)


def test_an_input_that_is_a_view_is_sent_as_its_values(inference: Inference) -> None:
    reversed_rows = _rows(5)[:, ::-1]

    answer = inference.infer("doubling", {"x": reversed_rows}, ("y",))

    assert np.array_equal(answer["y"], reversed_rows * 2)


@pytest.mark.parametrize("lane", list(Lane))
def test_every_lane_is_served(inference: Inference, lane: Lane) -> None:
    assert inference.infer("doubling", {"x": _rows(1)}, ("y",), lane)["y"].shape == (1, 1, 3)


def test_a_model_says_what_it_expects_and_who_it_is(inference: Inference) -> None:
    assert inference.parameters("doubling") == doubling.PARAMETERS
    identity = inference.identity("doubling")
    assert (identity.name, identity.version) == ("doubling", "1")
    assert (identity.digest, identity.algorithm) == (doubling.PARAMETERS["sha256"], "Doubling")
    assert identity.parameters == digest(doubling.PARAMETERS)


def test_the_same_weights_with_another_configuration_are_another_model() -> None:
    said = ({"sha256": "f" * 64, "threshold": threshold} for threshold in ("0.4", "0.9", "0.9"))
    served = FakeInference({})
    identities = []
    for each in said:
        served.promote("doubling", replace(doubling.fake(), parameters=each))
        identities.append(served.identity("doubling"))

    assert identities[0] != identities[1] == identities[2]


def test_a_model_that_nobody_has_is_unknown(inference: Inference) -> None:
    with pytest.raises(UnknownModel):
        inference.parameters("tripling")
    with pytest.raises(UnknownModel):
        inference.infer("tripling", {"x": _rows(1)}, ("y",))


def test_an_input_that_the_model_can_not_take_is_the_models_failure(inference: Inference) -> None:
    with pytest.raises(ModelFailed):
        inference.infer("doubling", {"x": np.zeros((1, 2, 4), np.float32)}, ("y",))

    assert inference.infer("doubling", {"x": _rows(1)}, ("y",))["y"].any()


def test_a_server_that_is_up_passes_the_probe(inference: Inference) -> None:
    inference.probe()


def _nobody() -> Inference:
    fake = FakeInference({"doubling": doubling.fake()})
    fake.down = True
    return fake


@pytest.mark.parametrize(
    "down",
    [
        pytest.param(_nobody, id="fake"),
        pytest.param(lambda: TritonInference("127.0.0.1:1", shared_memory=True), id="triton"),
    ],
)
def test_a_server_that_is_down_is_unavailable(down: Callable[[], Inference]) -> None:
    inference = down()
    for ask in (
        inference.probe,
        lambda: inference.parameters("doubling"),
        lambda: inference.identity("doubling"),
        lambda: inference.infer("doubling", {"x": _rows(1)}, ("y",)),
    ):
        with pytest.raises(Unavailable) as raised:
            ask()
        assert raised.value.what == "triton"


class _Promoting:
    """A fake, or a real server, on which a test promotes version 2."""

    inference: Inference
    promote: Callable[[], None]

    def __init__(self, request: pytest.FixtureRequest) -> None:
        if request.param == "fake":
            fake = FakeInference({"doubling": doubling.fake()})
            self.inference = fake
            self.promote = lambda: fake.promote("doubling", doubling.fake("2"))
            return
        server: Server = request.getfixturevalue("server")
        connected = TritonInference(server.address, shared_memory=True)
        request.addfinalizer(connected.close)
        self.inference = connected
        self.promote = lambda: _load_second(server)


def _load_second(server: Server) -> None:
    doubling.put(server.repository, "2")
    with InferenceServerClient(server.address) as client:
        client.load_model("doubling")


@pytest.fixture(params=["fake", pytest.param("triton", marks=pytest.mark.e2e)])
def promoting(request: pytest.FixtureRequest) -> _Promoting:
    return _Promoting(request)


def test_what_was_told_of_is_what_answers_or_nothing(promoting: _Promoting) -> None:
    asked = promoting.inference
    assert asked.identity("doubling").version == "1"
    promoting.promote()
    assert asked.parameters("doubling") == doubling.PARAMETERS

    with pytest.raises(Unavailable):
        asked.infer("doubling", {"x": _rows(2)}, ("y",))

    assert asked.identity("doubling").version == "2"
    assert np.array_equal(asked.infer("doubling", {"x": _rows(2)}, ("y",))["y"], _rows(2) * 2)
