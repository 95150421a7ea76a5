"""`python -m tests.chaos`: many studies through a system in which everything breaks all the time.

Exit status 0 when nothing was lost, nothing came twice and every byte is as without faults.
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
from tests.chaos.judging import judge
from tests.chaos.plan import Plan
from tests.chaos.running import run, system_of


def main() -> int:
    told = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and take the system down
    plan = Plan(
        jobs=told.jobs,
        seed=told.seed,
        models=told.models,
        faults=told.jobs // 5 if told.fault_count is None else told.fault_count,
        names=told.faults,
        poison=told.poison,
        compared=told.jobs if told.compare is None else told.compare,
    )
    replicas = {name: told.replicas for name, each in load_catalog().items() if not each.single}
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as scratch:
        folder = told.home or Path(scratch) / "home"
        with system_of(plan, folder, installed_runtime(cache_folder()), replicas) as system:
            ran = run(plan, system)
            judged = judge(plan, system, list(ran.associations), told.patience)
    found = report.figures(plan, ran, judged)
    report.show(found, Console(stderr=told.json, highlight=False))
    if told.json:
        sys.stdout.write(report.as_json(found))
    return 1 if judged.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--models", choices=("instant", "real"), default="instant")
    parser.add_argument(
        "--faults",
        nargs="*",
        choices=tuple(FAULTS),
        default=tuple(FAULTS),
        metavar="FAULT",
        help=f"these only; none: no fault. {', '.join(FAULTS)}",
    )
    parser.add_argument("--fault-count", type=int, help="default: one for every five jobs")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--poison", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--compare", type=int, help="jobs computed anew; default: all")
    parser.add_argument("--patience", type=float, default=600, help="seconds for the last job")
    parser.add_argument("--home", type=Path, help="a new folder, kept; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="everything as JSON on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
