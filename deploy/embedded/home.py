"""A home: the one folder in which an embedded system lives, and the settings in it.

`settings.yaml` in the home overrides ports and environment variables; whatever it leaves out has
the default, so that a service added later needs no change to a home that exists.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from deploy.embedded.cache import REPOSITORY
from deploy.embedded.ports import free_ports
from shared.catalog import Catalog

_FIRST_HEALTH_PORT = 8100
_REPLICA_STEP = 100
"""How far a replica's ports lie above those of the replica before it."""
_OWN_PORTS = {
    "kafka": 9092,
    "kafka-controller": 9093,
    "triton": 8001,
    "triton-http": 8000,
    "triton-metrics": 8002,
    "pacs": 11113,
}
_HEADER = """\
# The settings of this home. Ports are named after the part that listens, or service.port.
# environment: extra variables (CLARION_…) for every process.
# triton: HOST:PORT of a Triton elsewhere, in place of the embedded one.
# replicas: how many processes of a service run; one where nothing is said.
"""


class HomeSettings(BaseModel):
    """What `settings.yaml` may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ports: dict[str, int] = {}
    environment: dict[str, str] = {}
    triton: str | None = None
    replicas: dict[str, Annotated[int, Field(ge=1, le=9)]] = {}


@dataclass(frozen=True)
class Home:
    """A folder and its settings; every path and address of one embedded system."""

    folder: Path
    settings: HomeSettings
    ports: dict[str, int]

    @property
    def kafka(self) -> Path:
        return self.folder / "kafka"

    @property
    def payloads(self) -> Path:
        return self.folder / "payloads"

    @property
    def models(self) -> Path:
        """The model repository: the reference models, and what the operator added."""
        return self.folder / "models"

    @property
    def received(self) -> Path:
        """What the receiving PACS filed."""
        return self.folder / "received"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """What only the running system needs: sockets, pid, pacing files."""
        return self.folder / "run"

    @property
    def triton_address(self) -> str:
        return self.settings.triton or self.local("triton")

    def local(self, port: str) -> str:
        """HOST:PORT of one of this home's own listeners."""
        return f"127.0.0.1:{self.ports[port]}"

    def replicas_of(self, service: str) -> list[str]:
        """The names of a service's replicas, of which the first has the service's own."""
        return _replica_names(service, self.settings.replicas.get(service, 1))


def home_folder(named: Path | None) -> Path:
    """`--home`, else `CLARION_HOME`, else `.home` in the repository."""
    return Path(named or os.environ.get("CLARION_HOME") or REPOSITORY / ".home").resolve()


def default_ports(catalog: Catalog) -> dict[str, int]:
    """Every listener of the system; a service's health port is given out in the order of names."""
    ports = dict(_OWN_PORTS)
    for number, (name, service) in enumerate(sorted(catalog.items())):
        ports[f"{name}.health"] = _FIRST_HEALTH_PORT + number
        ports |= {f"{name}.{port}": default for port, default in service.ports.items()}
    return ports


def replica_ports(catalog: Catalog, replicas: Mapping[str, int]) -> dict[str, int]:
    """What the replicas after the first listen on: the first's ports, each a step further up."""
    first = default_ports(catalog)
    return {
        f"{replica}.{port.partition('.')[2]}": default + step * _REPLICA_STEP
        for service, count in replicas.items()
        for step, replica in enumerate(_replica_names(service, count))
        for port, default in first.items()
        if step and port.startswith(f"{service}.")
    }


def _replica_names(service: str, count: int) -> list[str]:
    return [service, *(f"{service}-{number}" for number in range(2, count + 1))]


def open_home(folder: Path, catalog: Catalog) -> Home:
    """Read the home's settings, which need not exist. Raises ValueError for what is wrong there."""
    path = folder / "settings.yaml"
    found = _read(path) if path.is_file() else None
    settings = HomeSettings.model_validate(found or {})
    _require_possible(settings.replicas, catalog, path)
    defaults = default_ports(catalog) | replica_ports(catalog, settings.replicas)
    unknown = sorted(settings.ports.keys() - defaults.keys())
    if unknown:
        raise ValueError(f"{path}: no part of the system has the port {', '.join(unknown)}")
    return Home(folder, settings, defaults | settings.ports)


def _require_possible(replicas: Mapping[str, int], catalog: Catalog, path: Path) -> None:
    """Raises ValueError for a service that there is not, or of which only one may run."""
    for name, count in replicas.items():
        if name not in catalog:
            raise ValueError(f"{path}: unknown-service: replicas of {name}, which is no service")
        if count > 1 and (why := catalog[name].single):
            raise ValueError(f"{path}: single-service: {name} runs once, {why}")


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ValueError(f"{where}: not YAML; check brackets, quotes and indentation") from None


def require_a_port_each(home: Home) -> None:
    """Raises ValueError where two parts of the system would listen on one port."""
    listeners = defaultdict(list)
    for name, port in home.ports.items():
        is_elsewhere = home.settings.triton and name.startswith("triton")
        if not is_elsewhere:
            listeners[port].append(name)
    shared = [f"{' and '.join(each)} have {port}" for port, each in listeners.items() if each[1:]]
    if shared:
        path = home.folder / "settings.yaml"
        raise ValueError(f"{path}: same-port: {'; '.join(shared)}; give each another under ports")


def create_home(folder: Path, catalog: Catalog, any_ports: bool = False) -> Home:
    """Open the home, making its folders and, if there are none, its settings.

    With `any_ports` a new home takes ports that are free now, so that several homes can run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.yaml"
    if not path.is_file():
        names = default_ports(catalog)
        ports = dict(zip(names, free_ports(len(names)), strict=True)) if any_ports else {}
        content = yaml.safe_dump({"ports": ports, "environment": {}}, sort_keys=False)
        path.write_text(_HEADER + content)
    home = open_home(folder, catalog)
    for each in (home.kafka, home.payloads, home.received, home.logs, home.run):
        each.mkdir(exist_ok=True)
    return home
