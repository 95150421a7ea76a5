"""Real parts for the end-to-end tests: brokers, and one whole system for all of them."""

from collections.abc import Iterator

import pytest

from deploy.embedded import kafka
from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.ports import free_ports
from deploy.embedded.runtime import Runtime, missing_shared_library, unsupported_platform
from deploy.embedded.tests.processes import running
from shared.catalog import load_catalog
from tests.chaos.models import make_instant
from tests.e2e.echo import Echo, echoing
from tests.e2e.system import ECHO, System, running_system


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return install(cache_folder(), print)


@pytest.fixture(scope="module")
def broker(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker on which nothing is yet."""
    import asyncio

    folder = tmp_path_factory.mktemp("kafka")
    port, controller_port = free_ports(2)
    node = kafka.KafkaNode(folder / "node", port, controller_port)
    kafka.prepare(node, runtime)
    with running(kafka.command(node, runtime), folder / "kafka.log"):
        asyncio.run(kafka.wait_until_ready(node.bootstrap, deadline_s=300))
        yield node.bootstrap


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """A PACS that sends back whatever it gets."""
    with echoing() as pacs:
        yield pacs


@pytest.fixture(scope="session")
def system(echo: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, once for all tests: each sends patients of its own."""
    why_not = unsupported_platform() or missing_shared_library()
    if why_not:
        pytest.skip(f"no Triton here: {why_not}")
    runtime = install(cache_folder(), print)
    folder = tmp_path_factory.mktemp("system") / "home"
    with running_system(folder, runtime, echo.port) as system:
        echo.forward_to = (system.dicom_port, ECHO)
        yield system


@pytest.fixture(scope="session")
def instant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A second system, for tests that change what runs: instant models, two replicas of writers.

    Its reader fails at studies that say so; its writers have the code version that they are told.
    """
    why_not = unsupported_platform() or missing_shared_library()
    if why_not:
        pytest.skip(f"no Triton here: {why_not}")
    catalog = dict(load_catalog())
    for service, module in (("reader", "quoting"), ("writers", "versioned")):
        told = {"command": f"python -m tests.e2e.{module}"}
        catalog[service] = catalog[service].model_copy(update=told)
    with running_system(
        tmp_path_factory.mktemp("instant") / "home",
        install(cache_folder(), print),
        echo_port=9,  # nobody is sent to by the pipeline that goes there
        environment={"CLARION_STOW": "true"},
        catalog=catalog,
        replicas={"writers": 2},
        prepare=make_instant,
    ) as system:
        yield system
