"""Judges every stack of an input set, and tells why the others were passed over."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.reader import checks, choice
from services.reader.choice import Rule
from services.reader.planes import Plane
from services.reader.stacks import Stack, split
from services.reader.tolerance import Tolerance
from shared import selection
from shared.errors import InputRejected, Reason


@dataclass(frozen=True)
class Judged:
    """All stacks, those that can be analysed (best first), and why the others can't."""

    stacks: tuple[Stack, ...]
    usable: tuple[Stack, ...]
    refused: dict[int, tuple[Reason, ...]]
    """By the index into `stacks`."""

    def without(self, stack: Stack, reasons: tuple[Reason, ...]) -> "Judged":
        """The same with one more stack refused."""
        usable = tuple(other for other in self.usable if other is not stack)
        return Judged(self.stacks, usable, {**self.refused, self._index(stack): reasons})

    def rejection(self) -> InputRejected:
        """What to raise when nothing is usable: the reasons of the stack that was meant."""
        pairs = [(self.stacks[index], reasons) for index, reasons in self.refused.items()]
        return InputRejected(*choice.nearest(pairs))

    def _index(self, stack: Stack) -> int:
        return next(index for index, other in enumerate(self.stacks) if other is stack)


def judge(planes: Sequence[Plane], rules: Sequence[Rule], tolerance: Tolerance) -> Judged:
    """Two patients in the input set refuse every stack of it. Raises `InputRejected` for none."""
    if not planes:
        raise InputRejected(Reason("no-image", {"slices": 0, "of": 0}))
    stacks = split(planes, tolerance.min_slices)
    mixed = checks.mixed_patients(planes)
    common = (mixed,) if mixed else ()
    reasons = [
        checks.in_precedence((*checks.refusals(stack, tolerance), *common)) for stack in stacks
    ]
    return Judged(
        stacks,
        choice.rank([stack for stack, why in zip(stacks, reasons, strict=True) if not why], rules),
        {index: why for index, why in enumerate(reasons) if why},
    )


def recorded(judged: Judged, chosen: Stack, rules: Sequence[Rule]) -> tuple[selection.Stack, ...]:
    """Every stack as the selection records it."""
    return tuple(
        selection.Stack(
            stack=stack.label,
            series_instance_uid=stack.series_instance_uid,
            slices=len(stack.planes),
            chosen=stack is chosen,
            reason=_reason(judged, index, chosen, rules),
        )
        for index, stack in enumerate(judged.stacks)
    )


def _reason(judged: Judged, index: int, chosen: Stack, rules: Sequence[Rule]) -> str:
    stack = judged.stacks[index]
    if index in judged.refused:
        return checks.codes(judged.refused[index])
    if stack is not chosen:
        return f"another is preferred: {choice.deciding_rule(chosen, stack, rules)}"
    if len(judged.usable) == 1:
        return "the only usable one"
    return f"preferred: {choice.deciding_rule(stack, judged.usable[1], rules)}"
