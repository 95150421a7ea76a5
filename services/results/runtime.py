"""What results does side by side: read facts, publish, deliver, keep deadlines, answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from services.results import deadlines, scu, unread
from services.results.archive import Archive
from services.results.conclude import Concluder
from services.results.definitions import Definitions
from services.results.delivery import Backoff, Courier, Dispatch
from services.results.intake import Intake
from services.results.ledger import deliveries
from services.results.ledger.database import Ledger
from services.results.looking import keep_looking
from services.results.moving import Mover
from services.results.pruning import Pruner, least_age
from services.results.publishing import publish_all
from services.results.requests import Desk
from services.results.restarting import Restarter
from services.results.settings import ResultsSettings
from services.results.turn import LENGTH, Turn
from services.results.unread import Unread
from shared.bus.received import Publisher
from shared.catalog import load_topics
from shared.clock import Clock
from shared.errors import Unavailable
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

Answer = TypeVar("Answer")

_ROUND_S = 1.0
_PRUNE_S = 600.0


class Bell:
    """Rung when there is something to publish or deliver; nobody waits longer than a round."""

    def __init__(self) -> None:
        self._events: list[asyncio.Event] = []
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """From any thread."""
        for event in self._events:
            self._loop.call_soon_threadsafe(event.set)

    def listen(self) -> Callable[[], Awaitable[None]]:
        """A function that returns when the bell has rung since last time, or a round is over."""
        event = asyncio.Event()
        self._events.append(event)

        async def heard() -> None:
            try:
                await asyncio.wait_for(event.wait(), _ROUND_S)
            except TimeoutError:
                return
            event.clear()

        return heard


@dataclass(frozen=True)
class Results:
    """The parts, wired."""

    ledger: Ledger
    store: PayloadStore
    intake: Intake
    archive: Archive
    desk: Desk
    courier: Courier
    concluder: Concluder
    restarter: Restarter
    mover: Mover
    unread: Unread
    pruner: Pruner
    turn: Turn
    clock: Clock

    def why_not(self) -> tuple[str, ...]:
        """What keeps it from working, in words for /health; asks ledger and store."""
        down = []
        for probe in (self.ledger.probe, self.store.probe):
            try:
                probe()
            except Unavailable as outage:
                down.append(f"{outage.what} does not answer")
        return tuple(down)


def build(settings: ResultsSettings, store: PayloadStore, clock: Clock) -> Results:
    """Open the ledger, bring it up to date and take up what was claimed before a crash."""
    ledger = Ledger(settings.ledger)
    ledger.migrate()
    name = f"results-{settings.instance}"
    with ledger.transaction() as connection:
        deliveries.release(connection, name)
    definitions = Definitions(store)
    patience = timedelta(seconds=settings.patience_s)
    concluder = Concluder(definitions, clock)
    restarter = Restarter(ledger, store, definitions, clock, patience)
    courier = Courier(
        ledger=ledger,
        store=store,
        destinations=settings.destinations,
        clock=ledger.clock,
        backoff=Backoff(settings.delivery_retry_first_s, settings.delivery_retry_longest_s),
        name=name,
        send=scu.send,
        ask_commitment=scu.ask_commitment,
    )
    return Results(
        ledger=ledger,
        store=store,
        intake=Intake(ledger, concluder),
        archive=Archive(ledger, store, definitions),
        desk=Desk(ledger, concluder, clock),
        courier=courier,
        concluder=concluder,
        restarter=restarter,
        mover=Mover(ledger, restarter),
        unread=Unread(ledger, store, clock, patience),
        pruner=Pruner(ledger, store, ledger.clock, least_age(load_topics())),
        turn=Turn(ledger, "publishing", name, ledger.clock),
        clock=clock,
    )


async def take_turns(results: Results, bell: Bell) -> None:
    """Have the turn whenever it is to be had, until cancelled; then another replica has it."""
    try:
        while True:
            if await _unless_down(asyncio.to_thread(results.turn.take)):
                bell.ring()
            await asyncio.sleep(LENGTH.total_seconds() / 3)
    finally:
        with suppress(Unavailable):
            await asyncio.to_thread(results.turn.give_back)


async def publish(results: Results, publisher: Publisher, bell: Bell) -> None:
    """Publish the outbox and what changes lanes, in this replica's turns, until cancelled."""
    heard = bell.listen()
    while True:
        await _unless_down(publish_all(results.ledger, publisher, results.clock, results.turn))
        await _unless_down(results.mover.round(publisher, results.turn))
        await heard()


async def deliver(results: Results, associations: int, bell: Bell) -> None:
    """Deliver what is due until cancelled."""
    dispatch = Dispatch(results.courier, associations, bell.ring)
    heard = bell.listen()
    try:
        while True:
            await _unless_down(dispatch.round())
            await heard()
    finally:
        dispatch.close()


async def keep_deadlines(results: Results, watching_since: datetime, bell: Bell) -> None:
    """End what is late until cancelled."""

    async def look(since: datetime) -> None:
        if await asyncio.to_thread(deadlines.sweep, results.ledger, results.concluder, since):
            bell.ring()

    await keep_looking(results.clock, watching_since, look)


async def restart(results: Results, publisher: Publisher, watching_since: datetime) -> None:
    """Restart what stands still, until cancelled."""

    async def look(since: datetime) -> None:
        await results.restarter.round(publisher, since)
        if results.turn.held:
            found = await asyncio.to_thread(results.unread.round)
            await unread.publish_again(found, publisher)

    await keep_looking(results.clock, watching_since, look)


async def prune(results: Results, keep_days: float | None) -> None:
    """Prune what ended so long ago, until cancelled; one replica at a time does."""
    after = None
    while keep_days is not None:
        if results.turn.held:
            older_than = timedelta(days=keep_days)
            some = asyncio.to_thread(results.pruner.prune, older_than, after=after)
            pruned = await _unless_down(some)
            after = pruned.next if pruned else None
        await asyncio.sleep(_ROUND_S if after else _PRUNE_S)


async def watch(results: Results, why_not: list[str]) -> None:
    """Keep `why_not` up to date until cancelled."""
    while True:
        why_not[:] = await asyncio.to_thread(results.why_not)
        await asyncio.sleep(_ROUND_S)


async def _unless_down(act: Awaitable[Answer]) -> Answer | None:
    """An outage is no end: the next round tries again."""
    try:
        return await act
    except Unavailable as outage:
        logger().warning("waiting", what=outage.what)
        return None
