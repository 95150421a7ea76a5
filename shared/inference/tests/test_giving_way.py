"""How urgent a request is, and whether it lets other work go first."""

from typing import Any, cast

import pytest

from shared.errors import Unavailable
from shared.events.models import Lane
from shared.inference import triton
from shared.inference.triton import TritonInference, _Described
from shared.provenance import ModelIdentity


def _inference() -> TritonInference:
    """Of a server that is not there, which has told of its model."""
    nobody = TritonInference("127.0.0.1:9", shared_memory=False)
    nobody._described["model"] = _Described(ModelIdentity("model", "1", "", ""), {}, {}, {})
    return nobody


@pytest.mark.parametrize(("lane", "times"), [(Lane.STAT, 0), (Lane.ROUTINE, 0), (Lane.BULK, 1)])
def test_bulk_alone_lets_others_go_first(
    lane: Lane, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[None] = []
    monkeypatch.setattr(triton, "let_others_first", lambda: waits.append(None))
    nobody = _inference()
    with pytest.raises(Unavailable):
        nobody.infer("model", {}, ("mask",), lane)
    assert len(waits) == times


class _Client:
    """Keeps how urgent each request is."""

    def __init__(self) -> None:
        self.priorities: list[int] = []

    def infer(self, *, priority: int, **_: Any) -> None:
        self.priorities.append(priority)


def test_of_the_three_levels_of_a_model_stat_has_the_first_and_bulk_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triton, "let_others_first", lambda: None)
    inference, client = _inference(), _Client()
    inference._client = cast("Any", client)
    for lane in (Lane.STAT, Lane.ROUTINE, Lane.BULK):
        inference.infer("model", {}, (), lane)
    assert client.priorities == [1, 2, 3]
