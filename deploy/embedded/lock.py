"""`python -m deploy.embedded.lock`: resolve Kafka's jars and Triton's packages anew.

Run by hand when a version is to change; the result is committed and reviewed as a diff.
"""

import subprocess
import sys
from pathlib import Path

from deploy.embedded import jars, triton_files

REQUIREMENTS = triton_files.LOCK.with_suffix(".in")
SERVER = "nvidia-pytriton"


def main() -> int:
    print(f"{jars.write_lock()} jars in {jars.LOCK}")  # noqa: T201
    lines = REQUIREMENTS.read_text().splitlines()
    server = "".join(f"{line}\n" for line in lines if line.startswith(SERVER))
    others = "".join(f"{line}\n" for line in lines if not line.startswith(SERVER))
    locked = _compile(others) + _compile(server, "--no-deps")
    triton_files.LOCK.write_text(locked)
    print(f"{locked.count('==')} packages in {triton_files.LOCK}")  # noqa: T201
    return 0


def _compile(requirements: str, *options: str) -> str:
    command = [
        *[str(Path(sys.executable).with_name("uv")), "pip", "compile", "-", "--quiet"],
        *["--universal", "--python-version", "3.11", "--generate-hashes"],
        *["--no-emit-index-url", "--no-header", "--no-annotate", *options],
    ]
    done = subprocess.run(  # noqa: S603
        command, input=requirements, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
