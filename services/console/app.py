"""The console's routes."""

import gzip
import zlib
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.console.coverage import covered
from services.console.otlp import NotOtlp, Span, read_json, read_protobuf
from services.console.pages import in_order, latest, waterfall
from services.console.spans import SpanDatabase
from services.console.strays import brought_home
from shared.health import health_route

_LARGEST = 64 << 20
_LISTED = 100


def app(database: SpanDatabase) -> Starlette:
    """The application over a database of spans."""

    async def take(request: Request) -> Response:
        body = await request.body()
        try:
            spans = _read(body, request.headers)
        except (NotOtlp, OSError, EOFError, zlib.error) as error:
            return _problem(400, "not-otlp", f"{error}: send OTLP/HTTP, protobuf or JSON")
        await run_in_threadpool(database.add, brought_home(spans))
        return Response(b"", media_type=request.headers.get("content-type"))

    async def trace(request: Request) -> Response:
        trace_id = request.path_params["trace_id"].lower()
        spans = await run_in_threadpool(database.of_trace, trace_id)
        if not spans:
            fix = "spans arrive a moment after the work, and are kept for some days only"
            return _problem(404, "unknown-trace", f"no span of trace {trace_id} is here: {fix}")
        body = {
            "trace_id": trace_id,
            "covered": round(covered(spans), 4),
            "spans": [{**_described(span), "depth": depth} for depth, span in in_order(spans)],
        }
        return JSONResponse(body)

    async def home(_: Request) -> Response:
        return HTMLResponse(latest(await run_in_threadpool(database.latest, _LISTED)))

    async def way(request: Request) -> Response:
        trace_id = request.path_params["trace_id"].lower()
        spans = await run_in_threadpool(database.of_trace, trace_id)
        if not spans:
            return PlainTextResponse("No span of this trace is here.", status_code=404)
        return HTMLResponse(waterfall(spans))

    return Starlette(
        routes=[
            Route("/", home),
            Route("/traces/{trace_id}", way),
            Route("/v1/traces", take, methods=["POST"]),
            Route("/api/traces/{trace_id}", trace),
            health_route("console", lambda: ()),
        ]
    )


def _read(body: bytes, headers: Headers) -> list[Span]:
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if len(body) > _LARGEST:
        raise NotOtlp("larger than 64 MiB")
    return read_json(body) if "json" in headers.get("content-type", "") else read_protobuf(body)


def _described(span: Span) -> dict[str, object]:
    return {
        "service": span.service,
        "name": span.name,
        "start": _moment(span.start_ns),
        "end": _moment(span.end_ns),
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "attributes": span.attributes,
        "failed": span.failed,
        "links": span.links,
    }


def _moment(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat()


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    body = {"code": code, "detail": detail, "status": status}
    return JSONResponse(body, status, media_type="application/problem+json")
