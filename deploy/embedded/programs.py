"""The processes of an embedded system: what supervisord runs, and how each is known to be ready."""

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded import kafka, triton
from deploy.embedded.home import Home
from deploy.embedded.kafka import KafkaNode
from deploy.embedded.runtime import Runtime
from deploy.embedded.triton import TritonServer
from shared.catalog import Catalog, Service

_HTTP = ("http", "api")
_BEHIND_WORKERS = "5"
"""How courteous Triton is: what follows an inference of an urgent study goes before one of bulk,
which Triton does not interrupt, and still before the workers that do bulk work."""


@dataclass(frozen=True)
class Program:
    """One process.

    `ready_url` answers 200 when it is ready; without one, readiness is that `port` listens.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    ready_url: str | None = None
    is_service: bool = False


def kafka_node(home: Home) -> KafkaNode:
    return KafkaNode(home.kafka, home.ports["kafka"], home.ports["kafka-controller"])


def triton_server(home: Home) -> TritonServer:
    return TritonServer(
        repository=home.models,
        grpc_port=home.ports["triton"],
        http_port=home.ports["triton-http"],
        metrics_port=home.ports["triton-metrics"],
        otlp_traces=f"{_otlp(home)}/v1/traces" if _otlp(home) else None,
    )


def programs(home: Home, runtime: Runtime, catalog: Catalog) -> list[Program]:
    """Infrastructure first, then the services by name, each with its replicas."""
    infrastructure = [_kafka(home, runtime), _pacs(home)]
    if home.settings.triton is None:
        infrastructure.insert(1, _triton(home, runtime))
    services = (
        _service(home, service, number, replica)
        for name, service in sorted(catalog.items())
        for number, replica in enumerate(home.replicas_of(name), start=1)
    )
    return [*infrastructure, *services]


def shared_environment(home: Home) -> dict[str, str]:
    """What every process is told; the home's own `environment` comes last and wins."""
    pacs = {"ae_title": "PACS", "host": "127.0.0.1", "port": home.ports["pacs"]}
    told = {
        "CLARION_HOME": str(home.folder),
        "CLARION_KAFKA": home.local("kafka"),
        "CLARION_STORE": f"file:{home.payloads}",
        "CLARION_TRITON": home.triton_address,
        "CLARION_TRITON_HTTP": f"http://{home.local('triton-http')}",
        "CLARION_TRITON_METRICS": f"http://{home.local('triton-metrics')}/metrics",
        "CLARION_LEDGER": f"sqlite:///{home.folder / 'ledger.db'}",
        "CLARION_SPANS": str(home.folder / "spans.db"),
        "CLARION_SPOOL": str(home.folder / "ingest"),
        "CLARION_DESTINATIONS": json.dumps({"pacs": pacs}),
        "PYTHONDONTWRITEBYTECODE": "",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    for service in ("results", "console", "ingest"):
        if url := _url(home, service):
            told[f"CLARION_{service.upper()}_URL"] = url
    if otlp := _otlp(home):
        told["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp
    return told | home.settings.environment


def _kafka(home: Home, runtime: Runtime) -> Program:
    node = kafka_node(home)
    return Program("kafka", kafka.command(node, runtime), port=node.port)


def _triton(home: Home, runtime: Runtime) -> Program:
    server = triton_server(home)
    return Program(
        name="triton",
        command=["nice", "-n", _BEHIND_WORKERS, *triton.command(server, runtime)],
        environment=triton.environment(runtime),
        port=server.grpc_port,
        ready_url=f"http://127.0.0.1:{server.http_port}/v2/health/ready",
    )


def _pacs(home: Home) -> Program:
    return Program(
        name="pacs",
        command=[sys.executable, "-m", "deploy.embedded.pacs"],
        environment={
            "CLARION_PACS_FOLDER": str(home.received),
            "CLARION_PACS_PORT": str(home.ports["pacs"]),
        },
        port=home.ports["pacs"],
    )


def _service(home: Home, service: Service, number: int, replica: str) -> Program:
    """One replica; it answers /health on CLARION_HEALTH_PORT."""
    health = home.ports[f"{replica}.health"]
    command = shlex.split(service.command)
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    own = {"CLARION_INSTANCE": str(number), "CLARION_HEALTH_PORT": str(health)}
    return Program(
        name=replica,
        command=command,
        environment=_ports(home, service, replica) | own,
        port=health,
        ready_url=f"http://127.0.0.1:{health}/health",
        is_service=True,
    )


def _ports(home: Home, service: Service, replica: str) -> dict[str, str]:
    """A port `dicom` of a service reaches it as CLARION_DICOM_PORT."""
    named = {name: home.ports[f"{replica}.{name}"] for name in service.ports}
    return {f"CLARION_{name.upper()}_PORT": str(port) for name, port in named.items()}


def _url(home: Home, service: str) -> str | None:
    """The address of the port on which a service speaks HTTP, if it has one."""
    found = [port for name in _HTTP if (port := f"{service}.{name}") in home.ports]
    return f"http://{home.local(found[0])}" if found else None


def _otlp(home: Home) -> str | None:
    """Where spans go: what the home's settings say, else the console."""
    return home.settings.environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _url(home, "console")
