"""A service that halted after a burst goes on when it is asked to, from its own host alone."""

import httpx
import pytest
from starlette.applications import Starlette

from shared.bus.watch import Watch
from shared.clock import ManualClock
from shared.health import health_route, resume_route


@pytest.mark.parametrize(
    ("caller", "headers", "status", "halted"),
    [
        ("127.0.0.1", {}, 200, False),
        ("192.0.2.7", {}, 403, True),
        ("127.0.0.1", {"Origin": "http://elsewhere.example"}, 403, True),
    ],
)
async def test_only_this_host_resumes(
    caller: str, headers: dict[str, str], status: int, halted: bool
) -> None:
    watch = Watch(ManualClock(), burst=1)
    watch.failed("reader")
    routes = [health_route("reader", watch.why_not, watch), resume_route("reader", watch)]
    transport = httpx.ASGITransport(Starlette(routes=routes), client=(caller, 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://reader") as client:
        assert (await client.post("/resume", headers=headers)).status_code == status
        assert (await client.get("/health")).json()["halted"] is halted
