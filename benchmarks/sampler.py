"""Samples the stacks of a Python program by the CPU time it uses: where does that go?

    python -m benchmarks.sampler FILE MODULE [ARGUMENT…]

FILE gets the counts when the program ends: how often each function was on top of a stack
(`self`), and how often anywhere on it (`all`). A thread that waits is no sample, nor one that
imports. Of worker processes nothing is seen.
"""

import atexit
import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

_EVERY_S = 0.002
_WAITING = frozenset(
    {"selectors.py:select", "threading.py:wait", "thread.py:_worker", "connection.py:_recv"}
    | {"connection.py:poll", "popen_fork.py:poll", "threading.py:join"}
)


class Samples:
    """What was seen so far."""

    def __init__(self) -> None:
        self.taken = 0
        self.on_top: Counter[str] = Counter()
        self.anywhere: Counter[str] = Counter()

    def take(self, *_: object) -> None:
        """Look at every thread that does not wait."""
        for top in sys._current_frames().values():
            stack = _stack(top)
            if stack[0] == f"{Path(__file__).name}:take":
                stack = stack[1:]
            if not stack or stack[0] in _WAITING or any(map(_imports, stack)):
                continue
            self.taken += 1
            self.on_top[stack[0]] += 1
            self.anywhere.update(set(stack))

    def keep(self, file: Path, most: int = 60) -> None:
        """Stop, and write the shares of the functions seen most, in percent of all samples."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        shares = {
            kind: {
                name: round(100 * n / (self.taken or 1), 1) for name, n in seen.most_common(most)
            }
            for kind, seen in (("self", self.on_top), ("all", self.anywhere))
        }
        file.write_text(json.dumps({"samples": self.taken, **shares}))


def _stack(frame: FrameType | None) -> list[str]:
    names = []
    while frame:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).name}:{code.co_name}")
        frame = frame.f_back
    return names


def _imports(name: str) -> bool:
    return name.startswith("<frozen importlib")


def main() -> None:
    """Run the module as `python -m` would, and sample it."""
    file, module, *arguments = sys.argv[1:]
    seen = Samples()
    atexit.register(seen.keep, Path(file))
    signal.signal(signal.SIGPROF, seen.take)
    signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
