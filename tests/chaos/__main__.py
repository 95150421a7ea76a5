"""`python -m tests.chaos`: many studies through a system in which things break.

faults       processes are killed and frozen, disks fill, events come twice, studies kill workers
queued-kill  all studies are queued, then everything is killed at once, and `clarion up` follows
outages      Kafka, Triton and the store are gone for two minutes each, while studies come

Exit status 0 when nothing was lost, nothing came twice, every byte is as without faults, and an
outage was blamed on no study; else 1, with a line for each study that is not as it should be.
"""

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from deploy.embedded.cache import cache_folder
from deploy.embedded.runtime import installed_runtime
from shared.catalog import load_catalog
from tests.chaos import report
from tests.chaos.faults import FAULTS
from tests.chaos.outages import OUTAGES
from tests.chaos.plan import Plan
from tests.chaos.running import system_of
from tests.chaos.scenes import SCENES, Terms

_JOBS = {"faults": 20, "queued-kill": 200, "outages": 60}
_EXAMPLES = """\
examples:
  python -m tests.chaos                                    20 studies, 4 faults, 6 poisoned
  python -m tests.chaos --jobs 500 --seed 7 --json > c.json   a fault every few seconds
  python -m tests.chaos --models real --faults kill-triton freeze-triton
  python -m tests.chaos --scene queued-kill                200 studies, one blackout
  python -m tests.chaos --scene outages --gone 30 --parts store --jobs 10

The same seed sends the same studies and orders the same faults. The table comes on stderr with
--json, which writes everything to stdout.
"""


def main() -> int:
    told = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and take the system down
    plan = _plan(told)
    replicas = {name: told.replicas for name, each in load_catalog().items() if not each.single}
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as scratch:
        folder = told.home or Path(scratch) / "home"
        with system_of(plan, folder, installed_runtime(cache_folder()), replicas) as system:
            terms = Terms(told.gone, told.parts, told.patience)
            played = SCENES[told.scene](plan, system, terms)
    found = report.figures(plan, played.ran, played.judged, played.more)
    report.show(found, Console(stderr=told.json, highlight=False))
    if told.json:
        sys.stdout.write(report.as_json(found))
    return 1 if played.judged.findings else 0


def _plan(told: argparse.Namespace) -> Plan:
    jobs = told.jobs or _JOBS[told.scene]
    shaken = told.scene == "faults"
    faults = jobs // 5 if told.fault_count is None else told.fault_count
    return Plan(
        jobs=jobs,
        seed=told.seed,
        models=told.models,
        faults=faults if shaken else 0,
        names=told.faults,
        poison=told.poison and shaken,
        scene=told.scene,
        compared=jobs if told.compare is None else told.compare,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.chaos",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--scene", choices=tuple(SCENES), default="faults", help="default: faults")
    add("--jobs", type=int, help="studies; default: 20, 200 in queued-kill, 60 in outages")
    add("--seed", type=int, default=7)
    add("--models", choices=("instant", "real"), default="instant")
    add(
        "--faults",
        nargs="*",
        choices=tuple(FAULTS),
        default=tuple(FAULTS),
        metavar="FAULT",
        help=f"these only; default: all; none: no fault. {', '.join(FAULTS)}",
    )
    add("--fault-count", type=int, help="default: one for every five jobs")
    add("--poison", action=argparse.BooleanOptionalAction, default=True)
    add(
        "--parts",
        nargs="+",
        choices=tuple(OUTAGES),
        default=tuple(OUTAGES),
        help="what is gone, one after the other, in the scene outages; default: all",
    )
    add("--gone", type=float, default=120, metavar="SECONDS", help="for so long; default: 120")
    add("--replicas", type=int, default=2, help="of each service that may have them; default: 2")
    add("--compare", type=int, help="jobs computed anew at the end; default: all")
    add("--patience", type=float, default=600, help="seconds in which no job ends; default: 600")
    add("--home", type=Path, help="a new folder, kept; default: a temporary one")
    add("--json", action="store_true", help="everything as JSON on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
