"""A small pipeline of text services, to show what the bus does without any medicine."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from shared.bus.units import DEFINITION
from shared.bus.work import Ports, Produced, Work
from shared.catalog import Service, Topics, load_topics
from shared.events.models import Completeness, InputReady, Lane, PayloadRef
from shared.events.wire import Event
from shared.identity import event_id, job_id
from shared.store.port import PayloadStore

DEFINITION_TEXT = """
pipeline: toy
deadline: 1 min
input: {admit: {modality: [CT]}}
stages:
  reader: {service: reader, inputs: {manifest: ingest.manifest}}
  left: {service: marker, inputs: {volume: reader.volume}, parameters: {mark: l}}
  right: {service: marker, inputs: {volume: reader.volume}, parameters: {mark: r}}
  both: {service: joiner, inputs: {volume: reader.volume, a: left.mask, b: right.mask}}
outputs:
  measurement: {from: both.measurement, kind: json}
"""


def _service(name: str, inputs: dict[str, str], outputs: dict[str, str], *kinds: str) -> Service:
    *consumes, publishes = kinds
    return Service.model_validate(
        {
            "service": name,
            "summary": "A toy.",
            "command": f"python -m {name}",
            "operations": {"default": {"inputs": inputs, "outputs": outputs}},
            "consumes": consumes,
            "publishes": [publishes, "stage-failed"],
        }
    )


CATALOG = {
    service.service: service
    for service in (
        _service(
            "reader", {"manifest": "manifest"}, {"volume": "volume"}, "input-ready", "volume-ready"
        ),
        _service("marker", {"volume": "volume"}, {"mask": "mask"}, "volume-ready", "mask-ready"),
        _service(
            "joiner",
            {"volume": "volume", "a": "mask", "b": "mask"},
            {"measurement": "measurement"},
            "mask-ready",
            "measurement-ready",
        ),
    )
}


def topics() -> Topics:
    """The project's own topics."""
    return load_topics()


def read(work: Work, *, store: PayloadStore) -> Produced:
    text = store.get(work.input("manifest")) + b" read"
    return Produced({"volume": store.put(text, "text/plain")}, warnings=("toy-warning",))


def mark(work: Work, *, store: PayloadStore) -> Produced:
    text = store.get(work.input("volume")) + f" {work.parameters['mark']}".encode()
    return Produced({"mask": store.put(text, "text/plain")})


def join(work: Work, *, store: PayloadStore) -> Produced:
    text = b" + ".join(store.get(work.input(port)) for port in ("a", "b"))
    return Produced({"measurement": store.put(text, "text/plain")})


def ports(store: PayloadStore, **instead: Callable[..., Produced]) -> dict[str, Ports]:
    """Each service's handler on the store, or what a test wants in its place."""
    handlers = {"reader": read, "marker": mark, "joiner": join} | instead
    return {
        name: Ports(partial(handle, store=store), {"store": store.probe})
        for name, handle in handlers.items()
    }


def input_ready(
    store: PayloadStore,
    run: int = 1,
    fresh: bool = False,
    lane: Lane = Lane.ROUTINE,
    manifest: bytes = b"manifest",
) -> Event:
    """The event with which a job of the toy pipeline begins."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    job = job_id("case", 1, manifest.decode())
    refs: dict[str, PayloadRef] = {
        DEFINITION: store.put(DEFINITION_TEXT.encode(), "application/yaml"),
        "ingest.manifest": store.put(manifest, "application/json"),
    }
    data = InputReady(
        job_id=job,
        case_id="case",
        version=1,
        run=run,
        fresh=fresh,
        pipeline="toy",
        lane=lane,
        received_at=at,
        stage="ingest",
        started_at=at,
        finished_at=at,
        payloads=refs,
        completeness=Completeness(rule="quiet-time", instances=1, waited_s=1),
    )
    return Event(
        event_id(job, run, "ingest", "input-ready"), "ingest", "input-ready", job, at, "", data
    )
