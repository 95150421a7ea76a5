"""One suspect at a time: units that met an outage in their own call take turns, in all services.

Who brings Triton down does it to every service's units that are in a call. Were all of them tried
again together when it is back they would share each crash, and its blame; one after the other, a
crash is its maker's.

The turn lies in the payload store, the one thing that all services share: who creates the next
number has it, when nobody else created one meanwhile, and renews it by the number after that. The
turn of a service that died is renewed no more, and is taken over. Nobody's clock is compared with
another's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from secrets import token_hex

from shared.bus.platform import Platform, to_its_end
from shared.errors import Unavailable
from shared.events.models import Lane

_FOLDER = "suspects/"
_RENEWED_S = 5.0
_STALE_S = 30.0
_LOOK_S = {Lane.STAT: 0.1, Lane.ROUTINE: 0.5, Lane.BULK: 2.0}
"""Who looks oftener is mostly the first to see that it is free."""
_GAP_S = 5.0
"""So much time at the most counts between two looks: nobody can renew it while the store is down,
and who looks may have stood still."""


class Turn:
    """The turn, as one unit awaits and holds it.

    At most one in all services holds it, but for one that could not renew it for `_STALE_S` though
    another could look: that costs an attempt at the most.
    """

    def __init__(self, platform: Platform) -> None:
        self._on, self._store = platform, platform.store
        self._time = asyncio.get_running_loop().time
        self._own = b""
        self._number = 0
        self._seen: tuple[int, bytes | None] = 0, None
        self._looked = self._unchanged_s = 0.0

    async def until_free(self, lane_now: Callable[[], Lane]) -> None:
        """Return when nobody has it; somebody else may be faster then."""
        while not await self._on.patiently(self._is_free):
            await asyncio.sleep(_LOOK_S[lane_now()])

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[bool]:
        """Whether it is this unit's; then it is held until the end."""
        self._own = token_hex(8).encode()  # the same number of the same unit is another turn
        renewing = None
        try:
            if taken := await self._on.patiently(self._take):
                renewing = asyncio.create_task(self._renew())
            yield taken
        finally:
            if renewing:
                renewing.cancel()
                await asyncio.wait([renewing])
            with suppress(Unavailable):  # then it goes stale
                await to_its_end(self._give_back)

    def _is_free(self) -> bool:
        return self._leaves_free(self._numbers())

    def _leaves_free(self, numbers: Sequence[int]) -> bool:
        """Whether nobody has it who has created these numbers."""
        newest = max(numbers, default=0)
        seen = newest, self._store.read(_key(newest)) if newest else None
        now = self._time()
        self._unchanged_s += min(now - self._looked, _GAP_S)
        if seen != self._seen:
            self._unchanged_s = 0.0
        self._seen, self._looked = seen, now
        return not newest or self._unchanged_s >= _STALE_S

    def _take(self) -> bool:
        """Of two who create a number at the same time, who then looks later sees the other's."""
        before = self._numbers()
        number = max(before, default=0) + 1
        if not self._leaves_free(before) or not self._store.create(_key(number), self._own):
            return False
        self._number = number
        if {*self._numbers()} - {*before, number}:
            return False
        self._delete(before)
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWED_S)
            with suppress(Unavailable):
                await to_its_end(self._next)

    def _next(self) -> None:
        """Whoever took it over has deleted its number: then there is nothing to renew."""
        numbers = self._numbers()
        number = max(numbers, default=0) + 1
        if self._number in numbers and self._store.create(_key(number), self._own):
            self._delete([self._number])
            self._number = number

    def _give_back(self) -> None:
        """Also what was created though the answer that it was got lost."""
        self._delete([n for n in self._numbers() if self._store.read(_key(n)) == self._own])

    def _numbers(self) -> list[int]:
        return [int(key.removeprefix(_FOLDER)) for key in self._store.keys(_FOLDER)]

    def _delete(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._store.delete(_key(number))


def _key(number: int) -> str:
    return f"{_FOLDER}{number}"
