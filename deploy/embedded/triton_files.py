"""NVIDIA Triton from a wheel: its own packages and a backend folder, with nothing of Clarion's.

The packages go into a virtual environment that may be moved (uv's `--relocatable`), so that it can
be made under another name and renamed when complete. Triton's stub embeds an isolated interpreter,
which ignores PYTHONPATH and finds an environment by the `python3` that comes first on PATH.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.cache import REPOSITORY, InstallFailed, install_once, named_after

LOCK = Path(__file__).with_name("requirements-triton.lock")
_OUR_BACKENDS = sorted(Path(__file__).with_name("backends").glob("*/model.py"))
_THEIR_IMPORT = Path("shared", "inference", "weights.py")
"""What our backends import of Clarion's, by the same path beside them."""
STUB = "triton_python_backend_stub"


def python_version() -> str:
    """The stub that Triton needs is one per minor version: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def environment_folder(cache: Path) -> Path:
    """The virtual environment of the locked wheels, whether it exists yet or not."""
    return cache / named_after("triton", LOCK, salt=f"{python_version()} {sys.base_prefix}")


def site_packages(environment: Path) -> Path:
    """Where its wheels lie unpacked, the server among them."""
    return environment / "lib" / f"python{python_version()}" / "site-packages"


def backends_folder(cache: Path) -> Path:
    """The backend folder; apart from the wheels, so that a change of ours installs none anew."""
    sources = (LOCK, *_OUR_BACKENDS, REPOSITORY / _THEIR_IMPORT)
    return cache / named_after("backends", *sources, salt=python_version())


def install_triton(cache: Path, progress: Callable[[str], None]) -> Path:
    """Install the locked wheels and lay out the backends; returns the environment."""
    environment = environment_folder(cache)

    def build(scratch: Path) -> None:
        progress("downloading NVIDIA Triton and ONNX Runtime")
        _install_packages(scratch)

    built = install_once(environment, build)
    server = site_packages(environment) / "pytriton" / "tritonserver"
    install_once(backends_folder(cache), lambda scratch: _lay_out_backends(server, scratch))
    progress(f"NVIDIA Triton {'installed' if built else 'is there'}: {environment}")
    return environment


def _install_packages(environment: Path) -> None:
    python = str(environment / "bin" / "python")
    _run_uv(
        "venv", "--relocatable", "--allow-existing", "--python", _base_python(), str(environment)
    )
    _run_uv(
        *["pip", "install", "--no-deps", "--require-hashes"],
        *["--python", python, "--requirements", str(LOCK)],
    )


def _base_python() -> str:
    """The interpreter below the running one's own environment."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _run_uv(*arguments: str) -> None:
    command = [_uv(), *arguments, "--quiet"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InstallFailed(f"Triton's packages could not be installed:\n{done.stderr.strip()}")


def _uv() -> str:
    """The uv that `requirements.lock` put beside the running Python, else the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise InstallFailed("uv is missing: run `make setup`, which installs it into .venv")
    return found


def _lay_out_backends(server: Path, backends: Path) -> None:
    """`python/` is the server's own backend with the stub beside it; the rest are folders of ours.

    A folder with a `model.py` is a python-based backend: Triton runs it through `python/`, and
    `backend: "onnxruntime"` in a config.pbtxt works as it does on NVIDIA's container. Such a folder
    is on its import path.
    """
    shutil.copytree(server / "backends" / "python", backends / "python")
    stub = server / "python_backend_stubs" / python_version() / STUB
    if not stub.is_file():
        raise InstallFailed(f"Triton's wheel has no stub for Python {python_version()}")
    shutil.copy2(stub, backends / "python" / STUB)
    for model in _OUR_BACKENDS:
        backend = backends / model.parent.name
        (backend / _THEIR_IMPORT.parent).mkdir(parents=True)
        shutil.copy2(model, backend)
        shutil.copy2(REPOSITORY / _THEIR_IMPORT, backend / _THEIR_IMPORT)
