#!/usr/bin/env bash
# Sets up the gene finders that benchmarks/genes.py compares raygene with, and programs that check gene models:
# AUGUSTUS with its parameters and etraining, GenomeTools and gffread from Debian or Ubuntu;
# pyrodigal from PyPI, into .venv/peers, a virtual environment of its own.
# Running it again takes a fraction of a second. After an interruption it repeats the unfinished part.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/apt.sh
source scripts/apt.sh

has_programs() {
    for program in augustus etraining gt gffread; do
        command -v "$program" >/dev/null || return 1
    done
}

packages="augustus augustus-data genometools gffread"
if ! has_programs; then
    say "installing $packages with apt"
    # shellcheck disable=SC2086
    apt_install $packages && has_programs ||
        fail "augustus, etraining, gt and gffread are not all there: run 'apt-get install $packages' as root, then again"
fi

config=${AUGUSTUS_CONFIG_PATH:-/usr/share/augustus/config}
[ -d "$config/species/generic" ] ||
    fail "$config holds no parameters of AUGUSTUS: set AUGUSTUS_CONFIG_PATH to the folder with species/generic"

stamp=.venv/peers/.raygene-setup
expected=$(cat scripts/setup-peers.sh scripts/apt.sh | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$expected" ]; then exit 0; fi
python=${PYTHON:-.venv/bin/python}
command -v "$python" >/dev/null || fail "$python is missing: run 'make setup' first"
say "installing pyrodigal into .venv/peers"
rm -rf .venv/peers
"$python" -m venv .venv/peers >/dev/null || fail "$python -m venv .venv/peers failed: see the lines above"
.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check 'pyrodigal>=3.7,<4' ||
    fail "pip could not install pyrodigal: check the network and the lines above, then run again"
printf '%s' "$expected" >"$stamp"
