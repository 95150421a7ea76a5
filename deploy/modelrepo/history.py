"""Which version was chosen when, and by whom: a file that only grows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

FILE = "promotions.jsonl"


class Promotion(BaseModel):
    """A version began to answer; by the operator, or because it came with Clarion."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    action: Literal["promote", "rollback"]
    version: int
    by: Literal["operator", "reference"]


def read(model: Path) -> list[Promotion]:
    """Oldest first."""
    path = model / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Promotion.model_validate_json(line) for line in lines]


def note(model: Path, promotion: Promotion) -> None:
    """Append what became of the model."""
    with (model / FILE).open("a", encoding="utf-8") as file:
        file.write(promotion.model_dump_json() + "\n")


def before_last(promotions: Sequence[Promotion]) -> int | None:
    """The version that answered before the present one: each rollback takes one promotion back."""
    answered: list[int] = []
    for each in promotions:
        if each.action == "rollback":
            answered = answered[:-1]
        elif each.version not in answered[-1:]:
            answered.append(each.version)
    return answered[-2] if len(answered) > 1 else None
