"""/health on every service: live, ready, and why not."""

import asyncio
from collections.abc import Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

WhyNot = Callable[[], Sequence[str]]


def health_route(service: str, why_not: WhyNot) -> Route:
    """GET /health: 200 when ready, 503 with the reasons when not; live whenever it answers."""

    async def health(_: Request) -> JSONResponse:
        reasons = list(why_not())
        body = {"service": service, "live": True, "ready": not reasons, "why_not": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200)

    return Route("/health", health)


class Server(uvicorn.Server):
    """uvicorn inside a loop that is not its own: signals belong to the service."""

    def install_signal_handlers(self) -> None:
        """Leave them alone."""


async def serve_health(service: str, host: str, port: int, why_not: WhyNot) -> None:
    """Answer /health until cancelled."""
    app = Starlette(routes=[health_route(service, why_not)])
    await serve_app(app, host, port)


async def serve_app(app: Starlette, host: str, port: int) -> None:
    """Serve an application until cancelled."""
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)
    server = Server(config)
    try:
        await server._serve()
    except asyncio.CancelledError:
        server.should_exit = True
        await server.shutdown()
        raise
