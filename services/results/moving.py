"""Brings a job's queued work into the lane that a person chose for it.

What waits in a topic can't be taken out of it. So the events that should wake the stages which the
run waits for are published again, with their ids, by the new lane: who reads them first does the
work, and whoever comes upon the copies in the old lane finds its outcome.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from services.results.ledger import moves, runs
from services.results.ledger.database import Ledger
from services.results.ledger.moves import Asked
from services.results.ledger.runs import StoredRun
from services.results.passing import passing_over
from services.results.progress import StageFact
from services.results.restarting import Restarter
from services.results.turn import Turn
from shared.bus.received import Publisher, publish_if_it_fits
from shared.events.wire import Event
from shared.telemetry.attributes import JOB, LANE, RUN
from shared.telemetry.logs import logger

_AT_ONCE = 50


@dataclass(frozen=True)
class Move:
    """A running run and what to publish for it, in the lane that it has now."""

    asked: Asked
    run: StoredRun | None
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Mover:
    """Does what `moves` asks; the ledger forgets it when all of it is on the bus."""

    ledger: Ledger
    restarter: Restarter

    async def round(self, publisher: Publisher, turn: Turn) -> int:
        """Publish what waits while it is this replica's turn; for how many jobs.

        Raises `Unavailable` while ledger or store are down.
        """
        moved = 0
        while turn.held and (waiting := await asyncio.to_thread(self._waiting)):
            for move in waiting:
                if not turn.held:
                    return moved
                await self._publish(move, publisher)
                await asyncio.to_thread(self._done, move)
                moved += 1
        return moved

    async def _publish(self, move: Move, publisher: Publisher) -> None:
        if move.run is None:
            return
        about = {JOB: move.run.job_id, RUN: move.run.run, LANE: move.run.lane.value}
        logger().info("moved", events=len(move.events), **about)
        for event in move.events:
            await publish_if_it_fits(publisher, event, move.run.lane, move.run.partition)

    def _waiting(self) -> list[Move]:
        with self.ledger.reading() as connection:
            found = [
                (asked, runs.load(connection, asked.job_id))
                for asked in moves.asked(connection, _AT_ONCE)
            ]
            known = [
                (asked, run, runs.load_facts(connection, run.job_id, run.run) if run else {})
                for asked, run in found
            ]
        return [self._move(*each) for each in known]

    def _move(self, asked: Asked, run: StoredRun | None, facts: Mapping[str, StageFact]) -> Move:
        """Nothing of a run that has ended, or that can't be read: that one is restarted later."""
        if run and run.request and run.status == "running":
            with passing_over(run.job_id, self.restarter.store):
                return Move(asked, run, self.restarter.waking(run, facts))
        return Move(asked, None, ())

    def _done(self, move: Move) -> None:
        with self.ledger.transaction() as connection:
            moves.done(connection, move.asked)
