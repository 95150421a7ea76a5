"""What a judgement finds that should not be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What should not be; `study` is its number, for a study is named nowhere."""

    code: str
    study: int
    detail: str
