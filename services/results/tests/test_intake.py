"""An event that contradicts itself is set aside; what came with it counts."""

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from services.results.intake import Intake
from services.results.ledger import outbox
from services.results.ledger.tables import stages
from services.results.tests.facts import Story, intake_into, rows
from shared.bus.received import Received
from shared.events.models import DicomReady, JobFinished
from shared.store.memory import MemoryStore


class Aside:
    """Takes what is set aside."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    async def __call__(self, received: Received, code: str) -> None:
        self.taken.append((received.event.id, code))


def without_its_object(story: Story, stage: str) -> Received:
    """A dicom-ready that is well formed, and says nowhere what it announces."""
    made = story.made(stage)
    assert isinstance(made.event.data, DicomReady)
    data = made.event.data.model_copy(update={"payloads": {}})
    event = type(made.event)(**{**vars(made.event), "data": data})
    return Received(event, made.place)


def last_status(intake: Intake) -> str | None:
    with intake.ledger.reading() as connection:
        ends = [letter.event.data for letter in outbox.unsent(connection)]
    return next((end.status for end in ends if isinstance(end, JobFinished)), None)


async def test_an_inconsistent_event_is_set_aside_and_the_others_are_applied(
    tmp_path: Path,
) -> None:
    store, aside = MemoryStore(), Aside()
    whole = Story(store).whole()
    broken = without_its_object(Story(store), "ratio-report")
    intake = intake_into(tmp_path, store)
    await intake.on_batch([whole[0], broken, *whole[1:]], lambda: None, aside)
    assert aside.taken == [(broken.event.id, "unusable-event")]
    assert last_status(intake) == "completed"


async def test_an_inconsistent_event_leaves_nothing_that_later_ones_stumble_over(
    tmp_path: Path,
) -> None:
    store, aside = MemoryStore(), Aside()
    intake = intake_into(tmp_path, store)
    broken = without_its_object(Story(store), "ratio-report")
    await intake.on_batch([broken], lambda: None, aside)
    assert rows(intake.ledger, stages) == [[]]
    for received in Story(store).whole():
        await intake.on_batch([received], lambda: None, aside)
    assert len(aside.taken) == 1
    assert last_status(intake) == "completed"


class BrokenIntake(Intake):
    """Its database lacks a table."""

    def take(self, batch: object) -> bool:  # noqa: ARG002
        raise ProgrammingError("SELECT", None, OperationalError("", None, Exception()))


async def test_a_broken_database_sets_nothing_aside(tmp_path: Path) -> None:
    aside, sound = Aside(), intake_into(tmp_path, MemoryStore())
    intake = BrokenIntake(sound.ledger, sound.concluder)
    with pytest.raises(ProgrammingError):
        await intake.on_batch([Story(MemoryStore()).input_ready()], lambda: None, aside)
    assert aside.taken == []
