"""Sends one study, faults and all; whatever the fault, each instance is sent in the end."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import sleep, time

from clarion.failure import Failure
from clarion.load.plan import Fault, Order
from clarion.load.routes import Way
from clarion.load.studies import Study
from clarion.part10 import Instance
from clarion.storage import Abandoned, Answer, store
from shared.identity import case_id

_AGAIN_S = 0.5
"""Until a sender that aborted or released too early comes again; below any quiet time."""
_SLOW_S = 10.0
"""What a slow sender adds to a study, with no pause longer than a second."""
_ASSOCIATIONS = 3
_REPEATED = 3
"""Every so many instances one is sent a second time."""
_GROUP = "study"


@dataclass(frozen=True)
class Sent:
    """What became of an order at the sender. Moments are seconds since 1970."""

    order: Order
    study_instance_uid: str
    case_id: str
    began: float
    ended: float
    instances: int
    size: int
    late_s: float
    """How much later than due it began: the sender's own queue."""
    why_not: str = ""
    """Why it is not stored whole; empty when every instance was acknowledged."""
    unanswered: int = 0
    """Instances that the receiver said nothing to at first: they were sent once more."""
    makes_job: bool = True
    """Whether the pipeline admits an instance of it."""

    @property
    def stored(self) -> bool:
        return not self.why_not


def send(order: Order, study: Study, way: Way, late_s: float) -> Sent:
    """Send a study by its order. Never raises for what the receiver does."""
    began = time()
    why_not, unanswered = "", 0
    try:
        answers = list(_FAULTS[order.fault](study.instances, way))
        again = _unanswered(study.instances, answers)
        unanswered = len(again)
        answers = [*answers, *_plain(again, way)]
        stored = {each.instance.sop_instance_uid for each in answers if each.stored}
        missing = [each for each in study.instances if each.sop_instance_uid not in stored]
        if missing:
            said = next((each.meaning for each in answers if not each.stored), "not acknowledged")
            why_not = f"{len(missing)} of {len(study.instances)} instances not stored: {said}"
    except (Failure, OSError) as error:
        why_not = str(error)
    return Sent(
        order=order,
        study_instance_uid=study.study_instance_uid,
        case_id=case_id(way.definition.pipeline, study.study_instance_uid, _GROUP),
        began=began,
        ended=time(),
        instances=len(study.instances),
        size=sum(each.size for each in study.instances),
        late_s=late_s,
        unanswered=unanswered,
        why_not=why_not,
        makes_job=study.makes_job(way.definition.input),
    )


def _unanswered(instances: Sequence[Instance], answers: Sequence[Answer]) -> list[Instance]:
    """What the receiver said nothing to: sent once more, as every PACS does.

    Where a machine is starved, pynetdicom may lose an answer among its own threads.
    """
    answered = {each.instance.sop_instance_uid for each in answers if each.status is not None}
    return [each for each in instances if each.sop_instance_uid not in answered]


def _plain(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    yield from store(way.target, instances, way.priority)


def _aborted(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    """An A-ABORT after half of the images, and then all of them."""
    sending = store(way.target, instances, way.priority)
    yield from islice(sending, len(instances) // 2)
    try:
        sending.throw(Abandoned())
    except Abandoned:
        sleep(_AGAIN_S)
    yield from store(way.target, instances, way.priority)


def _released_early(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    half = len(instances) // 2
    for part in (instances[:half], instances[half:]):
        yield from store(way.target, part, way.priority)
        sleep(_AGAIN_S)


def _duplicated(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    again = [*instances, *instances[::_REPEATED]]
    yield from store(way.target, again, way.priority)


def _parallel(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    """Several associations at once, each with every third image."""
    parts = [part for n in range(_ASSOCIATIONS) if (part := instances[n::_ASSOCIATIONS])]
    with ThreadPoolExecutor(len(parts)) as pool:
        for answers in pool.map(lambda part: list(_plain(part, way)), parts):
            yield from answers


def _slowly(instances: Sequence[Instance], way: Way) -> Iterator[Answer]:
    pause_s = min(1.0, _SLOW_S / len(instances))
    for answer in store(way.target, instances, way.priority):
        yield answer
        sleep(pause_s)


_FAULTS: dict[Fault, Callable[[Sequence[Instance], Way], Iterator[Answer]]] = {
    Fault.NONE: _plain,
    Fault.ABORT: _aborted,
    Fault.EARLY_RELEASE: _released_early,
    Fault.DUPLICATES: _duplicated,
    Fault.PARALLEL: _parallel,
    Fault.SLOW: _slowly,
}
