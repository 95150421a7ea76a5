"""NVIDIA Triton from a wheel: its own packages and a backend folder, with nothing of Clarion's.

The packages go into a plain folder (put on PYTHONPATH for the server alone) and not
into a virtual environment: a folder can be made under another name and renamed when complete.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.cache import InstallFailed, install_once, named_after

LOCK = Path(__file__).with_name("requirements-triton.lock")
_OUR_BACKENDS = sorted(Path(__file__).with_name("backends").glob("*/model.py"))
STUB = "triton_python_backend_stub"


def python_version() -> str:
    """The stub that Triton needs is one per minor version: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def packages_folder(cache: Path) -> Path:
    """The folder of the locked wheels for the running Python, whether it exists yet or not."""
    return cache / named_after("triton", LOCK, salt=python_version())


def backends_folder(cache: Path) -> Path:
    """The backend folder; apart from the wheels, so that a change of ours installs none anew."""
    return cache / named_after("backends", LOCK, *_OUR_BACKENDS, salt=python_version())


def install_triton(cache: Path, progress: Callable[[str], None]) -> Path:
    """Install the locked wheels and lay out the backends; returns the folder of the wheels."""
    packages = packages_folder(cache)

    def build(scratch: Path) -> None:
        progress("downloading NVIDIA Triton and ONNX Runtime")
        _install_packages(scratch)

    built = install_once(packages, build)
    server = packages / "pytriton" / "tritonserver"
    install_once(backends_folder(cache), lambda scratch: _lay_out_backends(server, scratch))
    progress(f"NVIDIA Triton {'installed' if built else 'is there'}: {packages}")
    return packages


def _install_packages(target: Path) -> None:
    command = [
        *[_uv(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"],
        *["--python", sys.executable, "--target", str(target), "--requirements", str(LOCK)],
    ]
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
    `backend: "onnxruntime"` in a config.pbtxt works as it does on NVIDIA's container.
    """
    shutil.copytree(server / "backends" / "python", backends / "python")
    stub = server / "python_backend_stubs" / python_version() / STUB
    if not stub.is_file():
        raise InstallFailed(f"Triton's wheel has no stub for Python {python_version()}")
    shutil.copy2(stub, backends / "python" / STUB)
    for model in _OUR_BACKENDS:
        (backends / model.parent.name).mkdir()
        shutil.copy2(model, backends / model.parent.name)
