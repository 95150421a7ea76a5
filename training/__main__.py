"""Train, export and measure the reference models: `python -m training [MODEL…]`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch

from training.config import NAMES, Plan, read_plan
from training.evaluate import evaluate, evaluate_real
from training.export import export
from training.inference import exported_models
from training.phantoms import draw_missing
from training.train import train


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    plans = [_plan(name, options.steps) for name in options.models or NAMES]
    for plan in plans:
        _draw(plan, options.cache, options.threads)
    for plan in plans if not options.measure else []:
        export(plan, train(plan, options.cache, options.runs / plan.name))
    inference = exported_models(options.threads)
    figures = {plan.name: evaluate(plan, options.cache, inference) for plan in plans}
    figures["real CT"] = evaluate_real(inference)
    json.dump(figures, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


def _options() -> argparse.Namespace:
    scratch = Path.home() / ".cache" / "clarion-training"
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--cache", type=Path, default=scratch / "phantoms", help="drawn phantoms")
    parser.add_argument("--runs", type=Path, default=scratch / "runs", help="checkpoints, curves")
    parser.add_argument("--steps", type=int, help="instead of the plan's and its finish's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--measure", action="store_true", help="measure what is exported already")
    return parser.parse_args()


def _plan(name: str, steps: int | None) -> Plan:
    plan = read_plan(name)
    return dataclasses.replace(plan, steps=steps, finish=None) if steps else plan


def _draw(plan: Plan, cache: Path, processes: int) -> None:
    for done, count in draw_missing(cache, plan.phantoms, processes):
        sys.stderr.write(f"\r{plan.name}: phantom {done}/{count}   ")
        sys.stderr.flush()
    sys.stderr.write("\n")


if __name__ == "__main__":
    sys.exit(main())
