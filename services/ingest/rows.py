"""Arrivals and versions as rows of the journal's index."""

import json
from datetime import datetime
from typing import Any

from services.ingest.cases import Arrival, Case, Place, Version
from shared.dicom.headers import Headers
from shared.events.models import Lane

COLUMNS = (
    "sequence, case_id, sop_instance, sop_class, transfer_syntax, digest, content, admitted,"
    " arrived_at, association, called, calling, lane, segment, offset, length, pixels_offset,"
    " pixels_length, header, defect"
)


def row_of(arrival: Arrival) -> tuple[Any, ...]:
    """An arrival as `COLUMNS`."""
    place, headers = arrival.place, arrival.headers
    return (
        arrival.sequence,
        arrival.case.id,
        arrival.sop_instance_uid,
        arrival.sop_class_uid,
        arrival.transfer_syntax_uid,
        arrival.digest,
        arrival.content,
        arrival.admitted,
        arrival.arrived_at.isoformat(),
        arrival.association,
        arrival.called_ae,
        arrival.calling_ae,
        arrival.lane,
        place.segment,
        place.offset,
        place.length,
        *(place.pixels or (None, None)),
        json.dumps(headers.values),
        headers.defect,
    )


def version_of(row: tuple[Any, ...]) -> Version:
    """A version of case_id, number, job_id, supersedes and inputs."""
    return Version(row[0], row[1], row[2], row[3], json.loads(row[4]))


def arrival_of(row: tuple[Any, ...], case: Case) -> Arrival:
    """What `row_of` wrote, of the case that it names."""
    pixels = None if row[16] is None else (row[16], row[17])
    return Arrival(
        sequence=row[0],
        case=case,
        sop_instance_uid=row[2],
        sop_class_uid=row[3],
        transfer_syntax_uid=row[4],
        digest=row[5],
        content=row[6],
        admitted=bool(row[7]),
        arrived_at=datetime.fromisoformat(row[8]),
        association=row[9],
        called_ae=row[10],
        calling_ae=row[11],
        lane=Lane(row[12]),
        place=Place(row[13], row[14], row[15], pixels),
        headers=Headers(json.loads(row[18]), None, row[19]),
    )
