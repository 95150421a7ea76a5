"""Requests whose tensors lie in shared memory: one region per process, registered and reused."""

from collections.abc import Mapping
from contextlib import suppress
from math import prod
from multiprocessing.util import Finalize
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import (
    InferenceServerException,
    np_to_triton_dtype,
    triton_to_np_dtype,
)

from shared.inference.port import Tensor
from shared.inference.regions import Region, aligned, remove_orphans

_ASK_S = 10.0
Wanted = Mapping[str, tuple[tuple[int, ...], str]]
"""output → expected shape, () where it is unknown, and Triton's name of its type"""


class SharedMemoryRefused(Exception):
    """The server can't map this host's shared memory, or the host has none left."""


class SharedMemory:
    """A region that grows, as the server knows it."""

    def __init__(self, client: InferenceServerClient) -> None:
        self._client = client
        self._region: Region | None = None
        self._cleaned = False
        # atexit does not run in the children of multiprocessing; this does, and in others too.
        Finalize(None, self.close, exitpriority=10)

    def infer(
        self, inputs: Mapping[str, Tensor], wanted: Wanted, request: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """Raises `InferenceServerException`, or `SharedMemoryRefused` before anything was asked."""
        try:
            return self._try(inputs, wanted, request)
        except InferenceServerException as error:
            # The server may still write into the region after a timeout: never use it again.
            self.close()
            if not _region_unknown(error):
                raise
        return self._try(inputs, wanted, request)

    def close(self) -> None:
        """Unregister and unlink the region; a server that is gone has forgotten it anyway."""
        if self._region:
            region, self._region = self._region, None
            self._forget(region.name)
            region.close()

    def _try(
        self, inputs: Mapping[str, Tensor], wanted: Wanted, request: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        expected = {name: _bytes(shape, dtype) for name, (shape, dtype) in wanted.items()}
        sizes = [tensor.nbytes for tensor in inputs.values()] + list(expected.values())
        region = self._with_room(sum(aligned(size) for size in sizes))
        given, offset = [], 0
        for name, tensor in inputs.items():
            region.write(offset, tensor)
            given.append(InferInput(name, tensor.shape, np_to_triton_dtype(tensor.dtype)))
            given[-1].set_shared_memory(region.name, tensor.nbytes, offset)
            offset += aligned(tensor.nbytes)
        asked, offsets = [], {}
        for name, size in expected.items():
            asked.append(InferRequestedOutput(name))
            if size:
                asked[-1].set_shared_memory(region.name, size, offset)
                offsets[name] = offset
                offset += aligned(size)
        answer = self._client.infer(inputs=given, outputs=asked, **request)
        return {name: _tensor(answer, name, region, offsets) for name in wanted}

    def _with_room(self, size: int) -> Region:
        if self._region and self._region.size >= size:
            return self._region
        self.close()
        try:
            region = Region(size)
        except OSError as error:
            raise SharedMemoryRefused from error
        try:
            self._forget_the_dead()
            self._client.register_system_shared_memory(
                region.name, f"/{region.name}", size, client_timeout=_ASK_S
            )
        except InferenceServerException as error:
            region.close()
            if error.status() in {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"}:
                raise
            raise SharedMemoryRefused from error
        self._region = region
        return region

    def _forget_the_dead(self) -> None:
        if not self._cleaned:
            self._cleaned = True
            for name in remove_orphans():
                self._forget(name)

    def _forget(self, name: str) -> None:
        with suppress(InferenceServerException):
            self._client.unregister_system_shared_memory(name, client_timeout=_ASK_S)


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    """What an output takes; 0 where its size can't be known, and it comes as bytes."""
    kind = triton_to_np_dtype(dtype)
    if not shape or min(shape) < 0 or kind in (None, np.object_):
        return 0
    size: int = np.dtype(kind).itemsize
    return prod(shape) * size


def _tensor(answer: Any, name: str, region: Region, offsets: Mapping[str, int]) -> Tensor:
    if name not in offsets:
        tensor: Tensor = answer.as_numpy(name)
        return tensor
    output = answer.get_output(name)
    dtype = np.dtype(triton_to_np_dtype(output.datatype))
    return region.read(offsets[name], tuple(output.shape), dtype)


def _region_unknown(error: InferenceServerException) -> bool:
    """Triton says NOT_FOUND or INVALID_ARGUMENT, as versions differ, and names the thing."""
    return "shared memory region" in error.message().lower()
