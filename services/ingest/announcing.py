"""What is said of a version: its manifest, its `input-ready`, and when what happened. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.cases import Arrival, Case, Version, most_urgent
from services.ingest.quiet import RULE
from shared.events.models import Completeness, InputReady, PayloadRef
from shared.manifest import Extent, Instance, Manifest
from shared.pipelines.definition import INGEST

_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")


@dataclass(frozen=True)
class Contents:
    """What a version is made of: its instances, the others of the group, and what is new."""

    case: Case
    version: Version
    instances: Sequence[Arrival]
    others: Sequence[Arrival]
    new: Sequence[Arrival]


def segments_of(contents: Contents) -> list[str]:
    """The segments that a manifest refers to, in its order."""
    return sorted({a.place.segment for a in (*contents.instances, *contents.others)})


def manifest(contents: Contents, segments: Mapping[str, PayloadRef]) -> Manifest:
    """The manifest of a version; `segments` says where the store keeps each segment."""
    order = {name: place for place, name in enumerate(segments)}
    case, version, arrivals = contents.case, contents.version, contents.instances
    received_at = contents.new[0].arrived_at
    return Manifest(
        case_id=version.case_id,
        version=version.number,
        supersedes=version.supersedes,
        pipeline=case.pipeline,
        study_instance_uid=case.study_instance_uid,
        group=case.group,
        received_at=received_at,
        timezone=_timezone(arrivals, received_at),
        called_ae=tuple(sorted({arrival.called_ae for arrival in arrivals})),
        calling_ae=tuple(sorted({arrival.calling_ae for arrival in arrivals})),
        segments=tuple(segments.values()),
        instances=tuple(_instance(arrival, order) for arrival in arrivals),
        others=tuple(_instance(arrival, order) for arrival in contents.others),
    )


def _instance(arrival: Arrival, segments: Mapping[str, int]) -> Instance:
    place = arrival.place
    segment = segments[place.segment]
    pixels = place.pixels
    return Instance(
        sop_instance_uid=arrival.sop_instance_uid,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        digest=arrival.digest,
        arrived_at=arrival.arrived_at,
        file=Extent(segment=segment, offset=place.offset, length=place.length),
        pixels=Extent(segment=segment, offset=pixels[0], length=pixels[1]) if pixels else None,
        header=arrival.headers.values,
        defect=arrival.headers.defect,
    )


def _timezone(arrivals: Iterable[Arrival], received_at: datetime) -> str:
    """The source's offset from UTC, or else the home's at that time: `+0100`."""
    for arrival in arrivals:
        named = arrival.headers.text("TimezoneOffsetFromUTC")
        if _OFFSET.fullmatch(named):
            return named
    return f"{received_at.astimezone():%z}"


def sender(arrival: Arrival, callers: Collection[str]) -> str:
    """Where an instance came from, by a name of our settings, never one that the network chose.

    That is the calling AE title if it is one of the configured `callers`; else the called one.
    """
    return arrival.calling_ae if arrival.calling_ae in callers else arrival.called_ae


def input_ready(
    contents: Contents,
    payloads: dict[str, PayloadRef],
    callers: Collection[str],
    decided_at: datetime,
) -> InputReady:
    """The event that starts the version's first run."""
    version, new = contents.version, contents.new
    waited = (decided_at - new[-1].arrived_at).total_seconds()
    return InputReady(
        job_id=version.job_id,
        case_id=version.case_id,
        version=version.number,
        supersedes=version.supersedes,
        run=1,
        pipeline=contents.case.pipeline,
        lane=most_urgent(new),
        received_at=new[0].arrived_at,
        stage=INGEST,
        started_at=new[0].arrived_at,
        finished_at=decided_at,
        payloads=payloads,
        completeness=Completeness(rule=RULE, instances=len(contents.instances), waited_s=waited),
        sender=sender(new[-1], callers),
    )


def associations(new: Iterable[Arrival]) -> list[tuple[str, str, int]]:
    """First and last arrival and number of instances of each association, for its span."""
    brought: dict[str, list[Arrival]] = {}
    for arrival in new:
        brought.setdefault(arrival.association, []).append(arrival)
    return [
        (part[0].arrived_at.isoformat(), part[-1].arrived_at.isoformat(), len(part))
        for part in brought.values()
    ]


def announcement(ready: InputReady, contents: Contents, decided_at: datetime) -> dict[str, Any]:
    """All that publishing needs, as JSON: what is published after a crash is the same."""
    return {
        "ready": ready.model_dump(mode="json"),
        "associations": associations(contents.new),
        "last_arrival": contents.new[-1].arrived_at.isoformat(),
        "decided_at": decided_at.isoformat(),
    }
