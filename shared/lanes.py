"""What a lane is worth to who waits, wherever work is given out by urgency."""

from collections.abc import Mapping
from datetime import timedelta

from shared.events.models import Lane

HANDICAP: Mapping[Lane, timedelta] = {
    Lane.STAT: timedelta(),
    Lane.ROUTINE: timedelta(minutes=10),
    Lane.BULK: timedelta(hours=1),
}
"""What waits counts as having come this much later: a delivery of bulk overtakes one of stat after
an hour's wait, and so does routine in ten minutes, in a stage's slots too."""
