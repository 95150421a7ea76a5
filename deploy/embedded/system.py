"""Brings an embedded system up and down.

Up: what a crash left is cleared, then Kafka, Triton and the PACS start, the topics are made, and
only then the services start. Down: the services first, while Kafka still takes what they finish.
"""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from deploy.embedded import kafka
from deploy.embedded.cache import REPOSITORY
from deploy.embedded.home import Home
from deploy.embedded.ports import can_bind, listens
from deploy.embedded.programs import Program, kafka_node, programs, triton_server
from deploy.embedded.runtime import Runtime
from deploy.embedded.supervisor import Control, start, write_configuration
from deploy.embedded.survivors import end_survivors, marked_processes
from deploy.modelrepo.repository import Repository
from deploy.modelrepo.seeding import seed
from shared.bus import topics
from shared.catalog import Catalog, load_topics
from shared.inference.regions import remove_orphans

Progress = Callable[[str, str], None]
"""Told of a part of the system and what became of it."""

INFRASTRUCTURE = {"kafka", "triton", "pacs"}
_PROBE_INTERVAL_S = 0.1
_DOWN_S = 45.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where POSIX shared memory is on Linux


class AlreadyRunning(Exception):
    """This home is up, or is being brought up."""


class NotStarted(Exception):
    """A part of the system did not become ready; says which, why, and where its log is."""


@dataclass(frozen=True)
class Part:
    """One process of the system as it is now."""

    name: str
    state: str
    ready: bool
    why_not: str = ""


def is_running(home: Home) -> bool:
    """Is there a supervisord of this home?"""
    return any(each.is_supervisor for each in marked_processes(home.folder))


async def bring_up(
    home: Home, runtime: Runtime, catalog: Catalog, progress: Progress, deadline_s: float
) -> None:
    """Start the whole system and return when every part is ready.

    Raises AlreadyRunning, or NotStarted, after which what did start is left running.
    """
    with _one_starter(home):
        recover(home, progress)
        seed_models(home, progress)
        wanted = programs(home, runtime, catalog)
        require_free_ports(home)
        kafka.prepare(kafka_node(home), runtime)
        control = await _supervised(home, wanted, deadline_s)
        _start(control, [each for each in wanted if not each.is_service])
        await _topics(home, progress, deadline_s)
        _start(control, [each for each in wanted if each.is_service])
        await _all_ready(home, wanted, progress, deadline_s)
        await _tell_of_models(home, progress)


async def bring_down(home: Home, progress: Progress) -> None:
    """Stop every process of the home, the services first; nothing of it is left afterwards."""
    control = Control(home)
    if is_running(home) and control.answers():
        names = set(control.states())
        await _stop(control, names - INFRASTRUCTURE)
        progress("services", "stopped")
        await _stop(control, names & INFRASTRUCTURE)
        control.shut_down()
        await _until(lambda: not is_running(home))
    recover(home, progress)
    progress("system", "down")


def recover(home: Home, progress: Progress) -> None:
    """Clear what a crash left: processes without their supervisord, and shared memory."""
    for each in end_survivors(home.folder):
        progress("recovered", f"ended a process left behind: {' '.join(each.command[:4])}")
    for path in _SHARED_MEMORY.glob(f"{triton_server(home).shared_memory_prefix}*"):
        path.unlink(missing_ok=True)
    remove_orphans()


def seed_models(home: Home, progress: Progress) -> None:
    """Bring the models that come with Clarion into the home, where no server reads it."""
    for new in seed(Repository(home.models), REPOSITORY / "models", datetime.now(UTC)):
        waits = f"new, and waits: clarion models promote {new.name} {new.version}"
        said = "answers" if new.answers else waits
        progress("models", f"{new.name} {new.version} {said}")


async def _tell_of_models(home: Home, progress: Progress) -> None:
    """Which models Triton could not load: it starts without them, and studies fail there."""
    if home.settings.triton:
        return
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        index = f"http://127.0.0.1:{home.ports['triton-http']}/v2/repository/index"
        found = (await client.post(index)).raise_for_status().json()
    for told in not_loaded(found):
        progress("models", told)


def not_loaded(index: Iterable[Mapping[str, str]]) -> list[str]:
    """What Triton's index of its repository says of versions that it tried and does not have."""
    return [
        f"{each['name']} {each.get('version', '')} does not answer: {each.get('reason', '')}"
        for each in index
        if each.get("state") == "UNAVAILABLE" and each.get("reason") != "unloaded"
    ]


async def parts(home: Home, runtime: Runtime, catalog: Catalog) -> list[Part]:
    """How every process of a running home is now."""
    states = Control(home).states()
    wanted = programs(home, runtime, catalog)
    reasons = await asyncio.gather(*(why_not_ready(each) for each in wanted))
    return [
        Part(each.name, states.get(each.name, "ABSENT"), why is None, why or "")
        for each, why in zip(wanted, reasons, strict=True)
    ]


async def why_not_ready(program: Program) -> str | None:
    """None when it is ready, else what it says about itself."""
    if program.port is not None and not await listens("127.0.0.1", program.port):
        return f"nothing listens on port {program.port}"
    if program.ready_url is None:
        return None
    # Without certificates, whose loading takes 25 ms: a start asks every part ten times a second.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5) as client:  # noqa: S501
        try:
            answer = await client.get(program.ready_url)
        except httpx.HTTPError as error:
            return type(error).__name__
    return None if answer.is_success else _why_not(answer)


def _why_not(answer: httpx.Response) -> str:
    """A service answers 503 with its reasons, Triton with nothing."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return ", ".join(map(str, answer.json().get("why_not", [])))
    return f"HTTP status {answer.status_code}"


async def _supervised(home: Home, wanted: list[Program], deadline_s: float) -> Control:
    process = start(home, write_configuration(home, wanted))
    control, log = Control(home), home.logs / "supervisord.out"
    async with _deadline(deadline_s, f"supervisord: see {log}"):
        while not control.answers():
            if process.poll() is not None:
                raise NotStarted(f"supervisord ended: {log.read_text().strip()}")
            await asyncio.sleep(_PROBE_INTERVAL_S)
    return control


async def _topics(home: Home, progress: Progress, deadline_s: float) -> None:
    bootstrap = kafka_node(home).bootstrap
    async with _deadline(deadline_s, f"kafka: see {home.logs / 'kafka.log'}"):
        await kafka.wait_until_ready(bootstrap, deadline_s)
    made = await topics.create(bootstrap, load_topics())
    progress("topics", f"{len(made)} topics")


async def _all_ready(
    home: Home, wanted: list[Program], progress: Progress, deadline_s: float
) -> None:
    started = time.monotonic()
    reasons = await asyncio.gather(
        *(_ready(each, started, progress, deadline_s) for each in wanted)
    )
    missing = [
        f"{each.name} is not ready ({why}): see {home.logs / f'{each.name}.log'}"
        for each, why in zip(wanted, reasons, strict=True)
        if why
    ]
    if missing:
        raise NotStarted("\n".join(missing))


async def _ready(
    program: Program, started: float, progress: Progress, deadline_s: float
) -> str | None:
    """None once it is ready, or the reason that it gave last before the deadline."""
    while why := await why_not_ready(program):
        if time.monotonic() - started > deadline_s:
            return why
        await asyncio.sleep(_PROBE_INTERVAL_S)
    progress(program.name, "ready")
    return None


def require_free_ports(home: Home) -> None:
    """Raises NotStarted where other programs have some of the home's ports."""
    taken = [f"{name} {port}" for name, port in sorted(home.ports.items()) if not can_bind(port)]
    if taken:
        settings = home.folder / "settings.yaml"
        others = (
            f"set other ports in {settings}, or make a new home: "
            "`clarion up --any-ports --home FOLDER`"
            if settings.exists()
            else f"let this new home take others: `clarion up --any-ports --home {home.folder}`"
        )
        raise NotStarted(
            f"ports in use by another program: {', '.join(taken)}; stop it, or {others}"
        )


def _start(control: Control, some: list[Program]) -> None:
    for each in some:
        control.start(each.name)


async def _stop(control: Control, names: set[str]) -> None:
    """All at once, and wait: left to itself supervisord stops one after the other."""
    states = control.states()
    for name in names:
        if states[name] == "RUNNING":
            control.stop(name)
    await _until(lambda: not names & control.busy())


async def _until(reached: Callable[[], bool]) -> None:
    """Return when it is so or when time is up: whoever is left then is killed."""
    deadline = time.monotonic() + _DOWN_S
    while not reached() and time.monotonic() < deadline:
        await asyncio.sleep(_PROBE_INTERVAL_S)


@contextmanager
def _one_starter(home: Home) -> Iterator[None]:
    with (home.run / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{home.folder} is being brought up already") from None
        if is_running(home):
            raise AlreadyRunning(f"{home.folder} is up already")
        yield


@asynccontextmanager
async def _deadline(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise NotStarted(f"not ready within {seconds:g} s: {what}") from None
