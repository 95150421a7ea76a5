"""An association that its peer has ended brings no answer any more, and that is known at once.

pynetdicom looks after the connection between two messages; while it waits for an answer it would
wait until its timeout, though the connection is closed.
"""

from pynetdicom import evt
from pynetdicom.events import Event


def _no_answer(closed: Event) -> None:
    closed.assoc.dimse.msg_queue.put((None, None))


KNOWN_AT_ONCE: list[evt.EventHandlerType] = [(evt.EVT_CONN_CLOSE, _no_answer)]
"""Give it to `AE.associate` as `evt_handlers`: a request then ends, without a status."""
