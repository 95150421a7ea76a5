"""Whether a request of bulk lets other work go first."""

import pytest

from shared.errors import Unavailable
from shared.events.models import Lane
from shared.inference import triton
from shared.inference.triton import TritonInference, _Described
from shared.provenance import ModelIdentity


@pytest.mark.parametrize(("lane", "times"), [(Lane.STAT, 0), (Lane.ROUTINE, 0), (Lane.BULK, 1)])
def test_bulk_alone_lets_others_go_first(
    lane: Lane, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[None] = []
    monkeypatch.setattr(triton, "let_others_first", lambda: waits.append(None))
    nobody = TritonInference("127.0.0.1:9", shared_memory=False)
    nobody._described["model"] = _Described(ModelIdentity("model", "1", "", ""), {}, {}, {})
    with pytest.raises(Unavailable):
        nobody.infer("model", {}, ("mask",), lane)
    assert len(waits) == times
