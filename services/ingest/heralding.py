"""Tells bulk of work that is about to begin, so that it begins no inference just before."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from shared.events.models import Lane
from shared.giving_way import SIGN, under_way

_AHEAD_S = 0.5
"""Most inferences of bulk that began before this have ended when the first of the work begins."""
_AFTER_S = 0.4
"""In which it is announced, and a reader begins, unless much else is under way."""
_TICK_S = 0.1


async def herald(others_soon: Callable[[float], bool], sign: Path = SIGN) -> None:
    """Hold the sign of other work from a moment before an input is complete to a moment after.

    `others_soon` tells whether an input that is not bulk is complete within so many seconds.
    """
    soon = partial(others_soon, _AHEAD_S)
    while True:
        if soon():
            with under_way(Lane.ROUTINE, sign):
                while soon():
                    await asyncio.sleep(_TICK_S)
                await asyncio.sleep(_AFTER_S)
        await asyncio.sleep(_TICK_S)
