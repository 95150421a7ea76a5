"""A run whose services have written outcomes, and a bus that may have lost their events."""

from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from services.results.definitions import Definitions
from services.results.intake import Intake
from services.results.ledger import outbox
from services.results.restarting import Restarter
from services.results.tests.facts import PIPELINE, RECEIVED, Story, intake_into
from services.results.tests.marred import MarredStore
from shared.bus import outcomes
from shared.bus.memory import MemoryBus
from shared.bus.outcomes import Outcome, OutcomeEvent
from shared.bus.received import EventTooLarge, Received
from shared.clock import ManualClock
from shared.events.models import Alert, Common, Lane
from shared.events.wire import Event
from shared.identity import case_id


class ChoosyBus(MemoryBus):
    """Takes no event of a kind, as if each were too large."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused = refused

    async def publish(
        self, event: Event, lane: Lane | None, partition: int | None, key: str | None = None
    ) -> None:
        if event.kind == self.refused:
            raise EventTooLarge(event.kind, 2 << 20)
        await super().publish(event, lane, partition, key)


class System:
    """A run whose services write outcomes, and a bus that may lose an event."""

    def __init__(self, path: Path) -> None:
        self.store, self.clock, self.bus = MarredStore(), ManualClock(RECEIVED), MemoryBus()
        self.intake: Intake = intake_into(path, self.store, self.clock)
        self.story, self._others = Story(self.store), count()
        self.restarter = Restarter(
            self.intake.ledger,
            self.store,
            Definitions(self.store),
            self.clock,
            timedelta(seconds=60),
        )

    def ended(self, *stages: str) -> list[Received]:
        """Stages have ended: their outcomes are written, whatever becomes of their events."""
        made = [self.story.made(stage) for stage in stages]
        for received in made:
            outcomes.keep(self.store, outcome_of(received))
        return made

    def other(self, began: datetime, lane: Lane = Lane.ROUTINE) -> None:
        """Another patient's job comes then, is read at once, and all else of it is done now."""
        case = case_id("covid19-ct", str(next(self._others)), "study")
        story = Story(self.store, case=case, began=began, lane=lane)
        begun = [story.input_ready(), story.made("reader")]
        behind = PIPELINE.behind("reader")
        moment = self.clock()
        ended: dict[str, Any] = {"started_at": moment - timedelta(seconds=1), "finished_at": moment}
        self.intake.take([*begun, *(story.made(stage, **ended) for stage in behind)])

    def read(self, story: Story, seconds: float) -> None:
        """The reader has ended a job's study now, and took so long."""
        moment = self.clock()
        began = moment - timedelta(seconds=seconds)
        self.intake.take([story.made("reader", started_at=began, finished_at=moment)])

    def queue(self, name: str, jobs: int, began: datetime) -> list[Story]:
        """Jobs that come a second apart and wait for the reader."""
        found = [
            Story(
                self.store,
                case=case_id("covid19-ct", f"{name} {number}", "study"),
                began=began + timedelta(seconds=number),
            )
            for number in range(jobs)
        ]
        self.intake.take([story.input_ready() for story in found])
        return found

    def alerts(self) -> list[Alert]:
        """What waits to be told, in its order."""
        with self.intake.ledger.reading() as connection:
            waiting = [letter.event.data for letter in outbox.unsent(connection)]
        return [data for data in waiting if isinstance(data, Alert)]

    async def sweep(self, watching_since: datetime = RECEIVED) -> list[tuple[str, str]]:
        """What a round publishes: kind and id."""
        before = len(self.bus.records)
        await self.restarter.round(self.bus, watching_since)
        return [(r.event.kind, r.event.id) for r in self.bus.records[before:]]


def outcome_of(received: Received) -> Outcome:
    event, data = received.event, received.event.data
    assert isinstance(data, Common)
    made = OutcomeEvent(
        id=event.id,
        kind=event.kind,
        time=event.time,
        data=data.model_dump(mode="json", exclude_none=True),
    )
    return Outcome(
        job_id=data.job_id,
        run=data.run,
        stage=data.stage,
        service=event.source,
        status="succeeded",
        attempts=1,
        started_at=data.started_at,
        finished_at=data.finished_at,
        traceparent=event.traceparent,
        code_version="0",
        events=(made,),
    )


def named(*received: Received) -> list[tuple[str, str]]:
    return [(each.event.kind, each.event.id) for each in received]
