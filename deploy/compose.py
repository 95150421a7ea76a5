"""The compose file: production's parts on one host, every service from the one Dockerfile."""

from typing import Any

import yaml

from deploy.embedded.triton import EACH_MODEL_FOR_ITSELF
from shared.bus.slots import for_bulk
from shared.catalog import Catalog, Service

_DATA = "/var/lib/clarion"
_HEALTH_PORT = 8090
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - inside a container; published ports name 127.0.0.1
_PASSWORD = "${POSTGRES_PASSWORD:?choose one}"  # noqa: S105 - compose asks for it

_HEAD = """\
# Generated from each service.yaml by `python -m deploy.generate`.
# TRITON_IMAGE names NVIDIA's Triton server image (with the ONNX Runtime backend).
"""

_ENVIRONMENT = {
    "CLARION_KAFKA": "kafka:9092",
    "CLARION_STORE": f"file:{_DATA}/payloads",
    "CLARION_SPOOL": f"{_DATA}/ingest",
    "CLARION_SPANS": f"{_DATA}/spans.db",
    "CLARION_TRITON": "triton:8001",
    "CLARION_LEDGER": f"postgresql+psycopg://clarion:{_PASSWORD}@ledger/clarion",
    "CLARION_DESTINATIONS": '{"pacs": {"ae_title": "ORTHANC", "host": "orthanc", "port": 4242}}',
    "CLARION_HEALTH_HOST": _ANY_ADDRESS,
    "CLARION_HEALTH_PORT": str(_HEALTH_PORT),
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318",
}

_PROBE = (
    f"import urllib.request as u; u.urlopen('http://127.0.0.1:{_HEALTH_PORT}/health', timeout=3)"
)


def compose(catalog: Catalog) -> str:
    """docker-compose.yml for the whole system."""
    document = {
        "name": "clarion",
        "services": {
            **_infrastructure(),
            **{name.replace("_", "-"): _service(service) for name, service in catalog.items()},
        },
        "volumes": {"data": {}, "kafka": {}, "ledger": {}, "orthanc": {}},
    }
    return _HEAD + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=100)


class _Plain(yaml.SafeDumper):
    """Without anchors: a compose file is read by people."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _infrastructure() -> dict[str, Any]:
    kafka = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    }
    return {
        "kafka": {
            "image": "apache/kafka:4.1.1",
            "environment": kafka,
            "volumes": ["kafka:/var/lib/kafka/data"],
            "healthcheck": {
                "test": [
                    "CMD-SHELL",
                    "/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server kafka:9092",
                ],
                "interval": "5s",
                "timeout": "10s",
                "retries": 24,
            },
            "restart": "always",
        },
        "topics": {
            "build": _build("console"),
            "command": ["python", "-m", "shared.bus.topics"],
            "environment": _ENVIRONMENT,
            "depends_on": {"kafka": {"condition": "service_healthy"}},
            "restart": "on-failure",
        },
        "triton": {
            "image": "${TRITON_IMAGE:?name NVIDIA's Triton server image}",
            "command": _TRITON,
            "volumes": ["./models:/models:ro"],
            "ipc": "shareable",
            "shm_size": "4gb",
            "restart": "always",
        },
        "ledger": {
            "image": "postgres:17",
            "environment": {
                "POSTGRES_USER": "clarion",
                "POSTGRES_PASSWORD": _PASSWORD,
                "POSTGRES_DB": "clarion",
            },
            "volumes": ["ledger:/var/lib/postgresql/data"],
            "healthcheck": {
                "test": ["CMD-SHELL", "pg_isready -U clarion"],
                "interval": "5s",
                "retries": 24,
            },
            "restart": "always",
        },
        "jaeger": {
            "image": "jaegertracing/jaeger:2.5.0",
            "ports": ["127.0.0.1:16686:16686"],
            "restart": "always",
        },
        "orthanc": {
            "image": "orthancteam/orthanc:25.4.0",
            "ports": ["127.0.0.1:8042:8042"],
            "volumes": ["orthanc:/var/lib/orthanc/db"],
            "restart": "always",
        },
    }


_TRITON = [
    "tritonserver",
    "--model-repository=/models",
    *EACH_MODEL_FOR_ITSELF,
    "--trace-config=mode=opentelemetry",
    "--trace-config=opentelemetry,url=http://jaeger:4318/v1/traces",
    "--trace-config=opentelemetry,resource=service.name=triton",
    "--trace-config=rate=1",
    "--trace-config=level=TIMESTAMPS",
]


def _build(service: str) -> dict[str, Any]:
    return {
        "context": ".",
        "dockerfile": "deploy/docker/Dockerfile",
        "args": {"SERVICE": service},
    }


def _service(service: Service) -> dict[str, Any]:
    depends = {"topics": {"condition": "service_completed_successfully"}}
    if "triton" in service.needs:
        depends["triton"] = {"condition": "service_started"}
    if "ledger" in service.needs:
        depends["ledger"] = {"condition": "service_healthy"}
    hosts = {f"CLARION_{port.upper()}_HOST": _ANY_ADDRESS for port in service.ports}
    found: dict[str, Any] = {
        "build": _build(service.service),
        "command": service.command.split(),
        "environment": _ENVIRONMENT | hosts,
        "volumes": [f"data:{_DATA}"],
        "depends_on": depends,
        "healthcheck": {
            "test": ["CMD", "python", "-c", _PROBE],
            "interval": "10s",
            "start_period": "60s",
        },
        "deploy": {"resources": {"limits": {"memory": _memory(service)}}},
        "restart": "always",
    }
    if service.ports:
        found["ports"] = [f"127.0.0.1:{port}:{port}" for port in service.ports.values()]
    if "triton" in service.needs:
        found["ipc"] = "service:triton"
    return found


def _memory(service: Service) -> str:
    """The limits of all workers, and room for the process that talks to Kafka."""
    workers = service.resources.workers
    of_bulk = for_bulk(workers) if any(each.inputs for each in service.operations.values()) else 0
    return f"{(workers + of_bulk) * service.resources.memory_mb + 512}m"
