"""Services that halted after a burst of failures: which they are, and letting them go on."""

import os
from pathlib import Path
from typing import Any

import httpx

from clarion.failure import Failure
from deploy.embedded.home import home_folder, open_home
from shared.catalog import load_catalog

_ANSWER_S = 2.0


def halted(home: Path | None) -> list[str]:
    """The services of a home that say so. Where only an API's address is known, none are asked."""
    if any(os.environ.get(name) for name in ("CLARION_RESULTS_URL", "CLARION_STATISTICS_URL")):
        return []
    with httpx.Client(timeout=_ANSWER_S, trust_env=False) as client:
        return [
            name
            for name, service in sorted(load_catalog().items())
            if service.operations
            and any(_says_halted(client, each) for each in _addresses(name, home))
        ]


def told(service: str) -> str:
    """What to tell an operator of a service that has halted."""
    return f"{service} has halted after a burst of failures: clarion failures resume {service}"


def resume(service: str, home: Path | None) -> dict[str, Any]:
    """What the service answers, whichever of its replicas had halted.

    Raises `Failure` where there is none, or it can't halt.
    """
    catalog = load_catalog()
    if service not in catalog or not catalog[service].operations:
        known = ", ".join(sorted(name for name, each in catalog.items() if each.operations))
        raise Failure(f"unknown-service: {service} is no service that halts; those are {known}")
    with httpx.Client(timeout=_ANSWER_S, trust_env=False) as client:
        answers = [client.post(f"{each}/resume") for each in _addresses(service, home)]
    for answer in answers:
        if not answer.is_success:
            said = f"{service} answered {answer.status_code}"
            raise Failure(f"not-resumed: {said}; see `clarion doctor`")
    found: list[dict[str, Any]] = [answer.json() for answer in answers]
    return next((each for each in found if each.get("resumed")), found[0])


def _says_halted(client: httpx.Client, address: str) -> bool:
    try:
        return bool(client.get(f"{address}/health").json().get("halted"))
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _addresses(service: str, home: Path | None) -> list[str]:
    """One for each replica."""
    opened = open_home(home_folder(home), load_catalog())
    return [f"http://{opened.local(f'{each}.health')}" for each in opened.replicas_of(service)]
