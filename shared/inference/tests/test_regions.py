"""Shared memory that belongs to a living process, or to nobody."""

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from shared.inference.memory import SharedMemory, SharedMemoryRefused
from shared.inference.regions import PREFIX, SHM, Region, remove_orphans

MORE_THAN_ANY_HOST_HAS = 1 << 50


def test_what_was_written_is_read_back() -> None:
    region = Region(1024)
    tensor = np.arange(12, dtype=np.int16).reshape(3, 4)

    region.write(64, tensor)

    assert np.array_equal(region.read(64, (3, 4), tensor.dtype), tensor)
    region.close()


def test_a_region_of_a_living_process_is_no_orphan() -> None:
    region = Region(1024)

    assert region.name not in remove_orphans()

    assert (SHM / region.name).exists()
    region.close()


def test_a_region_that_nobody_holds_is_removed() -> None:
    left = SHM / f"{PREFIX}1-left-behind"
    left.write_bytes(b"x")

    assert left.name in remove_orphans()

    assert not left.exists()


def test_memory_that_the_host_lacks_is_refused_and_leaves_no_file() -> None:
    before = set(SHM.glob(f"{PREFIX}*"))
    memory = SharedMemory(InferenceServerClient("127.0.0.1:1"))

    with pytest.raises(SharedMemoryRefused):
        memory.infer({}, {"y": ((MORE_THAN_ANY_HOST_HAS,), "UINT8")}, {})

    assert set(SHM.glob(f"{PREFIX}*")) == before
