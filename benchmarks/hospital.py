"""An embedded system as a hospital has it, with phantoms to send to it and ears on its bus."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import yaml

from benchmarks.hearing import Heard, listening
from clarion.load.identities import Run
from clarion.load.plan import Fault, Order
from clarion.load.studies import Study, make
from clarion.storage import Target, store
from deploy.embedded.cache import cache_folder
from deploy.embedded.home import Home, create_home, default_ports
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from deploy.embedded.system import bring_down, bring_up
from phantom.anatomy import Phantom
from shared.catalog import load_catalog
from shared.events.models import Lane
from shared.identity import case_id

_PIPELINE = "covid19-ct"
_CALLED = {Lane.STAT: "STAT", Lane.ROUTINE: "DAY", Lane.BULK: "NIGHT"}
_HEARD = ("input-ready", "job-finished", "dicom-delivered")
_QUIET_S, _LONG_S = 1.0, 30.0
"""After a release; and without one, so that a sender that gets no time does not split its study."""
_START_S = 300.0


def _silent(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Timed:
    """A job, and the seconds from the release of its association to when its end was heard, less
    quiet time."""

    trace_id: str
    seconds: float


@dataclass
class Hospital:
    """The system, what was heard on its bus, and studies of one phantom to send to it."""

    home: Home
    folder: Path
    phantom: Phantom
    heard: Heard = field(default_factory=Heard)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def volume(self) -> str:
        """Voxels and millimetres of every study."""
        shape, spacing = self.phantom.recipe.shape, self.phantom.recipe.spacing
        return f"{'x'.join(map(str, shape))} at {'x'.join(map(str, spacing))} mm"

    async def timed(self, lane: Lane) -> Timed:
        """Send a new study, and wait for the end of its job."""
        study = await asyncio.to_thread(self.made)
        case, released = await asyncio.to_thread(self.send, study, lane)
        ended = await self.heard.end_of(case)
        return Timed(ended.trace_id, ended.at - released - _QUIET_S)

    async def delivered(self, lane: Lane, studies: int) -> None:
        """Send so many new studies, and wait until the PACS has all that was made of them."""
        made = [await asyncio.to_thread(self.made) for _ in range(studies)]
        sent = [await asyncio.to_thread(self.send, study, lane) for study in made]
        for case, _ in sent:
            await self.heard.delivery_of(case)

    def made(self) -> Study:
        """A new study, which lies ready to be sent."""
        number = next(self._numbers)
        order = Order(number, 0.0, Lane.ROUTINE, Fault.NONE, 0)
        return make(order, self.phantom, Run(1), self.folder / str(number))

    def send(self, study: Study, lane: Lane) -> tuple[str, float]:
        """Its case, and when its association was released, in s since 1970."""
        target = Target(_CALLED[lane], "127.0.0.1", self.home.ports["ingest.dicom"])
        for answer in store(target, study.instances, lane):
            if not answer.stored:
                raise RuntimeError(f"not stored: {answer.meaning}")
        released = time.time()
        for instance in study.instances:
            instance.path.unlink()
        return case_id(_PIPELINE, study.study_instance_uid, "study"), released


@asynccontextmanager
async def hospital(
    folder: Path, phantom: Phantom, prepare: Callable[[Home], None] = _silent
) -> AsyncIterator[Hospital]:
    """A new home that is up until the block ends; `prepare` is shown it before anything runs."""
    catalog, runtime = load_catalog(), install(cache_folder(), _silent)
    home = _new_home(folder)
    prepare(home)
    system = Hospital(home, folder / "studies", phantom)
    try:
        await bring_up(home, runtime, catalog, _silent, _START_S)
        async with listening(home.local("kafka"), _HEARD, system.heard.hear):
            yield system
    finally:
        await bring_down(home, _silent)


def _new_home(folder: Path) -> Home:
    catalog = load_catalog()
    names = default_ports(catalog)
    aes = {
        called: {"pipeline": _PIPELINE, "lane": str(lane), "quiet_s": _LONG_S}
        for lane, called in _CALLED.items()
    }
    settings = {
        "ports": dict(zip(names, free_ports(len(names)), strict=True)),
        "environment": {
            "CLARION_AES": yaml.safe_dump(aes, default_flow_style=True).strip(),
            "CLARION_RELEASE_S": str(_QUIET_S),
        },
    }
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return create_home(folder, catalog)
