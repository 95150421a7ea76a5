"""Services that halted after a burst of failures: which they are, and letting them go on."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from clarion.failure import Failure
from clarion.homes import running
from deploy.embedded.home import Home
from shared.catalog import load_catalog

_ANSWER_S = 2.0
_ELSEWHERE = ("CLARION_RESULTS_URL", "CLARION_STATISTICS_URL")
_HOW = "`clarion failures resume SERVICE --at HOST:PORT` lets the one go on that answers there"
UNKNOWN = "which services have halted is not known here: ask the /health of each"


def is_elsewhere() -> bool:
    """Only an API's address is known: where the services answer is not."""
    return any(os.environ.get(name) for name in _ELSEWHERE)


def halted(home: Path | None) -> list[str]:
    """The services of a home that say so; none are asked of a system that is elsewhere."""
    if is_elsewhere():
        return []
    opened = running(home)
    with httpx.Client(timeout=_ANSWER_S, trust_env=False) as client:
        return [
            name
            for name, service in sorted(load_catalog().items())
            if service.operations
            and any(_says_halted(client, each) for each in _addresses(name, opened))
        ]


def told(service: str) -> str:
    """What to tell an operator of a service that has halted."""
    return f"{service} has halted after a burst of failures: clarion failures resume {service}"


def named(home: Path | None) -> list[str]:
    """Those that have halted. Raises `Failure` where that can't be asked."""
    if is_elsewhere():
        raise Failure(f"unknown-address: {UNKNOWN}, and {_HOW}")
    return halted(home)


def resume(service: str, home: Path | None, at: Sequence[str] = ()) -> dict[str, Any]:
    """What the service answers, whichever of its replicas had halted; of the home, or `at` these.

    Raises `Failure` where there is none, or it can't halt.
    """
    catalog = load_catalog()
    if service not in catalog or not catalog[service].operations:
        known = ", ".join(sorted(name for name, each in catalog.items() if each.operations))
        raise Failure(f"unknown-service: {service} is no service that halts; those are {known}")
    if is_elsewhere() and not at:
        raise Failure(f"unknown-address: {_HOW}")
    where = [f"http://{each}" for each in at] or _addresses(service, running(home))
    with httpx.Client(timeout=_ANSWER_S, trust_env=False) as client:
        answers = [_asked(client, service, each) for each in where]
    for answer in answers:
        if not answer.is_success:
            said = f"{service} answered {answer.status_code}"
            raise Failure(f"not-resumed: {said}; see `clarion doctor`")
    found: list[dict[str, Any]] = [answer.json() for answer in answers]
    return next((each for each in found if each.get("resumed")), found[0])


def _asked(client: httpx.Client, service: str, address: str) -> httpx.Response:
    try:
        said = client.get(f"{address}/health").json()["service"]
        if said != service:
            raise Failure(f"another-service: {said} answers at {address}, not {service}")
        return client.post(f"{address}/resume")
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise Failure(f"no-answer: {service} does not answer at {address}") from None


def _says_halted(client: httpx.Client, address: str) -> bool:
    try:
        return bool(client.get(f"{address}/health").json().get("halted"))
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _addresses(service: str, home: Home) -> list[str]:
    """One for each replica."""
    return [f"http://{home.local(f'{each}.health')}" for each in home.replicas_of(service)]
