"""/health on every service: live, ready, and why not; and /resume where a burst may halt one."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

WhyNot = Callable[[], Sequence[str]]


class Halting(Protocol):
    """What stops by itself after a burst of failures."""

    @property
    def halted(self) -> bool: ...

    def resume(self) -> bool:
        """Go on. Whether it was halted."""
        ...


def health_route(service: str, why_not: WhyNot, halting: Halting | None = None) -> Route:
    """GET /health: 200 when ready, 503 with the reasons when not; live whenever it answers."""

    async def health(_: Request) -> JSONResponse:
        reasons = list(why_not())
        body: dict[str, Any] = {"service": service, "live": True, "ready": not reasons}
        body["why_not"] = reasons
        if halting:
            body["halted"] = halting.halted
        return JSONResponse(body, status_code=503 if reasons else 200)

    return Route("/health", health)


def resume_route(service: str, halting: Halting) -> Route:
    """POST /resume, from this host and not from a web page: go on after a burst of failures."""

    async def resume(request: Request) -> JSONResponse:
        if "origin" in request.headers or not _is_loopback(request):
            detail = "Ask from the host or container in which the service runs."
            return JSONResponse({"code": "loopback-only", "detail": detail}, status_code=403)
        return JSONResponse({"service": service, "resumed": halting.resume()})

    return Route("/resume", resume, methods=["POST"])


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class Server(uvicorn.Server):
    """uvicorn that rests when nobody asks."""

    async def main_loop(self) -> None:
        """Once a second, which is as fine as the Date header; uvicorn's own looks ten times."""
        while not await self.on_tick(0):
            await asyncio.sleep(1)


async def serve_health(
    service: str, host: str, port: int, why_not: WhyNot, halting: Halting | None = None
) -> None:
    """Answer /health until cancelled, and /resume where there is what halts."""
    resuming = [resume_route(service, halting)] if halting else []
    app = Starlette(routes=[health_route(service, why_not, halting), *resuming])
    await serve_app(app, host, port)


async def serve_app(app: Starlette, host: str, port: int) -> None:
    """Serve an application until cancelled; signals belong to the service, not to uvicorn."""
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)
    server = Server(config)
    try:
        await server._serve()
    except asyncio.CancelledError:
        server.should_exit = True
        await server.shutdown()
        raise
