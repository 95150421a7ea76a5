"""The HTTP APIs of a running system, as the commands ask them."""

import os
from pathlib import Path
from typing import Any

import httpx

from clarion.failure import Failure
from deploy.embedded.home import home_folder, open_home
from shared.catalog import load_catalog


class Api:
    """One service's API. A refused request is a `Failure` with the service's own words."""

    def __init__(self, url: str, timeout_s: float = 30) -> None:
        self._client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON answer of a GET."""
        return self._ask("GET", path, parameters).json()

    def text(self, path: str) -> str:
        """The answer of a GET as it is."""
        return self._ask("GET", path, {}).text

    def post(self, path: str, **parameters: Any) -> Any:
        """The JSON answer of a POST."""
        return self._ask("POST", path, parameters).json()

    def _ask(self, method: str, path: str, parameters: dict[str, Any]) -> httpx.Response:
        answer = self._client.request(method, path, params=parameters)
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
            raise Failure(f"{problem['code']}: {problem['detail']}")
        except (ValueError, KeyError, TypeError):
            raise Failure(f"{answer.request.url} answered {answer.status_code}") from None


def results(home: Path | None = None, timeout_s: float = 30) -> Api:
    """The jobs API: CLARION_RESULTS_URL, or else the home's."""
    return Api(os.environ.get("CLARION_RESULTS_URL") or _of_home(home, "results.api"), timeout_s)


def console(home: Path | None = None) -> Api:
    """The console's API: CLARION_CONSOLE_URL, or else the home's."""
    return Api(os.environ.get("CLARION_CONSOLE_URL") or _of_home(home, "console.http"))


def statistics(home: Path | None = None) -> Api:
    """The snapshots: CLARION_STATISTICS_URL, or else the home's."""
    return Api(os.environ.get("CLARION_STATISTICS_URL") or _of_home(home, "statistics.statistics"))


def _of_home(home: Path | None, port: str) -> str:
    return f"http://{open_home(home_folder(home), load_catalog()).local(port)}"
