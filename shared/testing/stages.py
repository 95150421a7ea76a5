"""A whole pipeline on the memory bus: engines as in production, in one process."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.bus.control import Control
from shared.bus.engine import Engine
from shared.bus.memory import InlineExecutor, MemoryBus
from shared.bus.platform import Platform
from shared.bus.slots import Slots
from shared.bus.watch import Watch
from shared.bus.work import Ports
from shared.catalog import Catalog, Topics
from shared.clock import Clock, system_clock
from shared.store.port import PayloadStore


@dataclass(frozen=True)
class Rig:
    """The bus, its store, and what was assembled on them."""

    bus: MemoryBus
    store: PayloadStore
    control: Control

    async def together(self) -> None:
        """Deliver what was published to every replica at the same time, once."""
        await self.bus.deliver_at_once()


def assemble(
    catalog: Catalog,
    topics: Topics,
    store: PayloadStore,
    ports: Mapping[str, Ports],
    clock: Clock = system_clock,
    replicas: int = 1,
) -> Rig:
    """An engine for each service that `ports` names."""
    bus, control = MemoryBus(), Control()
    for name, own in ports.items():
        for _ in range(replicas):
            platform = Platform(
                service=catalog[name],
                topics=topics,
                store=store,
                executor=InlineExecutor(own),
                publisher=bus,
                control=control,
                slots=Slots(1),
                watch=Watch(clock),
                clock=clock,
                backoff_s=(0.0, 0.0),
            )
            bus.subscribe(catalog[name].consumes, Engine(platform).handle)
    return Rig(bus, store, control)
