"""Takes batches of events into the ledger: one batch is one transaction, then it is read."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential

from services.results.conclude import Concluder
from services.results.ledger.database import Ledger
from services.results.ledger.record import record
from shared.bus.received import Received
from shared.errors import Unavailable


@dataclass(frozen=True)
class Intake:
    """Records facts and decides about the runs that they touch."""

    ledger: Ledger
    concluder: Concluder

    def take(self, batch: Sequence[Received]) -> None:
        """Apply a batch whole. Raises `Unavailable` when ledger or store is down: then nothing."""
        with self.ledger.transaction() as connection:
            causes: dict[tuple[str, int], Received] = {}
            for received in batch:
                causes |= dict.fromkeys(sorted(record(connection, received)), received)
            for (job_id, run), cause in causes.items():
                self.concluder.conclude(connection, job_id, run, cause)

    async def on_batch(self, batch: Sequence[Received], changed: Callable[[], None]) -> None:
        """Apply a batch, waiting as long as ledger or store are down: no fact is passed over."""
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential(multiplier=0.2, max=10),
        )
        async for attempt in patiently:
            with attempt:
                await asyncio.to_thread(self.take, batch)
        changed()
