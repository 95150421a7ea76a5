"""How often one looks at everything: the more there is, the more rarely."""

_TIMES = 9
_LONGEST_S = 60.0


def rest(took_s: float, at_least_s: float) -> float:
    """How long (s) to rest after a look that took so long: looks are a tenth of the time.

    Nobody rests longer than a minute for that: where a look takes longer than seven seconds, looks
    are more than a tenth.
    """
    return max(at_least_s, min(_TIMES * took_s, _LONGEST_S))
