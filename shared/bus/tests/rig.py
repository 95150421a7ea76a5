"""The toy pipeline on the memory bus, for tests: handlers replaced by name, jobs run to the end."""

from collections.abc import Callable

from shared.bus.work import Produced
from shared.events.models import Lane, MeasurementReady
from shared.store.port import PayloadStore
from shared.testing import toy
from shared.testing.stages import Rig, assemble


def toy_rig(store: PayloadStore, replicas: int = 1, **instead: Callable[..., Produced]) -> Rig:
    """Its services, some with other handlers."""
    ports = toy.ports(store, **instead)
    return assemble(toy.CATALOG, toy.topics(), store, ports, replicas=replicas)


async def run_job(rig: Rig, run: int = 1, fresh: bool = False) -> None:
    """Publish a run of the one job, and return when nothing is left to do."""
    await rig.bus.publish(toy.input_ready(rig.store, run, fresh), Lane.ROUTINE, 3)
    await rig.bus.settle()


def measured(rig: Rig) -> list[bytes]:
    """What came out at the end, each time."""
    found = []
    for event in rig.bus.events("measurement-ready"):
        assert isinstance(event.data, MeasurementReady)
        found.append(rig.store.get(event.data.payloads["both.measurement"]))
    return found
