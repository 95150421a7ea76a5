"""An association that its peer has ended brings no answer any more, and that is known at once.

pynetdicom looks after the connection between two messages; while it waits for an answer it would
wait until its timeout, though the connection is closed.
"""

import time

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event

_RESUMED_S = 1.0


def _no_answer(closed: Event) -> None:
    closed.assoc.dimse.msg_queue.put((None, None))


KNOWN_AT_ONCE: list[evt.EventHandlerType] = [(evt.EVT_CONN_CLOSE, _no_answer)]
"""Give it to `AE.associate` as `evt_handlers`: a request then ends, without a status."""


def until_resumed(association: Association) -> None:
    """To be called before a request that follows another, or its answer may be lost.

    pynetdicom pauses its own reader while it waits for an answer, and takes a reader that has not
    resumed since the last request for one that is paused: that reader then drops the answer as
    unexpected. A starved machine shows it.
    """
    deadline = time.monotonic() + _RESUMED_S
    while association._is_paused and time.monotonic() < deadline:
        time.sleep(0.0005)
