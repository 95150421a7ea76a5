"""What a run tells, as JSON and as a table."""

import io

from rich.console import Console

from tests.chaos.judging import Judged
from tests.chaos.plan import Plan
from tests.chaos.report import figures, show
from tests.chaos.running import Ran


def test_what_was_sent_again_is_told_with_what_explains_it() -> None:
    judged = Judged(
        findings=(),
        completed=20,
        set_aside=0,
        compared=20,
        objects=80,
        came_again=5,
        explained=7,
        waited_s=1.0,
    )
    found = figures(Plan(20, seed=7, models="instant", faults=0), Ran({}, [], 1.0), judged, {})
    table = io.StringIO()
    show(found, Console(file=table))

    assert (found["sent_again"], found["sent_again_explained"]) == (5, 7)
    assert ["sent", "again", "explained", "7"] in map(str.split, table.getvalue().splitlines())
