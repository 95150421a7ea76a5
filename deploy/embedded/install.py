"""`python -m deploy.embedded.install`: everything that runs beside our own processes.

Kafka's jars and Triton are fetched at the same time; what is there already is left alone.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.embedded.cache import InstallFailed, cache_folder
from deploy.embedded.jars import install_jars
from deploy.embedded.runtime import (
    Runtime,
    installed_runtime,
    missing_shared_library,
    unsupported_platform,
)
from deploy.embedded.triton_files import install_triton


def install(cache: Path, progress: Callable[[str], None]) -> Runtime:
    """Make the whole embedded runtime in `cache`; raises InstallFailed with what went wrong."""
    wanted = [install_jars]
    if missing := unsupported_platform():
        progress(missing)
    else:
        wanted.append(install_triton)
        progress(missing_shared_library() or "libpython is there")
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(part, cache, progress) for part in wanted]:
            done.result()
    return installed_runtime(cache)


def main() -> int:
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"  {time.monotonic() - started:5.1f} s  {line}", flush=True)  # noqa: T201

    try:
        install(cache_folder(), progress)
    except InstallFailed as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
