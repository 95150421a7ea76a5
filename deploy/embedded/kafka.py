"""One Kafka node in KRaft mode: its settings, its storage, its command line, its readiness."""

import asyncio
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.embedded.cache import InstallFailed
from deploy.embedded.jars import locked_jars
from deploy.embedded.ports import listens
from deploy.embedded.runtime import Runtime

PROBE_INTERVAL_S = 0.1


@dataclass(frozen=True)
class KafkaNode:
    """Where the node keeps its files and on which local ports it listens.

    `folder` holds server.properties, log4j2.properties and `data/`, which is Kafka's own.
    """

    folder: Path
    port: int
    controller_port: int
    heap: str = "512m"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"


def prepare(node: KafkaNode, runtime: Runtime) -> None:
    """Write the settings and, the first time, format the storage."""
    node.folder.mkdir(parents=True, exist_ok=True)
    (node.folder / "log4j2.properties").write_text(_LOG4J2)
    _write_properties(node.folder / "server.properties", node, node.data)
    if not (node.data / "meta.properties").is_file():
        _format_storage(node, runtime)


def command(node: KafkaNode, runtime: Runtime) -> list[str]:
    """The broker's command line; it logs to standard output and stops on SIGTERM."""
    properties = str(node.folder / "server.properties")
    return [*_java(node, runtime), "kafka.Kafka", properties]


async def wait_until_ready(bootstrap: str, deadline_s: float) -> None:
    """Return once the broker answers a request for its cluster; TimeoutError at the deadline."""
    async with asyncio.timeout(deadline_s):
        while not await is_ready(bootstrap):
            await asyncio.sleep(PROBE_INTERVAL_S)


async def is_ready(bootstrap: str) -> bool:
    """One probe: does a broker there describe its cluster?"""
    host, _, port = bootstrap.rpartition(":")
    if not await listens(host, int(port)):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


def _java(node: KafkaNode, runtime: Runtime) -> list[str]:
    """Java with the locked jars on its class path, in the lock's order.

    The serial collector suits a small heap on few cores that everything else shares, and so does
    the first compiler alone: the second costs a small broker more than it gives back.
    """
    class_path = ":".join(str(runtime.kafka_jars / jar.file_name) for jar in locked_jars())
    return [
        *[str(runtime.java), f"-Xmx{node.heap}", "-XX:+UseSerialGC"],
        *["-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"],
        f"-Dlog4j2.configurationFile={node.folder / 'log4j2.properties'}",
        *["-cp", class_path],
    ]


def _format_storage(node: KafkaNode, runtime: Runtime) -> None:
    """Format under another name and rename: a kill in the middle leaves nothing half formatted."""
    scratch = node.folder / f"data.{uuid.uuid4().hex[:8]}"
    properties = node.folder / "format.properties"
    _write_properties(properties, node, scratch)
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # With `=`, for one in 64 ids begins with a hyphen and would be read as an option.
    tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
    done = subprocess.run(  # noqa: S603
        [*_java(node, runtime), *tool, "-c", str(properties)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallFailed(f"Kafka's storage could not be formatted:\n{done.stdout.strip()}")
    scratch.rename(node.data)
    properties.unlink()


def _write_properties(path: Path, node: KafkaNode, data: Path) -> None:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{node.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{node.port},"
        f"CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port},"
        f"CONTROLLER://127.0.0.1:{node.controller_port}",
        "log.dirs": str(data),
        **_SINGLE_NODE,
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


_SINGLE_NODE = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Static members come back within it after a crash; without it a session outlives a restart.
    "group.min.session.timeout.ms": "1000",
    # A killed node may register again once its old session has run out, which nobody else waits
    # for: 9 s and retries every 2 s as shipped.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "500",
    # A node alone has nobody to tell twice a second that nothing has changed.
    "metadata.max.idle.interval.ms": "5000",
}

_LOG4J2 = """\
status=error
rootLogger.level=info
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=STDOUT
appenders=console
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p %c{1} %m%n
loggers=client
logger.client.name=org.apache.kafka.clients
logger.client.level=warn
"""
