"""Takes batches of events into the ledger: one batch is one transaction, then it is read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from services.results.conclude import Concluder
from services.results.ledger import moves
from services.results.ledger.database import Ledger
from services.results.ledger.record import record
from services.results.passing import is_ours
from shared.bus.received import Received
from shared.errors import Unavailable
from shared.telemetry.attributes import CODE
from shared.telemetry.logs import logger, place_of_error

SetAside = Callable[[Received, str], Awaitable[None]]

UNUSABLE = "unusable-event"


@dataclass(frozen=True)
class Intake:
    """Records facts and decides about the runs that they touch."""

    ledger: Ledger
    concluder: Concluder

    def take(self, batch: Sequence[Received]) -> bool:
        """Apply a batch whole; whether there may be something to publish or to deliver now.

        Raises `Unavailable` when ledger or store are down: then nothing.
        """
        with self.ledger.transaction() as connection:
            causes = record(connection, batch)
            strayed = moves.ask_for_strays(connection, batch)
            ended = [
                self.concluder.conclude(connection, job_id, run, cause)
                for (job_id, run), cause in sorted(causes.items(), key=lambda each: each[0])
            ]
        return strayed or any(ended)

    async def on_batch(
        self, batch: Sequence[Received], changed: Callable[[], None], set_aside: SetAside
    ) -> None:
        """Apply a batch, waiting as long as ledger or store are down: no fact is passed over.

        `changed` is called when there may be something to publish or to deliver.

        An event that can't be applied is set aside, and the others of its batch count.
        """
        try:
            ended = await self._patiently(batch)
        except Exception as error:
            if is_ours(error):
                raise
            ended = any([await self._alone(received, set_aside) for received in batch])
        if ended:
            changed()

    async def _alone(self, received: Received, set_aside: SetAside) -> bool:
        try:
            return await self._patiently([received])
        except Exception as error:
            if is_ours(error):
                raise
            logger().error("event set aside", **{CODE: UNUSABLE}, **place_of_error(error))
            await set_aside(received, UNUSABLE)
            return False

    async def _patiently(self, batch: Sequence[Received]) -> bool:
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential(multiplier=0.2, max=10),
        )
        ended = False
        async for attempt in patiently:
            with attempt:
                ended = await asyncio.to_thread(self.take, batch)
        return ended
