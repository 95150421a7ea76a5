"""supervisord understands what is written for it, and its children die with it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from supervisor.options import ServerOptions

from deploy.embedded import launch
from deploy.embedded.home import create_home
from deploy.embedded.programs import Program
from deploy.embedded.supervisor import write_configuration

LAUNCH = [sys.executable, "-I", "-S", launch.__file__]


def test_supervisord_reads_back_odd_words_unchanged(tmp_path: Path) -> None:
    odd = ["--url=http://h/%20?a=1", 'it\'s; "quoted"', "two words"]
    program = Program("odd", ["run", *odd], {"CLARION_ODD": "100% of, 'this' too"}, is_service=True)
    home = create_home(tmp_path / "home", {})

    [read] = _programs(write_configuration(home, [program]))

    assert read.name == "odd"
    assert shlex.split(read.command)[-4:] == ["run", *odd]
    assert read.environment["CLARION_ODD"] == "100% of, 'this' too"


def test_a_program_dies_with_the_one_that_launched_it(tmp_path: Path) -> None:
    pace, read_end = tmp_path / "started", _pipe_held_by_grandchild(tmp_path / "started")
    with os.fdopen(read_end) as held:
        pid_of_parent = int(held.readline())
        held.readline()  # the program runs
        os.kill(pid_of_parent, signal.SIGKILL)

        assert held.read() == ""  # end of file: nobody holds the pipe any more
    assert pace.exists()


def test_a_program_that_ends_at_once_starts_once_a_second(tmp_path: Path) -> None:
    command = [*LAUNCH, str(tmp_path / "started"), "true"]
    started = time.monotonic()

    for _ in range(2):
        subprocess.run(command, check=True)

    assert time.monotonic() - started >= launch.PACE_S


def _programs(configuration: Path) -> list[Any]:
    options = ServerOptions()
    options.realize(["--configuration", str(configuration), "--nodaemon"])
    return [each for group in options.process_group_configs for each in group.process_configs]


def _pipe_held_by_grandchild(pace: Path) -> int:
    """A process that prints its pid and launches one that prints a line and stays."""
    stays = "import time; print('runs', flush=True); time.sleep(60)"
    launching = [*LAUNCH, str(pace), sys.executable, "-c", stays]
    parent = f"import os, subprocess; print(os.getpid(), flush=True); subprocess.run({launching!r})"
    read_end, write_end = os.pipe()
    subprocess.Popen([sys.executable, "-c", parent], stdout=write_end)
    os.close(write_end)
    return read_end
