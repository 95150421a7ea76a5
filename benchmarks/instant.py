"""A service whose handler is instant: all that is left is the platform.

`python -m benchmarks.instant SERVICE` runs the real bus with the real service.yaml, and a
handler that gives a few bytes for each output port.
"""

import sys
from functools import partial

from shared.bus.work import Ports, Produced, Work
from shared.catalog import Service, load_service
from shared.identity import uid
from shared.run import serve
from shared.settings import Settings
from shared.store.open import open_store
from shared.store.port import PayloadStore


def handle(work: Work, *, store: PayloadStore, service: Service) -> Produced:
    """A few bytes for each output port, different for each stage of each job."""
    operation = service.operation(work.definition.stages[work.stage].service)
    ports = operation.outputs if operation else {}
    payloads = {
        port: store.put(f"{work.job_id} {work.stage} {port}".encode(), "text/plain")
        for port in ports
    }
    return Produced(payloads, facts=_dicom(work) if "dicom" in ports else {})


def _dicom(work: Work) -> dict[str, str]:
    output = next(
        name
        for name, output in work.definition.outputs.items()
        if output.source == f"{work.stage}.dicom"
    )
    return {
        "output": output,
        "kind": work.definition.outputs[output].kind,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.66.4",
        "sop_instance_uid": uid(work.job_id, work.stage, "instant", "instance"),
        "series_instance_uid": uid(work.job_id, work.stage, "instant", "series"),
    }


def build(name: str, settings: Settings) -> Ports:
    """The ports of an instant service."""
    store = open_store(settings.store)
    return Ports(partial(handle, store=store, service=load_service(name)), {"store": store.probe})


if __name__ == "__main__":
    serve(sys.argv[1], Settings, partial(build, sys.argv[1]))
