"""What the outcomes of a run say: the store knows ends of which the ledger may never have heard."""

from dataclasses import dataclass

from pydantic import ValidationError

from services.results.ledger.runs import StoredRun
from services.results.passing import is_of_one_file
from shared.bus import outcomes
from shared.bus.outcomes import Outcome
from shared.errors import Unavailable
from shared.events.wire import Event
from shared.pipelines.definition import Definition
from shared.store.port import PayloadStore
from shared.telemetry.attributes import JOB, RUN, STAGE
from shared.telemetry.logs import logger, place_of_error


@dataclass(frozen=True)
class Written:
    """An outcome, and its events as its service published them."""

    outcome: Outcome
    events: tuple[Event, ...]


def of_run(store: PayloadStore, run: StoredRun, definition: Definition) -> dict[str, Written]:
    """What the stages of a run have written, by stage. Raises `Unavailable("store")`."""
    return {name: found for name in definition.stages if (found := _read(store, run, name))}


def _read(store: PayloadStore, run: StoredRun, stage: str) -> Written | None:
    """One that is not understood counts as none: it was cut off, or its service is of another make;
    so does one that can't be read though the store answers.

    Its stage then stands, and is told as that.
    """
    about = {JOB: run.job_id, RUN: run.run, STAGE: stage}
    try:
        outcome = outcomes.read(store, run.job_id, run.run, stage)
        return Written(outcome, tuple(outcomes.events_of(outcome))) if outcome else None
    except (ValidationError, KeyError) as error:
        logger().error("outcome not understood", **about, **place_of_error(error))
    except Unavailable as error:
        if not is_of_one_file(error, store):
            raise
        logger().error("outcome can't be read", **about, **place_of_error(error))
    return None
