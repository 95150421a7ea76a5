"""What the runs of one command share: the sources, the senders, and the system."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from clarion import demo_study
from clarion.failure import Failure
from clarion.load import system
from clarion.load.arrivals import Profile
from clarion.load.crew import Belongings, Crew, hired
from clarion.load.identities import Run as Identities
from clarion.load.machine import Meter
from clarion.load.plan import CT, Mix, Order
from clarion.load.report import Report
from clarion.load.routes import Way, pipelines_of, routes, ways
from clarion.load.running import Interrupts, Run
from clarion.load.stages import Sources
from clarion.load.studies import Recorded, Source, is_admitted, recorded
from clarion.load.tracking import Tracker
from clarion.load.view import shown
from deploy.embedded.home import Home
from phantom import Recipe, draw
from phantom.studies import CHEST
from shared.events.models import Lane

RECIPES: Mapping[str, Recipe] = {"SMALL": CHEST, "CHEST": demo_study.CHEST}
"""A chest of 64 x 64 x 64 voxels, and one of 64 x 256 x 256."""
_ANATOMIES = 2
"""How many chests are drawn; what makes a study another one is its identity."""


@dataclass(frozen=True)
class Kind:
    """What is sent, whenever it is: shares, and how the sources are drawn from."""

    lanes: Mapping[str, float]
    faults: Mapping[str, float]
    profile: Profile | None
    shuffled: bool
    recorded: bool = False
    """Of people's folders: such a study may be refused."""

    def mix(self, sources: int) -> Mix:
        modalities = self.profile.studies if self.profile else {CT: 1}
        return Mix(self.lanes, self.faults, modalities, sources, not self.shuffled)

    def used_lanes(self) -> list[Lane]:
        """The lanes that something may go to; routine takes what the shares leave of 1."""
        left = sum(self.lanes.values()) < 1 - 1e-9
        named = [Lane(name) for name, share in self.lanes.items() if share]
        return sorted({*named, *([Lane.ROUTINE] if left else [])})


@dataclass(frozen=True)
class Session:
    """Senders that stand ready, and the system that they send to."""

    home: Home
    crew: Crew
    sources: Sources
    screen: Console
    interrupts: Interrupts
    drain_s: float
    recorded: bool

    def run(self, orders: Iterator[Order], planned: int, title: str) -> Report:
        """One run to its end, with the verdict of the PACS. Raises Failure when a sender died."""
        log = system.PacsLog.from_now(self.home)
        tracker = Tracker(system.results(self.home))
        with shown(self.screen, title) as show:
            run = Run(
                crew=self.crew,
                orders=orders,
                planned=planned,
                tracker=tracker,
                meter=Meter(system.addresses(self.home)),
                sources=self.sources,
                drain_s=self.drain_s,
                interrupts=self.interrupts,
                show=show,
                recorded=self.recorded,
            )
            report = run.go()
        at_pacs = system.filed_at_pacs(self.home, tracker, log)
        return replace(report, verdict=replace(report.verdict, filed=at_pacs))


def phantoms(name: str, seed: int, screen: Console) -> tuple[Source, ...]:
    """Draw the anatomies, with a bar: a large one takes some seconds."""
    seeds = range(seed, seed + _ANATOMIES)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        drawing = bar.track(seeds, description=f"drawing {name} phantoms")
        return tuple(draw(replace(RECIPES[name], seed=each)) for each in drawing)


def folders(paths: Sequence[Path]) -> tuple[Recorded, ...]:
    """The studies below the folders. Raises Failure when there are none."""
    return recorded(paths)


def admitted(home: Home, kind: Kind, sources: tuple[Recorded, ...]) -> tuple[Recorded, ...]:
    """Those that make a job, whatever the lane. Raises Failure: none does."""
    rules = [way.definition.input for way in _leads(home, kind).values()]
    found = tuple(each for each in sources if all(is_admitted(each, rule) for rule in rules))
    if not found:
        raise Failure("no-studies: no pipeline admits a study below the folders of --from")
    return found


def _leads(home: Home, kind: Kind) -> Mapping[Lane, Way]:
    port = home.ports["ingest.dicom"]
    return ways(kind.used_lanes(), routes(home), port, pipelines_of(home))


@contextmanager
def opened(
    home: Home,
    kind: Kind,
    sources: tuple[Source, ...],
    senders: int,
    drain_s: float,
    screen: Console,
    interrupts: Interrupts,
) -> Iterator[Session]:
    """Senders at the home's system. Raises Failure for what stands against it."""
    leads = _leads(home, kind)
    stages = {k: v for way in leads.values() for k, v in way.definition.sources.items()}
    with tempfile.TemporaryDirectory(prefix="clarion-load-") as folder:
        identities = Identities(secrets.randbelow(10**8))
        belongings = Belongings(sources, leads, identities, Path(folder))
        with hired(senders, belongings) as crew:
            yield Session(home, crew, stages, screen, interrupts, drain_s, kind.recorded)
