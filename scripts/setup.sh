#!/usr/bin/env bash
# Sets up everything raygene needs in this checkout: .venv with pinned packages, and the bedtools program.
# Running it again takes a fraction of a second. After an interruption it repeats the unfinished part.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/apt.sh
source scripts/apt.sh

stamp=.venv/.raygene-setup
pip_pin=$(grep '^pip==' constraints.txt) || fail "constraints.txt has no line pip==VERSION"
expected=$(cat pyproject.toml constraints.txt scripts/setup.sh scripts/apt.sh | sha256sum | cut -d' ' -f1)

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
           "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found: install python3 (>= 3.11), or name one: make setup PYTHON=/path/to/python3"
}

make_venv() {
    local python=$1 version
    say "creating .venv"
    rm -rf .venv
    # The pip of this Python puts a newer one there in a third of the time that its own copy would take.
    "$python" -m venv --without-pip .venv >/dev/null 2>&1 &&
        "$python" -m pip --python .venv/bin/python --quiet --disable-pip-version-check --retries 1 \
            install --no-compile "$pip_pin" >/dev/null 2>&1 && return
    rm -rf .venv
    "$python" -m venv .venv >/dev/null 2>&1 && return
    rm -rf .venv
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "python3-venv is missing: installing it with apt"
    apt_install "python$version-venv" || apt_install python3-venv ||
        fail "cannot create a virtual environment: run 'apt-get install python$version-venv' as root, then again"
    "$python" -m venv .venv >/dev/null || fail "python -m venv failed: see the lines above"
}

install_packages() {
    local pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check) complete=true pins
    # Python compiles what it imports: of 15,000 files that is a third, so compiling all takes longer than it saves.
    local install=("${pip[@]}" install --no-compile)
    say "installing pinned packages into .venv (one to five minutes)"
    # The pip that comes with Python 3.11 takes three times as long. Pins need no search for versions.
    compgen -G ".venv/lib/python*/site-packages/pip-${pip_pin#pip==}.dist-info" >/dev/null ||
        "${install[@]}" "$pip_pin" >/dev/null 2>&1 || complete=false
    # pip uses one core, so two of them share the work: torch is two fifths of all files.
    pins=$(sed '1d; /^#/,$d' constraints.txt)
    "${install[@]}" --no-deps -r <(awk '/^torch==/ || NR % 3 == 0' <<<"$pins") >/dev/null 2>&1 &
    beside=$!
    trap 'kill "$beside" 2>/dev/null || true' EXIT
    "${install[@]}" --no-deps -r <(awk '!/^torch==/ && NR % 3' <<<"$pins") -e . >/dev/null 2>&1 || complete=false
    wait "$beside" || complete=false
    trap - EXIT
    # Other platforms and versions of Python need other packages than those pinned: there pip searches.
    if $complete && "${pip[@]}" check >/dev/null 2>&1; then return; fi
    "${install[@]}" -c constraints.txt -e '.[dev]' ||
        fail "pip could not install the packages: check the network and the lines above, then run again"
}

install_bedtools() {
    if command -v bedtools >/dev/null || [ -x .venv/bin/bedtools ]; then return; fi
    say "installing the bedtools program"
    if apt_install bedtools; then return; fi
    for conda in mamba conda micromamba; do
        command -v "$conda" >/dev/null || continue
        if "$conda" create -y -q -p "$PWD/.venv/conda-bedtools" -c conda-forge -c bioconda bedtools >/dev/null 2>&1
        then
            ln -sf ../conda-bedtools/bin/bedtools .venv/bin/bedtools
            return
        fi
    done
    if command -v brew >/dev/null && brew install --quiet bedtools >/dev/null 2>&1; then return; fi
    fail "bedtools is missing and could not be installed: run 'apt-get install bedtools' as root," \
         "'conda install -c bioconda bedtools' or 'brew install bedtools', then run again"
}

if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$expected" ]; then
    python=$(find_python)
    # pip that was killed while it replaced itself cannot repair what it left.
    if [ ! -f "$stamp" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then make_venv "$python"; fi
    install_packages
    printf '%s' "$expected" >"$stamp"
fi
install_bedtools
