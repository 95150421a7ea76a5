"""What becomes of one received instance: checked, kept durably, and only then acknowledged."""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from threading import Lock

from services.ingest.arrivals import Facts, arrival, to_meta
from services.ingest.cases import BY_STUDY, Arrival, Case, admits
from services.ingest.checks import (
    KEPT,
    NOT_NOW,
    STORES_NOTHING,
    Answer,
    Received,
    looks_like_ours,
    refusal,
)
from services.ingest.index import Index
from services.ingest.journal import Journal
from services.ingest.part10 import file_meta
from services.ingest.quiet import QuietTimes, Timer
from services.ingest.records import IGNORED, INSTANCE
from services.ingest.sameness import same_content
from services.ingest.settings import Route
from shared.clock import Clock
from shared.dicom.headers import Headers, index
from shared.events.models import Lane
from shared.pipelines.definition import InputRules
from shared.telemetry.logs import logger

_STRIPES = 64


@dataclass(frozen=True)
class Destination:
    """An AE title of ours, resolved: what its instances are for."""

    route: Route
    quiet_s: float
    rules: InputRules

    def case(self, headers: Headers) -> Case:
        """The case that an instance belongs to."""
        group = BY_STUDY
        if self.route.group == "series":
            group = headers.text("SeriesInstanceUID")
        return Case(self.route.pipeline, headers.text("StudyInstanceUID"), group)


@dataclass(frozen=True)
class _Candidate:
    """An instance that passed the checks, with what follows from its bytes."""

    received: Received
    headers: Headers
    destination: Destination
    case: Case
    prefix: bytes
    digest: str


class Receiver:
    """Keeps instances; as many threads as there are associations may call it."""

    def __init__(
        self,
        destinations: Mapping[str, Destination],
        journal: Journal,
        index: Index,
        quiet: QuietTimes,
        clock: Clock,
        timer: Timer,
        reserve: int,
    ) -> None:
        self._destinations = destinations
        self._journal = journal
        self._index = index
        self._quiet = quiet
        self._clock = clock
        self._timer = timer
        self._reserve = reserve
        self._sequence = count(index.last_sequence() + 1)
        self._stripes = [Lock() for _ in range(_STRIPES)]

    def lock(self, case: str) -> Lock:
        """Who holds it is alone with the case's segment."""
        return self._stripes[hash(case) % _STRIPES]

    def leaves_reserve(self, size: int = 0) -> bool:
        """Whether the reserve stays free when `size` bytes are kept.

        Raises `OSError` while the journal is away.
        """
        return self._journal.free() - size >= self._reserve

    def has_room(self, size: int = 0) -> bool:
        """Whether `size` bytes can be kept now. A journal that is away is as one that is full:
        senders are told to try again."""
        try:
            return self.leaves_reserve(size)
        except OSError:
            return False

    def receive(self, received: Received) -> Answer:
        """Keep one instance. Success means that it is on the disk, or need not be."""
        if not self.has_room(len(received.dataset)):
            return NOT_NOW
        if received.called_ae not in self._destinations:
            return STORES_NOTHING
        headers = index(received.dataset, received.transfer_syntax_uid)
        refused = refusal(received, headers)
        if refused:
            return refused
        try:
            if self._index.is_own(received.sop_instance_uid) or looks_like_ours(headers):
                return self._ignore(received, "own-output")
            return self._keep(self._candidate(received, headers))
        except (OSError, sqlite3.Error) as error:
            logger().error("an instance could not be kept", exception_type=type(error).__name__)
            return NOT_NOW

    def association_ended(self, association: str, clean: bool) -> None:
        """No more will come over this association."""
        self._quiet.ended(association, self._timer(), clean=clean)

    def _ignore(self, received: Received, code: str) -> Answer:
        """The audit: what came, from whom, and why it became nothing."""
        meta = {
            "code": code,
            "at": self._clock().isoformat(),
            "sop_instance_uid": received.sop_instance_uid,
            "called_ae": received.called_ae,
            "calling_ae": received.calling_ae,
        }
        self._journal.decide(IGNORED, meta)
        logger().info("instance ignored", code=code)
        return KEPT

    def _candidate(self, received: Received, headers: Headers) -> _Candidate:
        destination = self._destinations[received.called_ae]
        prefix = file_meta(
            received.sop_class_uid,
            received.sop_instance_uid,
            received.transfer_syntax_uid,
            received.calling_ae,
        )
        digest = hashlib.sha256(received.dataset).hexdigest()
        case = destination.case(headers)
        return _Candidate(received, headers, destination, case, prefix, digest)

    def _keep(self, candidate: _Candidate) -> Answer:
        case, association = candidate.case.id, candidate.received.association
        with self.lock(case):
            earlier = self._index.arrivals(case, candidate.received.sop_instance_uid)
            content = self._content(candidate, earlier)
            if earlier and earlier[-1].content == content:
                self._quiet.repeated(case, association, self._timer())
                return KEPT
            kept = self._append(candidate, content)
            self._index.add_arrival(kept, kept.place.offset + kept.place.length)
            quiet_s, bulk = candidate.destination.quiet_s, kept.lane is Lane.BULK
            self._quiet.arrived(case, association, quiet_s, self._timer(), bulk=bulk)
        return KEPT

    def _content(self, candidate: _Candidate, earlier: list[Arrival]) -> str:
        """The digest under which this content is known already, or else its own."""
        received = candidate.received
        for known in reversed(earlier):
            if known.digest == candidate.digest:
                return known.content
            if same_content(self._journal.read(known.place), candidate.prefix + received.dataset):
                return known.content
        return candidate.digest

    def _append(self, candidate: _Candidate, content: str) -> Arrival:
        received, headers = candidate.received, candidate.headers
        lane = Lane.STAT if received.high_priority else candidate.destination.route.lane
        facts = Facts(
            sequence=next(self._sequence),
            case=candidate.case,
            sop_instance_uid=received.sop_instance_uid,
            sop_class_uid=received.sop_class_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            digest=candidate.digest,
            content=content,
            admitted=admits(candidate.destination.rules, headers),
            arrived_at=self._clock(),
            association=received.association,
            called_ae=received.called_ae,
            calling_ae=received.calling_ae,
            lane=lane,
            prefix=len(candidate.prefix),
        )
        parts = (candidate.prefix, received.dataset)
        segment, offset = self._journal.append(facts.case.id, INSTANCE, to_meta(facts), parts)
        return arrival(facts, headers, segment, offset, sum(map(len, parts)))
