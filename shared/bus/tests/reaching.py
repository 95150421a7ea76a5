"""The store and the workers, as one process of the world reaches them: each step can be its last.

A call of the store pauses before every step, as production makes them in threads and in worker
processes: what other calls and other replicas do falls between any two.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from shared.bus.execution import Down, Verdict, judge
from shared.bus.tests.world import number_of
from shared.bus.work import Work
from shared.errors import Unavailable
from shared.events.models import Lane, PayloadRef
from shared.store.memory import MemoryStore
from shared.testing import toy

if TYPE_CHECKING:
    from shared.bus.tests.process import Process


class Store(MemoryStore):
    """The world's store, as a process reaches it."""

    def __init__(self, process: "Process") -> None:
        super().__init__()
        self._process = process
        self._objects = process.world.store._objects
        self._kept_at = process.world.store._kept_at

    def _reach(self, what: str, key: str = "") -> None:
        self._process.world.order.pause(self._process, f"{what} {key}")
        self._process.world.step(self._process)
        self.probe()
        if key in self._process.world.broken:
            raise Unavailable("store")

    def probe(self) -> None:
        if self._process.world.is_down("store"):
            raise Unavailable("store")

    def put(self, data: bytes, media_type: str) -> PayloadRef:
        self._reach("puts")
        ref = super().put(data, media_type)
        self._reach("has put", ref.uri)
        return ref

    def get(self, ref: PayloadRef) -> bytes:
        self._reach("gets", ref.uri)
        return super().get(ref)

    def create(self, key: str, data: bytes) -> bool:
        self._reach("creates", key)
        made = super().create(key, data)
        self._reach("has created", key)  # written, and the answer lost
        return made

    def mark(self, key: str) -> None:
        self._reach("marks", key)
        super().mark(key)

    def read(self, key: str) -> bytes | None:
        self._reach("reads", key)
        return super().read(key)

    def keys(self, prefix: str) -> list[str]:
        self._reach("lists", prefix)
        return super().keys(prefix)

    def delete(self, key: str) -> None:
        self._reach("deletes", key)
        super().delete(key)


class Workers:
    """Runs the toy handlers; some take longer than others, and not the same for every job."""

    def __init__(self, process: "Process", store: Store) -> None:
        self._process, self._world = process, process.world
        self._handle = toy.ports(store)[process.name].handle

    async def execute(self, work: Work) -> Verdict:
        unit = work.job_id, work.run, work.stage
        self._world.step(self._process)
        self._process.witness.begin(unit)
        lasts_s = (len(work.stage) + number_of(work.job_id)) % 3
        await self._world.order.wait(self._process, f"works on {work.stage}", lasts_s)
        self._world.step(self._process)
        mishap = self._world.mishaps.pop(unit, None)
        verdict = mishap or await self._verdict(work)
        self._process.witness.end(unit, verdict)
        return verdict

    async def _verdict(self, work: Work) -> Verdict:
        if self._world.is_down("triton"):
            return Down("triton")
        if (number_of(work.job_id), work.stage) in self._world.poisoned:
            return judge(_fail, work)
        return await asyncio.to_thread(judge, self._handle, work)

    async def is_up(self, what: str, lane: Lane) -> bool:  # noqa: ARG002 - the port's
        return not self._world.is_down(what)


def _fail(work: Work) -> Any:
    raise ValueError(work.stage)
