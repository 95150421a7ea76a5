"""How a unit of the toy pipeline ends when nothing happens, and how it must end whatever does."""

from collections.abc import Set
from functools import cache

from shared.bus import outcomes
from shared.bus.outcomes import Outcome
from shared.bus.tests.stepped import Stepped
from shared.bus.tests.witness import ATTEMPTS
from shared.bus.tests.world import DEFINITION, UnitKey, World, job_of, number_of
from shared.identity import event_id


def check_ended(world: World, unit: UnitKey) -> None:
    """As if nothing had happened, but for what always fails, or has failed often enough."""
    job, run, stage = unit
    outcome = outcomes.read(world.store, *unit)
    if not world.may_run(*unit):
        assert outcome is None
        return
    assert outcome
    for event in outcome.events:
        assert event.id == event_id(job, run, stage, event.kind)
        assert event.id in world.said
    if (number_of(job), stage) in world.poisoned:
        assert outcome.status == "failed"
    elif outcome.status == "failed":
        assert world.blamed[unit].total() >= ATTEMPTS
    else:
        assert _essence(outcome) == _undisturbed(number_of(job))[stage]


def check_taken_over(
    world: World, unit: UnitKey, *, fresh: Set[tuple[str, int]], known: Set[UnitKey]
) -> None:
    """A fresh run makes all anew; another does not work on what was done before it was asked for.

    Of a success that can't be read nobody knows.
    """
    outcome = outcomes.read(world.store, *unit)
    if outcome and unit[:2] in fresh:
        assert outcome.reused_from is None
    elif outcome and unit in known and not world.may_set_aside:
        assert outcome.reused_from
        assert not world.starts[unit]


@cache
def _undisturbed(number: int) -> dict[str, object]:
    """What each stage of a job comes to when nothing happens."""
    told = Stepped()
    told.ask(number, 1)
    told.drain(told.check)
    store, job = told.world.store, job_of(number)
    found = {stage: outcomes.read(store, job, 1, stage) for stage in DEFINITION.stages}
    told.close()
    return {stage: _essence(outcome) for stage, outcome in found.items() if outcome}


def _essence(outcome: Outcome) -> object:
    """What of an outcome tells nothing of how it came about."""
    named = {"job_id", "stage", "service", "status", "reasons", "inputs", "parameters"}
    kinds = [event.kind for event in outcome.events]
    return outcome.model_dump(include=named), outcome.payloads, outcome.warnings, kinds
