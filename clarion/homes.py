"""The home of the system that a command asks."""

import os
from pathlib import Path

from clarion.failure import Failure
from deploy.embedded.home import Home, home_folder, open_home
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
