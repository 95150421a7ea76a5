"""How often one looks at everything: the more there is, the more rarely."""

_TIMES = 9
_LONGEST_S = 60.0


def rest(took_s: float, at_least_s: float) -> float:
    """How long (s) to rest after a look that took so long: looks are a tenth of the time.

    A minute is as long as anybody rests for that.
    """
    return max(at_least_s, min(_TIMES * took_s, _LONGEST_S))
