"""Decides versions: when a case has been quiet, its input set is compared with the last one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.announcing import (
    Contents,
    announcement,
    input_ready,
    manifest,
    segments_of,
)
from services.ingest.cases import Arrival, Version, changed, input_set, newest, next_version
from services.ingest.index import Index, Kept
from services.ingest.journal import Journal
from services.ingest.quiet import QuietTimes, Timer
from services.ingest.receiving import Receiver
from services.ingest.records import VERSION
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events.models import PayloadRef
from shared.manifest import MEDIA_TYPE, SEGMENT_MEDIA_TYPE, encode
from shared.pipelines.definition import INGEST
from shared.store.port import PayloadStore
from shared.telemetry.logs import logger

MANIFEST, DEFINITION = f"{INGEST}.manifest", "pipeline.definition"


@dataclass(frozen=True)
class Decided:
    """How many cases were looked at, the versions decided, and what kept others from it."""

    cases: int
    versions: int
    failed: str | None


class Decider:
    """Used by one thread; a case that could not be decided stays due."""

    def __init__(
        self,
        receiver: Receiver,
        journal: Journal,
        index: Index,
        quiet: QuietTimes,
        store: PayloadStore,
        definitions: Mapping[str, PayloadRef],
        callers: Collection[str],
        clock: Clock,
        timer: Timer,
    ) -> None:
        self._receiver = receiver
        self._journal = journal
        self._index = index
        self._quiet = quiet
        self._store = store
        self._definitions = definitions
        self._callers = callers
        self._clock = clock
        self._timer = timer

    def decide_due(self) -> Decided:
        """Decide every case that is due; one that fails is due again, and delays no other.

        While the store is away, one case is tried at a time.
        """
        versions, failed = 0, None
        due = self._quiet.due(self._timer())
        for case in due:
            try:
                versions += self._decide(case)
            except Unavailable as outage:
                self._quiet.again(case, self._timer())
                return Decided(len(due), versions, f"{outage.what} does not answer")
            except Exception as error:  # a defect of one case, or no room
                failed = type(error).__name__
                logger().error("version not decided", case=case, exception_type=failed)
                self._quiet.again(case, self._timer())
        return Decided(len(due), versions, failed)

    def _decide(self, case: str) -> bool:
        now = self._clock()
        with self._receiver.lock(case):
            if not self._quiet.settle(case, self._timer()):
                return False
            self._journal.seal(case)
            arrivals = self._index.arrivals(case)
        if arrivals[-1].case.pipeline not in self._definitions:
            logger().warning("pipeline is not deployed", case=case)
            return False  # not examined: the next start asks again
        made = self._version(case, arrivals, now)
        self._index.examined(case, arrivals[-1].sequence)
        self._journal.forget({arrival.place.segment for arrival in arrivals})
        return made

    def _version(self, case: str, arrivals: list[Arrival], now: datetime) -> bool:
        current, last = newest(arrivals), self._index.last_version(case)
        inputs = input_set(current)
        version = next_version(case, inputs, last)
        if version is None:
            return False
        contents = Contents(
            case=arrivals[-1].case,
            version=version,
            instances=[current[uid] for uid in inputs],
            others=[arrival for arrival in current.values() if not arrival.admitted],
            new=changed(inputs, current, last),
        )
        ready = input_ready(contents, self._payloads(contents), self._callers, now)
        kept = Kept(version, announcement(ready, contents, now))
        self._journal.decide(VERSION, to_meta(kept))
        self._index.add_version(kept)
        logger().info("version decided", job=version.job_id, version=version.number)
        return True

    def _payloads(self, contents: Contents) -> dict[str, PayloadRef]:
        segments = {name: self._segment(name) for name in segments_of(contents)}
        made = encode(manifest(contents, segments))
        return {
            DEFINITION: self._definitions[contents.case.pipeline],
            MANIFEST: self._store.put(made, MEDIA_TYPE),
        }

    def _segment(self, name: str) -> PayloadRef:
        """A sealed segment in the payload store; put there once."""
        ref = self._index.segment_ref(name)
        if ref is None:
            path, sha256 = self._journal.path(name), self._journal.digest(name)
            ref = self._store.put_file(path, SEGMENT_MEDIA_TYPE, sha256)
            self._index.keep_segment_ref(name, ref)
        return ref


def to_meta(kept: Kept) -> dict[str, Any]:
    """A decision as its journal record."""
    return {**vars(kept.version), "announcement": kept.announcement}


def from_meta(meta: dict[str, Any]) -> Kept:
    """What `to_meta` wrote."""
    given = dict(meta)
    made = given.pop("announcement")
    return Kept(Version(**given), made)
