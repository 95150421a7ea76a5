"""The HTTP APIs of a running system, as the commands ask them."""

import os
from pathlib import Path
from typing import Any

import httpx

from clarion.failure import Failure
from clarion.homes import asked, running
from deploy.embedded.home import Home

_REMEDIES = {
    "unknown-job": "Take an id, or its beginning, from `clarion jobs`.",
    "nothing-chosen": "Name a job, a code, a service or a stage, or say --all.",
    "no-details": "`clarion failures list --json` has `details` where more is known.",
    "invalid-request": "See the command's --help for what may be asked.",
}
"""What a command says, by the problem's code, where the API names requests of its own."""


class Api:
    """One service's API. A refused request is a `Failure` with what the service said."""

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
            raise Failure(_said(answer.json()))
        except (ValueError, KeyError, TypeError):
            raise Failure(f"{answer.request.url} answered {answer.status_code}") from None


def results(home: Path | None = None, timeout_s: float = 30) -> Api:
    """The jobs API: CLARION_RESULTS_URL, or else the home's."""
    return Api(
        os.environ.get("CLARION_RESULTS_URL") or _url(running(home), "results.api"), timeout_s
    )


def console(home: Path | None = None) -> Api:
    """The console's API: CLARION_CONSOLE_URL, or else the home's."""
    return Api(os.environ.get("CLARION_CONSOLE_URL") or _url(_with_results(home), "console.http"))


def statistics(home: Path | None = None) -> Api:
    """The snapshots: CLARION_STATISTICS_URL, or else the home's."""
    told = os.environ.get("CLARION_STATISTICS_URL")
    return Api(told or _url(_with_results(home), "statistics.statistics"))


def _with_results(home: Path | None) -> Home:
    """The home, up unless results are elsewhere: compose has the others at the usual ports.

    Raises `Failure`.
    """
    return asked(home) if os.environ.get("CLARION_RESULTS_URL") else running(home)


def named(job: str) -> str:
    """The id of a job as it was given. Raises `Failure` where none was."""
    if not job:
        raise Failure("a job's id is needed, or its beginning: take one from `clarion jobs`")
    return job


def of_job(job: str, what: str | None = None) -> str:
    """The path of a job, or of what is asked of it. Raises `Failure` where no id was given."""
    return f"/jobs/{named(job)}" + (f"/{what}" if what else "")


def _said(problem: dict[str, str]) -> str:
    code, detail = problem["code"], problem["detail"]
    if code in _REMEDIES:
        detail = detail.removesuffix(problem["remedy"]) + _REMEDIES[code]
    return f"{code}: {detail}"


def _url(home: Home, port: str) -> str:
    return f"http://{home.local(port)}"
