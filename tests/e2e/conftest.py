"""Real parts for the end-to-end tests: one broker for all of them."""

from collections.abc import Iterator

import pytest

from deploy.embedded import kafka
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime
from deploy.embedded.tests.processes import running


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return install(cache_folder(), print)


@pytest.fixture(scope="session")
def broker(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker."""
    import asyncio

    folder = tmp_path_factory.mktemp("kafka")
    port, controller_port = free_ports(2)
    node = kafka.KafkaNode(folder / "node", port, controller_port)
    kafka.prepare(node, runtime)
    with running(kafka.command(node, runtime), folder / "kafka.log"):
        asyncio.run(kafka.wait_until_ready(node.bootstrap, deadline_s=60))
        yield node.bootstrap
