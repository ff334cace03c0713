#!/usr/bin/env bash
# Starts a Ray cluster in one Slurm allocation and runs a verb on it; the cluster ends with the verb.
#
#   sbatch slurm.sh build /scratch/me/experiment.yaml --output /scratch/me/dataset
#   sbatch slurm.sh train /scratch/me/experiment.yaml --dataset /scratch/me/dataset --output /scratch/me/run
#
# Change: nodes, time, partition and GPUs below (no GPUs for build).
# Change: RAYGENE_ENV, to the virtual environment of raygene.
# All paths, that of RAYGENE_ENV included, lie on a file system that all nodes mount.
# Nodes are exclusive, because Ray stops every Ray process of the user on them at its end.
# Slurm sends a signal 120 s before the time is up; the verb saves its work, and the same sbatch command resumes.
#SBATCH --job-name=raygene
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=4
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=raygene-%j.log
set -euo pipefail

RAYGENE_ENV=${RAYGENE_ENV:-$HOME/raygene/.venv}
# shellcheck disable=SC1091
source "$RAYGENE_ENV/bin/activate"

if [ $# -eq 0 ]; then
    echo "slurm.sh: give a verb of raygene and its arguments, as in 'sbatch slurm.sh train …'" >&2
    exit 2
fi

# A token for this job alone: others on the network can reach Ray's ports, and must not be let in.
RAY_AUTH_TOKEN_PATH=$(mktemp "${SLURM_SUBMIT_DIR:-$PWD}/.ray-token-XXXXXXXX")
# Holds the id of the verb's process on this first node, which gets the signal to save. It also shows that Ray has
# started, because Ray exits with status 0 where it has not.
mark=$(mktemp "${SLURM_SUBMIT_DIR:-$PWD}/.raygene-ran-XXXXXXXX")
# The exit status of the step: bash may lose it if a signal arrives just as the step ends.
ended=$(mktemp "${SLURM_SUBMIT_DIR:-$PWD}/.raygene-ended-XXXXXXXX")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH" "$mark" "$ended"' EXIT
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$RAY_AUTH_TOKEN_PATH"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH RAY_USAGE_STATS_ENABLED=0
# Of another cluster, if the shell of sbatch had set them; a token in a variable would take precedence over the file.
unset RAY_ADDRESS RAY_API_SERVER_ADDRESS RAY_AUTH_TOKEN
# Ray gives its nodes 30 s to start, in which a shared file system may not have loaded Python on all of them.
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=${RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT:-600}
# Ray's sockets need a short path on a disk of the node, and the cache of decoded splits needs a disk of the node.
export RAY_TMPDIR=/tmp RAYGENE_CACHE=${RAYGENE_CACHE:-/tmp/raygene-$(id -un)}

if [ "$SLURM_JOB_NUM_NODES" -eq 1 ]; then
    host=127.0.0.1
else
    # A Debian machine resolves its own name to 127.0.1.1, which other nodes cannot reach. This script runs on the first
    # node.
    first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    # awk reads to the end: under pipefail, a pipe that it closes early would end this script.
    host=$(getent ahostsv4 "$first" | awk '!address && $1 !~ /^127\./ { address = $1 } END { print address }')
    host=${host:-$(hostname -I | awk '{ print $1 }')}
fi
address=$host:$((20000 + SLURM_JOB_ID % 10000))

signalled=
# The verb may have just ended, so that there is no process to get the signal.
trap 'signalled=1; if [ -s "$mark" ]; then kill -TERM "$(cat "$mark")" 2>/dev/null || true; fi' TERM
{
    code=0
    # shellcheck disable=SC2016
    srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
        ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" --disable-usage-stats -- \
        bash -c 'echo $$ >"$1"; export RAY_ADDRESS=$2; shift 2; exec raygene "$@"' \
        raygene "$mark" "$address" "$@" || code=$?
    echo "$code" >"$ended"
} &
step=$!
# A signal ends the wait, but not the step.
while true; do
    signalled='' status=0
    wait "$step" || status=$?
    [ -n "$signalled" ] || break
done
if [ -s "$ended" ]; then
    status=$(cat "$ended")
fi
if [ ! -s "$mark" ]; then
    echo "slurm.sh: Ray did not start on all nodes: see the lines above" >&2
    exit 1
fi
exit "$status"
