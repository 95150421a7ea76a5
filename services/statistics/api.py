"""What statistics answers over HTTP."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared.health import WhyNot, health_route


def create_app(latest: Callable[[], dict[str, Any]], why_not: WhyNot) -> Starlette:
    """GET /snapshot: the figures of the last look, which was `at`, and why they are not whole; 503
    until there are any.
    """

    async def snapshot(_: Request) -> JSONResponse:
        found = latest()
        if not found:
            problem = {"code": "not-ready", "detail": "no figures yet: statistics is starting"}
            return JSONResponse(problem, status_code=503)
        return JSONResponse({**found, "why_not": [*why_not(), *found["why_not"]]})

    return Starlette(routes=[Route("/snapshot", snapshot), health_route("statistics", why_not)])
