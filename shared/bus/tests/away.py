"""Payload stores that fail: as a whole, one file, or only the answer; and what stands on them."""

from collections.abc import Callable
from typing import TypeVar

from shared.bus.control import Control
from shared.bus.execution import Executor
from shared.bus.memory import InlineExecutor, MemoryBus
from shared.bus.platform import Platform
from shared.bus.slots import Slots
from shared.bus.suspects import Turn
from shared.bus.tests import virtual_time
from shared.bus.watch import Watch
from shared.bus.work import Ports
from shared.errors import Unavailable
from shared.store.memory import MemoryStore
from shared.testing import toy

R = TypeVar("R")


class Away(MemoryStore):
    """For keyed objects; each call takes `pause_s`."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.deaf = False
        """Deaf: what is created is there, and who created it never hears that."""
        self.pause_s = 0.0

    def _answer(self, call: Callable[[], R]) -> R:
        if self.pause_s:
            virtual_time.pause(self.pause_s)
        self.probe()
        return call()

    def probe(self) -> None:
        if self.down:
            raise Unavailable("store")

    def create(self, key: str, data: bytes) -> bool:
        made = self._answer(lambda: super(Away, self).create(key, data))
        if self.deaf:
            raise Unavailable("store")
        return made

    def read(self, key: str) -> bytes | None:
        return self._answer(lambda: super(Away, self).read(key))

    def keys(self, prefix: str) -> list[str]:
        return self._answer(lambda: super(Away, self).keys(prefix))

    def delete(self, key: str) -> None:
        self._answer(lambda: super(Away, self).delete(key))


class BadSectors(MemoryStore):
    """Some of its files can't be read or written; its probe succeeds, unless it is down."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: set[str] = set()
        self.down = False
        self.tried = 0
        """In vain."""

    def _reach(self, key: str) -> None:
        if self.down or key in self.bad:
            self.tried += 1
            raise Unavailable("store")

    def probe(self) -> None:
        if self.down:
            raise Unavailable("store")

    def create(self, key: str, data: bytes) -> bool:
        self._reach(key)
        return super().create(key, data)

    def read(self, key: str) -> bytes | None:
        self._reach(key)
        return super().read(key)


def platform_on(store: MemoryStore, executor: Executor | None = None) -> Platform:
    """The toy reader's, in a process of its own."""
    inline = InlineExecutor(Ports(lambda work: toy.read(work, store=store), {}))
    return Platform(
        service=toy.CATALOG["reader"],
        topics=toy.topics(),
        store=store,
        executor=executor or inline,
        publisher=MemoryBus(),
        control=Control(),
        slots=Slots(1),
        watch=Watch(virtual_time.clock),
        clock=virtual_time.clock,
    )


def turn_on(store: MemoryStore) -> Turn:
    """A suspect's, of a process of its own."""
    return Turn(platform_on(store))
