"""Train and export the reference models: `python -m training [MODEL…]`."""

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from training.checkpoint import OtherPlan
from training.config import NAMES, ROOT, Plan, read_phantoms, read_plan
from training.export import export
from training.phantoms import CACHE, draw_missing, train_seeds
from training.train import train


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    _draw(options.cache, options.threads)
    for name in options.models or NAMES:
        plan = _plan(name, options.steps)
        try:
            export(plan, train(plan, options.cache, options.runs / name))
        except OtherPlan as problem:
            sys.stderr.write(f"error: other-plan: {problem}\n")
            return 2
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--cache", type=Path, default=CACHE, help="drawn phantoms")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / ".cache" / "runs", help="checkpoints, curves"
    )
    parser.add_argument("--steps", type=int, help="instead of the plan's")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _plan(name: str, steps: int | None) -> Plan:
    plan = read_plan(name)
    return dataclasses.replace(plan, steps=steps) if steps else plan


def _draw(cache: Path, processes: int) -> None:
    phantoms = read_phantoms()
    for done, count in draw_missing(cache, phantoms, train_seeds(phantoms), processes):
        sys.stderr.write(f"\rphantom {done}/{count}   ")
        sys.stderr.flush()
    sys.stderr.write("\n")


if __name__ == "__main__":
    sys.exit(main())
