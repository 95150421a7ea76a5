"""Shares of lanes and faults: `stat=0.1,routine=0.6,bulk=0.3`."""

from collections.abc import Collection, Mapping
from random import Random


def parse_shares(text: str, names: Collection[str]) -> dict[str, float]:
    """Each name's share, 0 to 1, as written. Raises ValueError for what is none."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in names:
            raise ValueError(f"{name!r} is none of {', '.join(names)}")
        shares[name] = shares.get(name, 0.0) + _share(name, number)
    if not 0 < sum(shares.values()) <= 1 + 1e-9:
        raise ValueError(f"the shares of {text!r} are more than 1 together, or nothing")
    return shares


def _share(name: str, number: str) -> float:
    try:
        found = float(number)
    except ValueError:
        raise ValueError(f"{name} needs a share: {name}=0.1") from None
    if not 0 <= found <= 1:
        raise ValueError(f"the share of {name} is {number}; it is a number from 0 to 1")
    return found


def choose(shares: Mapping[str, float], otherwise: str, chance: Random) -> str:
    """One of the names by its share; `otherwise` for what the shares leave of 1."""
    drawn = chance.random()
    for name, share in shares.items():
        drawn -= share
        if drawn < 0:
            return name
    return otherwise
