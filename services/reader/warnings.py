"""What the readers of the results are warned of: a table."""

from collections.abc import Callable

from services.reader.header import text
from services.reader.images import is_lossy
from services.reader.kernels import Sharpness, sharpness
from services.reader.planes import Plane
from services.reader.stacks import Stack


def warnings(stack: Stack) -> tuple[str, ...]:
    """The codes of everything that readers of the results should know."""
    return tuple(code for code, applies in WARNINGS if applies(stack))


def _any(applies: Callable[[Plane], bool]) -> Callable[[Stack], bool]:
    return lambda stack: any(map(applies, stack.planes))


def _is_under_18(plane: Plane) -> bool:
    """By PatientAge (PS3.5 6.2, AS: days, weeks, months, years), else by the date of birth."""
    age = text(plane.header, "PatientAge")
    if age[:3].isdigit() and age[3:] in ("D", "W", "M", "Y"):
        per_year = {"D": 365, "W": 52, "M": 12, "Y": 1}[age[3:]]
        return int(age[:3]) < 18 * per_year
    born, studied = text(plane.header, "PatientBirthDate"), text(plane.header, "StudyDate")
    if not (born.isdigit() and studied.isdigit() and len(born) == len(studied) == 8):
        return False
    return int(studied) - int(born) < 18_00_00


WARNINGS: tuple[tuple[str, Callable[[Stack], bool]], ...] = (
    ("contrast", _any(lambda plane: bool(text(plane.header, "ContrastBolusAgent")))),
    ("sharp-kernel", lambda stack: sharpness(stack.kernel) == Sharpness.SHARP),
    ("lossy-compressed", _any(is_lossy)),
    ("under-18", _any(_is_under_18)),
    ("prone", _any(lambda plane: text(plane.header, "PatientPosition") in ("HFP", "FFP"))),
)
