"""One suspect at a time: units that met an outage in their own call take turns, in all services.

Who brings Triton down does it to every service's units that are in a call. Were all of them tried
again together when it is back they would share each crash, and its blame; one after the other, a
crash is its maker's.

The turn lies in the payload store, the one thing that all services share: who creates the next
number has it, and renews it by the number after that. The turn of a service that died is renewed
no more, and is taken over. Nobody's clock is compared with another's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from secrets import token_hex

from shared.bus.platform import Platform
from shared.errors import Unavailable
from shared.events.models import Lane

_FOLDER = "suspects/"
_RENEWED_S = 5.0
_STALE_S = 30.0
_LOOK_S = {Lane.STAT: 0.1, Lane.ROUTINE: 0.5, Lane.BULK: 2.0}
"""Who looks oftener is mostly the first to see that it is free."""


class Turn:
    """The turn, as one unit awaits and holds it.

    At most one in all services holds it, but for one that stood still for longer than `_STALE_S`:
    that costs an attempt at the most.
    """

    def __init__(self, platform: Platform) -> None:
        self._on, self._store = platform, platform.store
        self._own = token_hex(8).encode()
        self._number = 0
        self._seen: tuple[int, bytes | None] = 0, None
        self._seen_since = 0.0

    async def until_free(self, lane_now: Callable[[], Lane]) -> None:
        """Return when nobody has it; somebody else may be faster then."""
        while not await self._on.patiently(self._is_free, _now()):
            await asyncio.sleep(_LOOK_S[lane_now()])

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[bool]:
        """Whether it is this unit's; then it is held until the end."""
        renewing = None
        try:
            if taken := await self._on.patiently(self._take, _now()):
                renewing = asyncio.create_task(self._renew())
            yield taken
        finally:
            if renewing:
                renewing.cancel()
                await asyncio.wait([renewing])
            with suppress(Unavailable):  # then it goes stale
                await asyncio.to_thread(self._give_back)

    def _is_free(self, now: float) -> bool:
        newest = max(self._numbers(), default=0)
        told = self._store.read(_key(newest)) if newest else None
        if (newest, told) != self._seen:
            self._seen, self._seen_since = (newest, told), now
        return not newest or told == self._own or now - self._seen_since >= _STALE_S

    def _take(self, now: float) -> bool:
        if not self._is_free(now):
            return False
        before = self._numbers()
        number = max(before, default=0) + 1
        if not self._store.create(_key(number), self._own):
            return False
        self._number = number
        self._delete(before)
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWED_S)
            with suppress(Unavailable):
                await asyncio.to_thread(self._next)

    def _next(self) -> None:
        if self._store.create(_key(self._number + 1), self._own):
            self._number += 1
            self._delete([self._number - 1])

    def _give_back(self) -> None:
        """Also what was created though the answer that it was got lost."""
        numbers = [number for number in self._numbers() if number >= self._number]
        self._delete([n for n in numbers if self._store.read(_key(n)) == self._own])
        self._number = 0

    def _numbers(self) -> list[int]:
        return [int(key.removeprefix(_FOLDER)) for key in self._store.keys(_FOLDER)]

    def _delete(self, numbers: list[int]) -> None:
        for number in numbers:
            self._store.delete(_key(number))


def _key(number: int) -> str:
    return f"{_FOLDER}{number}"


def _now() -> float:
    return asyncio.get_running_loop().time()
