"""A step's report, as the tests of the search have it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from clarion.load import figures
from clarion.load.figures import Done, Spread
from clarion.load.report import Machine, Report, Sending
from clarion.load.stages import Stage
from clarion.load.tests.studies import done

QUICK, SLOW = Spread(9, 2, 3, 3, 3), Spread(9, 20, 40, 50, 50)
MACHINE = Machine(50.0, {}, {})
HELD = Report(
    elapsed_s=40.0,
    interrupted=False,
    sending=Sending(9, 9, 90, 9.0, 100.0, Spread(9, 0, 0, 0, 0), QUICK, {"none": 9}, ()),
    jobs={"completed": 9},
    waiting=0,
    unfinished=0,
    waiting_most=3,
    finished_per_h=100.0,
    lanes={"routine": QUICK},
    stages={"reader": Stage(QUICK, QUICK, 0.2)},
    machine=MACHINE,
)


def reported(jobs: Sequence[Done]) -> Report:
    """What a step with these jobs comes to."""
    return replace(HELD, lanes=figures.by_lane(jobs), growth=figures.growth(jobs))


def served(moments: Iterable[float], per_h: float) -> Report:
    """What comes of studies that arrive then at one server, which takes equally long for each.

    A study takes 5 s besides.
    """
    free, jobs = 0.0, []
    for number, came in enumerate(moments):
        free = max(free, came) + 3600 / per_h
        jobs.append(done(str(number), came=came, shown_at=free + 5))
    return reported(jobs)
