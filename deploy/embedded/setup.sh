#!/bin/sh
# Makes .venv from requirements.lock and the embedded runtime; says what this machine lacks.
# What is up to date is left alone, so it costs a second when nothing changed.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

is_supported() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

# Triton's python backend links to libpython: a Python that brings it is preferred.
has_shared_library() {
    PYTHONPATH=. "$1" - <<'PROBE' 2>/dev/null
import pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
folders = [sysconfig.get_config_var("LIBDIR") or "", sys.base_prefix + "/lib"]
sys.exit(not any(".so" in name and pathlib.Path(each, name).is_file() for each in folders))
PROBE
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_supported "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.13"
        echo "$PYTHON"
        return
    fi
    any=
    for each in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
        is_supported "$each" || continue
        if has_shared_library "$each"; then
            echo "$each"
            return
        fi
        any=${any:-$each}
    done
    [ -n "$any" ] || fail "no Python 3.11 to 3.13 found; install one, or name it: make setup PYTHON=…"
    echo "$any"
}

make_environment() {
    python=$(choose_python)
    echo "setup: .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv ||
        fail "$python can't make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)"
}

sync_environment() {
    wanted=$(cksum <requirements.lock)
    if [ "$(cat .venv/synced 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "setup: packages of requirements.lock"
    if [ ! -x .venv/bin/uv ]; then
        sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ /p;}' requirements.lock >.venv/uv.lock
        .venv/bin/python -m pip install --quiet --require-hashes -r .venv/uv.lock
    fi
    # Twenty processes start at once: none of them should compile what all of them import.
    .venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python \
        --require-hashes requirements.lock
    echo "$wanted" >.venv/synced
}

# The repository itself is on the environment's path, and `clarion` among its commands.
link_repository() {
    packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    pwd >"$packages/clarion.pth"
    printf '#!/bin/sh\nexec "%s/.venv/bin/python" -P -m clarion "$@"\n' "$PWD" >.venv/bin/clarion
    chmod +x .venv/bin/clarion
}

# As pip does: a proxy that inspects TLS is trusted where the system trusts it.
export UV_SYSTEM_CERTS=1
[ "$(uname -s)" = Linux ] || fail "Linux is needed, this is $(uname -s)"
is_supported .venv/bin/python || make_environment
sync_environment
link_repository
.venv/bin/python -m deploy.embedded.install
