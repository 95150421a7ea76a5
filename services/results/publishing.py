"""Publishes the outbox, in its order; what was not acknowledged is published again."""

import asyncio

from services.results.ledger import outbox
from services.results.ledger.database import Ledger
from services.results.turn import Turn
from shared.bus.received import Publisher, publish_if_it_fits
from shared.clock import Clock


async def publish_all(ledger: Ledger, publisher: Publisher, clock: Clock, turn: Turn) -> int:
    """Publish what waits while it is this replica's turn; how much that was.

    What the bus will never take counts as published: it keeps nothing else back. Raises
    `Unavailable` where it got stuck.
    """
    published = 0
    while turn.held and (waiting := await asyncio.to_thread(_waiting, ledger)):
        sent = []
        try:
            for letter in waiting:
                if not turn.held:
                    break
                place = (letter.lane, letter.partition, letter.key)
                await publish_if_it_fits(publisher, letter.event, *place)
                sent.append(letter.seq)
        finally:
            await asyncio.to_thread(_mark, ledger, sent, clock)
        published += len(sent)
    return published


def _waiting(ledger: Ledger) -> list[outbox.Letter]:
    with ledger.reading() as connection:
        return outbox.unsent(connection)


def _mark(ledger: Ledger, sent: list[int], clock: Clock) -> None:
    if sent:
        with ledger.transaction() as connection:
            outbox.mark_sent(connection, sent, clock())
