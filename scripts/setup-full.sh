#!/usr/bin/env bash
# Sets up what only `make test-full` needs: a tracking server and an S3 server, in an environment of their own
# because the former wants an older pyarrow.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/full/.raygene-setup
wanted=$(sha256sum scripts/setup-full.sh | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
printf 'setup: installing a tracking server and an S3 server into .venv/full (two minutes)\n' >&2
rm -rf .venv/full
.venv/bin/python -m venv .venv/full
.venv/full/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow>=3,<4' 'moto[server]>=5,<6'
printf '%s' "$wanted" >"$stamp"
