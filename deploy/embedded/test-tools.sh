#!/bin/sh
# The independent programs that tests compare ours with. Tests that need a missing one are skipped.
set -eu

missing=
needs() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
needs storescu dcmtk
needs dciodvfy dicom3tools
needs dcm2niix dcm2niix
needs pdftotext poppler-utils

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "test: installing$missing"
    # shellcheck disable=SC2086  # one word per package is meant
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes $missing; } \
        >/dev/null 2>&1 && exit 0
fi
echo "test: not here and not to be installed by this user:$missing; tests that need them are skipped"
