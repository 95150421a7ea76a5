"""STOW-RS (PS3.18 10.5): the same reception over HTTP, at `/{AE title}/studies`."""

import asyncio
from collections.abc import Collection
from email.message import Message
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ingest.checks import UNREADABLE, Answer, Received, Status
from services.ingest.multipart import NotMultipart, parts
from services.ingest.receiving import Receiver
from services.ingest.refused import Refused
from shared.dicom.elements import Malformed
from shared.dicom.part10 import split
from shared.telemetry.logs import logger

_CALLING = "STOW-RS"
_MEDIA_TYPE = "application/dicom+json"
_RETRY_AFTER_S = "60"
Outcome = tuple[Answer, str, str]
"""Answer, SOP class and SOP instance of one part."""


def stow_routes(receiver: Receiver, aes: Collection[str]) -> list[Route]:
    """The resources that take a study; `aes` are our AE titles."""

    async def store(request: Request) -> Response:
        if request.path_params["ae"] not in aes:
            return Response(status_code=404)
        if not receiver.has_room():
            return Response(status_code=503, headers={"Retry-After": _RETRY_AFTER_S})
        boundary = _boundary(request)
        if boundary is None:
            return Response(status_code=415)
        return await _store(request, boundary, receiver)

    paths = ("/{ae}/studies", "/{ae}/studies/{study}")
    return [Route(path, store, methods=["POST"]) for path in paths]


def _boundary(request: Request) -> str | None:
    described = Message()
    described["Content-Type"] = request.headers.get("content-type", "")
    related = described.get_content_type() == "multipart/related"
    dicom = described.get_param("type") == "application/dicom"
    boundary = described.get_param("boundary")
    return str(boundary) if related and dicom and boundary else None


async def _store(request: Request, boundary: str, receiver: Receiver) -> Response:
    association, outcomes = uuid4().hex, list[Outcome]()
    called, clean = request.path_params["ae"], False
    refused = Refused(called, request.client.host if request.client else "")
    try:
        async for file in parts(request.stream(), boundary):
            outcomes.append(await asyncio.to_thread(_keep, file, called, association, receiver))
            refused.add(outcomes[-1][0])
        clean = True
    except NotMultipart:
        return Response(status_code=400)
    finally:
        refused.ended()
        receiver.association_ended(association, clean)
    return _answer(outcomes)


def _keep(file: bytes, called: str, association: str, receiver: Receiver) -> Outcome:
    """One Part 10 file. Whatever it holds, the others of the request go on."""
    try:
        meta, dataset = split(file)
        named = meta.get("sop_class_uid", ""), meta.get("sop_instance_uid", "")
        syntax = meta["transfer_syntax_uid"]
        received = Received(*named, syntax, dataset, association, called, _CALLING)
        return receiver.receive(received), *named
    except (Malformed, KeyError):
        return UNREADABLE, "", ""
    except Exception as error:
        logger().error("an instance was not understood", exception_type=type(error).__name__)
        return UNREADABLE, "", ""


def _answer(outcomes: list[Outcome]) -> Response:
    """200 all kept, 202 some, 409 none; 503 where only the disk was in the way."""
    failed = [outcome for outcome in outcomes if outcome[0].status != Status.SUCCESS]
    kept = [outcome for outcome in outcomes if outcome[0].status == Status.SUCCESS]
    code = 200 if not failed else 202 if kept else 409
    if failed and {answer.status for answer, *_ in outcomes} == {Status.OUT_OF_RESOURCES}:
        code = 503
    body = {}
    if kept:
        body["00081199"] = _sequence(kept)
    if failed:
        body["00081198"] = _sequence(failed)
    return JSONResponse(body, code if outcomes else 400, media_type=_MEDIA_TYPE)


def _sequence(outcomes: list[Outcome]) -> dict[str, object]:
    """ReferencedSOPSequence, or FailedSOPSequence with each FailureReason, as DICOM JSON."""
    items = []
    for answer, sop_class, sop_instance in outcomes:
        item: dict[str, object] = {
            "00081150": {"vr": "UI", "Value": [sop_class]},
            "00081155": {"vr": "UI", "Value": [sop_instance]},
        }
        if answer.status != Status.SUCCESS:
            item["00081197"] = {"vr": "US", "Value": [int(answer.status)]}
        items.append(item)
    return {"vr": "SQ", "Value": items}
