"""A Triton configuration as protobuf's own text format has it, where there is no Triton client."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from shared.imaging.model_parameters import BadModel

Message = dict[str, list[Any]]
"""By field all its values in their order: messages, or texts (numbers and names too)."""
_ENDS = {"{": "}", "<": ">"}
_MARKS = ("", *"{}<>[]:,;")


def read(config: Path) -> Message:
    """Raises `BadModel` for what is no such text, and `OSError`."""
    try:
        tokens = text_format.Tokenizer(config.read_text(encoding="utf-8").split("\n"))
        return _fields(tokens, "")
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise BadModel(f"{config}: {error}") from error


def messages(message: Message, name: str) -> list[Message]:
    """The values of a field that holds messages. Raises `BadModel` for any other."""
    found = message.get(name, [])
    if not all(isinstance(value, dict) for value in found):
        raise BadModel(f"{name} holds {found}, not {{ }}")
    return found


def text(message: Message, name: str) -> str:
    """The value of a field that holds one text; empty where it is not told. Raises `BadModel`."""
    found = message.get(name, [""])
    if len(found) != 1 or not isinstance(found[0], str):
        raise BadModel(f"{name} holds {found}, not one text")
    return found[0]


def _fields(tokens: Any, end: str) -> Message:
    found: Message = {}
    while not (tokens.TryConsume(end) if end else tokens.AtEnd()):
        name = tokens.ConsumeIdentifier()
        tokens.TryConsume(":")
        found.setdefault(name, []).extend(_values(tokens))
        if not tokens.TryConsume(","):
            tokens.TryConsume(";")
    return found


def _values(tokens: Any) -> list[Any]:
    if not tokens.TryConsume("["):
        return [_value(tokens)]
    found: list[Any] = []
    while not tokens.TryConsume("]"):
        found.append(_value(tokens))
        if not tokens.LookingAt("]"):
            tokens.Consume(",")
    return found


def _value(tokens: Any) -> Any:
    mark = tokens.token
    if mark in _ENDS:
        tokens.Consume(mark)
        return _fields(tokens, _ENDS[mark])
    if mark.startswith(('"', "'")):
        return tokens.ConsumeString()
    if mark in _MARKS:
        raise tokens.ParseError("a value is missing")
    tokens.NextToken()
    return mark
