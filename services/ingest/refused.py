"""What the log says of refused instances: each reason once for an association, then how often."""

from collections import Counter
from threading import Lock

from services.ingest.checks import Answer, Status
from shared.telemetry.logs import logger


class Refused:
    """Those of one association; what was sent before its end may be counted after it.

    `called_ae` is one of ours. What a sender calls itself may be anything, and is not logged.
    """

    def __init__(self, called_ae: str, peer: str) -> None:
        self._from = {"called_ae": called_ae, "peer": peer}
        self._counts: Counter[Answer] = Counter()
        self._lock = Lock()

    def add(self, answer: Answer) -> None:
        """Log the first with this answer."""
        if answer.status is Status.SUCCESS:
            return
        with self._lock:
            self._counts[answer] += 1
            first = self._counts[answer] == 1
        if first:
            logger().warning("instance refused", **self._described(answer))

    def ended(self) -> None:
        """Log how many there were with the same answer, where they were several."""
        with self._lock:
            counts = dict(self._counts)
        for answer, instances in counts.items():
            if instances > 1:
                logger().warning(
                    "instances refused", instances=instances, **self._described(answer)
                )

    def _described(self, answer: Answer) -> dict[str, str]:
        return {"status": f"{answer.status:04X}", "why": answer.comment, **self._from}
