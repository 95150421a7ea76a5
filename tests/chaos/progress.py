"""What a run is at, on stderr: it takes minutes."""

import sys
import time


def say(what: str) -> None:
    """A line, with the time of day."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {what}\n")
    sys.stderr.flush()
