"""The home of the system that a command asks."""

import os
from pathlib import Path

from clarion.failure import Failure
from deploy.embedded.home import Home, home_folder, open_home
from deploy.embedded.system import is_running
from shared.catalog import load_catalog


def asked(named: Path | None) -> Home:
    """The home that --home names, or CLARION_HOME; else the usual one, made or not.

    Raises Failure for one that is named and not there: it has no ports of its own, and at the usual
    ones another system would answer.
    """
    folder = home_folder(named)
    if (named or os.environ.get("CLARION_HOME")) and not folder.is_dir():
        raise Failure(
            f"no-home: there is no home {folder}; name the system's own with --home or "
            f"CLARION_HOME, or make one there: clarion up --home {folder}"
        )
    return open_home(folder, load_catalog())


def running(named: Path | None) -> Home:
    """The same home, of which something is to be asked that only its own system may answer.

    Raises Failure where it is down.
    """
    home = asked(named)
    require_up(home)
    return home


def require_up(home: Home) -> None:
    """Raises Failure where the home is down: at its ports another system may answer."""
    if not is_running(home) and not _is_of_others(home):
        raise Failure(
            f"not-up: the system of {home.folder} is down; `clarion up` starts it, "
            "--home names another, and CLARION_RESULTS_URL one elsewhere (send: --to)"
        )


def _is_of_others(home: Home) -> bool:
    """Another user's, whose processes nobody else may look into."""
    return home.run.is_dir() and not os.access(home.run, os.W_OK)
