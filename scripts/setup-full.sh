#!/usr/bin/env bash
# Sets up what only `make test-full` needs.
# Into .venv: checkers of shell scripts and Kubernetes manifests, and a browser with its driver.
# Into the system: GenomeTools and gffread, which check and compare gene models.
# Into .venv/full, apart because they require older packages than this project: a tracking server, an S3 server, and two
# programs that results are compared with, sourmash and dinuc-shuf.
# Into .venv/s3fs, a driver that users may have or not, for tests try both; what else it requires is in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/apt.sh
source scripts/apt.sh

has_browser() {
    if [ -n "${RAYGENE_BROWSER:-}" ]; then command -v "$RAYGENE_BROWSER" >/dev/null; return; fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return; fi
    done
    return 1
}

if ! has_browser; then
    say "installing the browser chromium"
    apt_install chromium && has_browser ||
        fail "no browser found and chromium could not be installed: run 'apt-get install chromium' as root," \
             "or name one: RAYGENE_BROWSER=/path/to/chrome make test-full"
fi

if ! command -v gt >/dev/null || ! command -v gffread >/dev/null; then
    say "installing genometools and gffread"
    apt_install genometools gffread ||
        fail "gt and gffread could not be installed: run 'apt-get install genometools gffread' as root, then again"
fi

stamp=.venv/full/.raygene-setup
expected=$(cat scripts/setup-full.sh scripts/apt.sh pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$expected" ]; then exit 0; fi
say "installing the browser's driver and checkers into .venv," \
    "and servers and programs to compare with into .venv/full (two minutes)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,full]' ||
    fail "pip could not install the browser's driver: check the network and the lines above, then run again"
rm -rf .venv/full
.venv/bin/python -m venv .venv/full
.venv/full/bin/python -m pip install --quiet --disable-pip-version-check \
    'mlflow>=3,<4' 'moto[server]>=5,<6' 'sourmash>=4.8,<5' 'dinuc-shuf==0.1.0b1'
rm -rf .venv/s3fs
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt --target .venv/s3fs \
    s3fs aiobotocore aioitertools botocore jmespath ||
    fail "pip could not install s3fs: check the network and the lines above, then run again"
printf '%s' "$expected" >"$stamp"
