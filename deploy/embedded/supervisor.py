"""supervisord over the processes of a home: its configuration, its start, its control.

It restarts whatever ends, without limit. `launch.py` bounds how often, and makes each process die
with supervisord, which by itself leaves its children running when it is killed.
"""

import os
import shlex
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from deploy.embedded.cache import REPOSITORY, cache_folder
from deploy.embedded.home import Home
from deploy.embedded.programs import Program, shared_environment
from deploy.embedded.survivors import MARK

_STOP_S = 30
_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes, and supervisord adds its pid for a moment


def write_configuration(home: Home, programs: Iterable[Program]) -> Path:
    """The home's supervisord.conf, anew at each start: what it says follows from the catalog."""
    socket = _socket(home)
    if len(str(socket)) > _LONGEST_SOCKET_PATH:
        raise ValueError(f"the path of the home is too long for a socket in it: {home.folder}")
    sections = {
        "unix_http_server": {"file": _escaped(socket), "chmod": "0600"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "logfile": _escaped(home.logs / "supervisord.log"),
            "logfile_maxbytes": "5MB",
            "logfile_backups": "1",
            "pidfile": _escaped(home.run / "supervisord.pid"),
        },
        **{f"program:{each.name}": _program(home, each) for each in programs},
    }
    path = home.run / "supervisord.conf"
    path.write_text("\n".join(_section(*each) for each in sections.items()))
    return path


def start(home: Home, configuration: Path) -> subprocess.Popen[bytes]:
    """Start supervisord, in a session of its own; it starts what `Control` tells it to."""
    environment = {**os.environ, **_bytecode(), **shared_environment(home), MARK: str(home.folder)}
    with (home.logs / "supervisord.out").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _bytecode() -> dict[str, str]:
    """Services import much of the same: kept compiled, a start takes a third of the time.

    In a folder of its own, since nothing is to be written beside the sources.
    """
    return {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode"),
    }


class Control:
    """What a running supervisord is asked; OSError where none answers."""

    def __init__(self, home: Home) -> None:
        self._socket = _socket(home)

    def answers(self) -> bool:
        try:
            return bool(self._ask("getState")["statename"] == "RUNNING")
        except OSError:
            return False

    def states(self) -> dict[str, str]:
        """STOPPED, RUNNING, … by program."""
        infos = cast(list[dict[str, Any]], self._ask("getAllProcessInfo"))
        return {str(info["name"]): str(info["statename"]) for info in infos}

    def pids(self) -> dict[str, int]:
        """The process of each program that runs."""
        infos = cast(list[dict[str, Any]], self._ask("getAllProcessInfo"))
        return {str(info["name"]): int(info["pid"]) for info in infos if info["pid"]}

    def busy(self) -> set[str]:
        """The programs that run or are about to start or stop."""
        over = ("STOPPED", "EXITED", "FATAL")
        return {name for name, state in self.states().items() if state not in over}

    def start(self, name: str) -> None:
        """Start it and return at once."""
        self._ask("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Ask it to stop; supervisord kills it when it takes longer than `_STOP_S`."""
        self._ask("stopProcess", name, False)

    def shut_down(self) -> None:
        """Stop everything, supervisord last."""
        self._ask("shutdown")

    def _ask(self, method: str, *arguments: str | bool) -> Any:
        """On a connection of its own: supervisor's transport can't be used again after an error."""
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _socket(home: Home) -> Path:
    return home.run / "supervisor.sock"


def _program(home: Home, program: Program) -> dict[str, str]:
    """A program that supervisord takes for running at once and restarts whenever it ends.

    `startsecs=0` switches off supervisord's own start attempts, whose waits grow without bound.
    Only the process itself is told to stop, its workers by it; a kill reaches them all.
    """
    launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
    pace = str(home.run / f"{program.name}.started")
    environment = (f'{key}="{_escaped(value)}"' for key, value in program.environment.items())
    return {
        "command": " ".join(_quoted(word) for word in [*launch, pace, *program.command]),
        "directory": _escaped(REPOSITORY),
        "environment": ",".join(environment),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "0",
        "stopwaitsecs": str(_STOP_S),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _escaped(home.logs / f"{program.name}.log"),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "3",
    }


def _section(name: str, values: dict[str, str]) -> str:
    return "".join([f"[{name}]\n", *(f"{key}={value}\n" for key, value in values.items())])


def _quoted(word: str) -> str:
    """supervisord splits a command as a POSIX shell does, after it expanded %(…)s."""
    return shlex.quote(_escaped(word))


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")
