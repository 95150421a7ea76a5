"""Every fault by its name, and which comes when: a seed decides, and a study's number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos import clocks, events, inference, processes, storage
from tests.chaos.scene import Scene

Fault = Callable[[Scene], str]
"""Does it, undoes what must be undone, and says to whom it was done."""

FAULTS: Mapping[str, Fault] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        processes.kill_service,
        processes.kill_worker,
        processes.kill_new_worker,
        processes.kill_fork_server,
        processes.kill_kafka,
        processes.kill_triton,
        processes.kill_model,
        processes.kill_pacs,
        processes.freeze_service,
        processes.freeze_kafka,
        processes.freeze_triton,
        processes.freeze_pacs,
        processes.drain_service,
        processes.restart_kafka,
        inference.triton_slow,
        inference.triton_refuses,
        inference.triton_out_of_memory,
        storage.store_refuses_writes,
        storage.store_slow,
        storage.disk_full,
        storage.journal_gone,
        storage.shared_memory_orphaned,
        clocks.clock_goes_ahead,
        clocks.clock_goes_back,
        events.events_again,
        events.events_reversed,
        events.events_unreadable,
    )
}


@dataclass(frozen=True)
class Planned:
    """A fault that comes when so many studies are stored; its own dice follow from `seed`."""

    after: int
    name: str
    seed: int


def schedule(names: Sequence[str], count: int, jobs: int, seed: int) -> list[Planned]:
    """`count` faults, evenly over the studies: each name once before one comes a second time."""
    chance = Random(seed)  # noqa: S311 - what comes when is to be the same again
    order: list[str] = []
    while names and len(order) < count:
        order += chance.sample(list(names), len(names))
    return [
        Planned(after=1 + number * jobs // count, name=name, seed=chance.randrange(1 << 32))
        for number, name in enumerate(order[:count])
    ]
