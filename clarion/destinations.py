"""The destinations of a home: what results is told of them, and which are delivered to.

Are they there? A C-ECHO to each, from the AE title that results has (PS3.4 A).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pynetdicom import AE
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from clarion.home_settings import understood
from clarion.load.routes import definition, pipelines_of, routes
from clarion.storage import rejection
from deploy.embedded.home import Home
from deploy.embedded.programs import shared_environment
from services.results.settings import Destination, ResultsSettings

_NOTHING = "nothing answers there"
_EXAMPLE = '{"pacs": {"ae_title": "ARCHIVE", "host": "10.0.0.5", "port": 104}}'


def destinations(home: Home) -> Mapping[str, Destination]:
    """By name, as results is told of them. Raises ValueError in one line where it can't be."""
    told = shared_environment(home)["CLARION_DESTINATIONS"]
    read = partial(ResultsSettings.model_validate, {"destinations": told})
    return understood(home, "destinations", read, _EXAMPLE).destinations


def delivered_to(home: Home) -> Mapping[str, list[str]]:
    """The destinations that pipelines of the home's AE titles deliver to, each with those.

    Raises ValueError, YAMLError or OSError for titles and definitions that can't be read.
    """
    found, folder = defaultdict(list), pipelines_of(home)
    for pipeline in sorted({route.pipeline for route in routes(home).values()}):
        for name in sorted(
            {name for to in definition(folder, pipeline).deliver.values() for name in to}
        ):
            found[name].append(pipeline)
    return found


def why_not_there(asked: Mapping[str, Destination]) -> Iterator[tuple[str, str | None]]:
    """Each name with None where an AE answers, else with why not. All are asked at once."""
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as threads:
        yield from zip(asked, threads.map(_why_not, asked.values()), strict=True)


def _why_not(destination: Destination) -> str | None:
    """Asked again when nothing came: pynetdicom seldom loses an answer among its own threads."""
    first = _why_no_echo(destination)
    return _why_no_echo(destination) if first == _NOTHING else first


def _why_no_echo(destination: Destination) -> str | None:
    entity = AE(ae_title=destination.calling_ae)
    entity.connection_timeout = destination.timeout_s / 3  # as results itself waits
    entity.acse_timeout = entity.dimse_timeout = destination.timeout_s
    association = entity.associate(
        destination.host,
        destination.port,
        contexts=[build_context(Verification)],
        ae_title=destination.ae_title,
    )
    if association.is_rejected:
        return rejection(association)
    if not association.is_established:
        takes_no_echo = bool(association.rejected_contexts)
        return None if takes_no_echo else _NOTHING
    status = association.send_c_echo()
    association.release()
    if "Status" not in status:
        return "it took the association and did not answer C-ECHO"
    return None if status.Status == 0 else f"C-ECHO: status {status.Status:04X}"
