"""One `_target_` of a configuration, whose arguments are all read or refused, none overlooked."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any, TypeVar

from clarion.bundles.references import Expression
from deploy.modelrepo.refused import Refused

_DICTIONARY = re.compile(r"(?<=[a-z])(D|Dict)$")
Triple = tuple[float, float, float]

Reader = TypeVar("Reader")


class Component:
    """A transform, inferer or network by the name of its class, and its arguments.

    Each way of reading an argument takes it; `finish` refuses what nobody took.
    """

    def __init__(self, section: str, configuration: Mapping[str, Any]) -> None:
        target = configuration.get("_target_")
        if not isinstance(target, str):
            raise Refused("no-target", f"{section}: {configuration} names no class in _target_")
        self.target = target
        self.name = _DICTIONARY.sub("d", target.rpartition(".")[2])
        self.where = f"{section}: {self.name}"
        self._arguments = {
            key: value for key, value in configuration.items() if not key.startswith("_")
        }

    def refused(self, code: str, why: str, remedy: str) -> Refused:
        """An error that names this component."""
        return Refused(code, f"{self.where}: {why}; {remedy}")

    def reader(self, readers: Mapping[str, Reader], otherwise: str) -> Reader:
        """The one that reads this step. Raises `Refused` where there is none."""
        if self.name not in readers:
            raise self.refused(
                "transform-not-expressible",
                "the pipeline has no such step",
                f"it has {', '.join(sorted(readers))}; {otherwise}",
            )
        return readers[self.name]

    def take(self, name: str, default: Any = None) -> Any:
        """An argument as it stands. Raises `Refused` for Python that would have to be run."""
        value = self._arguments.pop(name, default)
        if _has_expression(value):
            raise self.refused(
                "expression-not-run",
                f"{name} is Python ({value}), and Python of a bundle is never run",
                "write the value out",
            )
        return value

    def as_written(self, name: str) -> Any:
        """An argument of which only a name is wanted: Python stays an `Expression`."""
        return self._arguments.pop(name, None)

    def number(self, name: str, default: float | None = None) -> float:
        return float(self._is(name, self.take(name, default), (int, float), "a number"))

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._is(name, self.take(name, default), bool, "true or false"))

    def triple(self, name: str, default: float | None = None) -> Triple:
        """Three numbers, x, y, z; a single one stands for all."""
        value = self.take(name, default)
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        values = list(values) * 3 if len(values) == 1 else list(values)
        if len(values) != 3:
            raise self.refused("bad-argument", f"{name} has {len(values)} numbers", "give three")
        x, y, z = (float(self._is(name, each, (int, float), "a number")) for each in values)
        return x, y, z

    def keys(self) -> list[str]:
        """What of the data it works on."""
        value = self.take("keys", [])
        return [value] if isinstance(value, str) else list(value)

    def read_for(self, key: str, keys: Sequence[str], arguments: Set[str]) -> None:
        """Of the arguments that may be given once for each of `keys`, keep what is for `key`."""
        place = keys.index(key) if key in keys else 0
        for name in arguments & self._arguments.keys():
            value = self._arguments[name]
            if isinstance(value, list) and len(value) in {1, len(keys)}:
                self._arguments[name] = value[place] if len(value) > 1 else value[0]

    def only(self, name: str, allowed: Sequence[Any], default: Any, remedy: str) -> None:
        """Refuse any value of an argument but these, also in a list."""
        value = self.take(name, default)
        for each in value if isinstance(value, list) else [value]:
            if each not in allowed:
                raise self.refused("not-expressible", f"{name} is {each!r}", remedy)

    def ignore(self, *names: str) -> None:
        """Arguments that change nothing of the result."""
        for name in names:
            self._arguments.pop(name, None)

    def finish(self) -> None:
        """Raises `Refused` for arguments that nobody took."""
        if self._arguments:
            raise self.refused(
                "not-expressible",
                f"{', '.join(sorted(self._arguments))} can't be expressed",
                "leave it out if the network does without it",
            )

    def _is(self, name: str, value: Any, kind: Any, wanted: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.refused("bad-argument", f"{name} is {value!r}", f"it must be {wanted}")
        return value


def components(section: str, value: Any) -> list[Component]:
    """The components of a section: one, or those of a `Compose`; without the disabled ones."""
    if value is None:
        return []
    if isinstance(value, list):
        return [each for part in value for each in components(section, part)]
    if not isinstance(value, Mapping):
        raise Refused("not-expressible", f"{section} is {value}; write its transforms out")
    disabled = value.get("_disabled_", False)
    if not isinstance(disabled, bool):
        raise Refused("expression-not-run", f"{section}: _disabled_ is {disabled}; write it out")
    if disabled:
        return []
    found = Component(section, value)
    if found.name == "Compose":
        return components(section, found.take("transforms", []))
    return [found]


def _has_expression(value: Any) -> bool:
    if isinstance(value, Expression):
        return True
    return isinstance(value, list) and any(_has_expression(each) for each in value)
