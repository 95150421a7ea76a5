"""A payload store of which a few files can't be read, though it answers."""

from shared.errors import Unavailable
from shared.events.models import PayloadRef
from shared.store.memory import MemoryStore


class MarredStore(MemoryStore):
    """What lies under a `bad` key is on a bad sector; when it `is_down`, nothing can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: set[str] = set()
        self.is_down = False

    def read(self, key: str) -> bytes | None:
        self._reach(key)
        return super().read(key)

    def get(self, ref: PayloadRef) -> bytes:
        self._reach(ref.uri)
        return super().get(ref)

    def probe(self) -> None:
        if self.is_down:
            raise Unavailable("store")

    def _reach(self, key: str) -> None:
        if self.is_down or key in self.bad:
            raise Unavailable("store")
