"""Kills every verb of the command line at random moments, and writes what became of it.

    python scripts/kill_matrix.py --folder /tmp/kills --kills 200 --seed 0
    python scripts/kill_matrix.py --folder /tmp/kills --kills 200 --table matrix.md --json benchmarks/results/kills.json

A chain is a verb, an output and a few kills: the same command is started on the same output, killed, started again and
so on, and at last left to end. Then its files must be those of a run that nobody disturbed. Moments are drawn by phase
(before Ray, while Ray starts, while it works, while Ray ends) and, in the phase, uniformly over its undisturbed
duration. A chain that ends is a line of `FOLDER/chains.jsonl`; the same command goes on after the last one. 200 kills
take about 40 minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from kills.undisturbed_runs import Reference
from kills.verb_runs import GONE_S, PHASES, RUN_S, VERBS, WORKING, Inputs, Run

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "Ctrl-C", "Ctrl-C twice", "SIGKILL of all")
FAULTS = ("worker", "raylet", "gcs_server")
STATUSES = {"SIGINT": 130, "Ctrl-C": 130, "Ctrl-C twice": 130, "SIGTERM": 143, "SIGHUP": 129}
STATUSES |= {"SIGKILL": -9, "SIGKILL of all": -9}
KILLS_PER_CHAIN = 5
END_S = 90
FINISHING_S = 5
"""A verb that ends well so soon after a signal had finished its work before."""
PYTHON_STARTS_S = 0.25
"""Before this, Python may not have come to the first line of raygene."""
LAST = ("raygene: error:", "raygene: interrupted")
"""How the one line begins that tells of a failure, or of a signal."""
FOREIGN = re.compile(
    r"Traceback|Exception ignored|Fatal|Segmentation|\*\*\*|core_worker|raylet|grpc|\(pid=|^\[\d{4}-|^\s+File |ray::"
)
HARMLESS = re.compile(r"core_worker\.cc.*max_restarts > 0")
"""Ray's core writes it of actors that may start again, and no switch of Ray leaves it out."""


def strike(run: Run, target: str, generator: random.Random) -> bool:
    """Send a signal to the verb, or kill a process of its Ray; False if there is none."""
    if target in FAULTS:
        victims = run.victims(target)
        if not victims:
            return False
        os.kill(generator.choice(victims).pid, signal.SIGKILL)
    elif target.startswith("Ctrl-C"):
        os.killpg(run.process.pid, signal.SIGINT)
        if target == "Ctrl-C twice":
            run.wait(lambda: False, 1.2)
            with suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGINT)
    elif target == "SIGKILL of all":
        os.killpg(run.process.pid, signal.SIGKILL)
    else:
        run.process.send_signal(signal.Signals[target])
    return True


def kill(run: Run, target: str, phase: str, share: float, durations: dict[str, float], seed: str) -> dict[str, Any]:
    """Kill a run in a phase, and describe how it ended."""
    run.wait(lambda: phase in run.phases, RUN_S)
    end = run.seconds + share * durations[phase]
    run.wait(lambda: run.seconds >= end or run.phase != phase, RUN_S)
    record: dict[str, Any] = {"target": target, "aimed": phase, "phase": run.phase, "at": round(run.seconds, 2)}
    if run.process.poll() is not None or not strike(run, target, random.Random(seed)):
        run.wait(lambda: False, RUN_S)
        status = run.process.wait()
        record |= {"status": status, "is_kill": False, "problems": [] if status == 0 else [f"status {status}"]}
        return record | {"stderr": run.errors.read_text(errors="replace").splitlines()[-20:]}
    struck = time.monotonic()
    run.wait(lambda: False, END_S if target in {"raylet", "gcs_server"} or target in STATUSES else RUN_S)
    problems = []
    if run.process.poll() is None:
        problems.append("did not end")
        os.killpg(run.process.pid, signal.SIGKILL)
    ended = time.monotonic() - struck
    left = run.wait_until_gone(GONE_S)
    record |= {"is_kill": True, "status": run.process.wait(), "ended_s": round(ended, 1)}
    record["gone_s"] = round(time.monotonic() - struck, 1)
    if left:
        problems.append(f"left after {GONE_S} s: {', '.join(process.describe() for process in left)}")
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    record["stderr"] = run.errors.read_text(errors="replace").splitlines()[-20:]
    record["problems"] = problems + problems_of(record)
    return record


def problems_of(record: dict[str, Any]) -> list[str]:
    """What is wrong with status and messages of a killed run."""
    target, status, lines, problems = record["target"], record["status"], record["stderr"], []
    errors = [line for line in lines if line.startswith(LAST)]
    number = STATUSES.get(target, 1)
    is_silent = target.startswith("SIGKILL")
    if record["at"] < PYTHON_STARTS_S and target in STATUSES and not is_silent:
        return []
    allowed = {number} if is_silent else {0, number}
    if status not in allowed:
        problems.append(f"status {status}")
    if status == 0 and target in STATUSES and record["ended_s"] > FINISHING_S:
        problems.append("went on after the signal")
    if not is_silent and status != 0 and (len(errors) != 1 or not lines[-1].startswith(LAST)):
        problems.append(f"{len(errors)} error lines")
    others = [line for line in lines if not line.startswith("raygene: ") and not HARMLESS.search(line)]
    if foreign := [line for line in others if FOREIGN.search(line)]:
        problems.append(f"foreign line: {foreign[0][:120]}")
    return problems


def targets_in(phase: str) -> list[str]:
    """What can be killed in a phase, signals to the verb more often than Ray's processes."""
    return [*SIGNALS, *SIGNALS, *FAULTS] if phase == WORKING else list(SIGNALS)


def chain(
    number: int, verb: str, kills: int, arguments: argparse.Namespace, inputs: Inputs, reference: Reference
) -> dict[str, Any]:
    """Kill a verb several times on one output, let it end, and compare."""
    seed, folder = arguments.seed, inputs.folder.parent
    place = folder / f"chain-{number}-{verb}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    records: list[dict[str, Any]] = []
    differences: list[str] = []
    generator = random.Random(f"{seed}-{number}")
    allowed = {phase: [name for name in targets_in(phase) if name in arguments.targets] for phase in PHASES}
    phases = [phase for phase in PHASES if phase in reference.durations and allowed[phase]]
    attempts = 0
    while sum(record["is_kill"] for record in records) < kills and attempts < 3 * kills:
        attempts += 1
        phase, share = generator.choice(phases), generator.random()
        target, token = generator.choice(allowed[phase]), f"{seed}-{number}-{attempts}"
        run = Run(inputs.command(verb, place), place, inputs.cache)
        records.append(kill(run, target, phase, share, reference.durations, token) | {"verb": verb})
        if records[-1]["status"] == 0:
            differences += reference.differences(place)
            shutil.rmtree(place)
            place.mkdir()
    run = Run(inputs.command(verb, place), place, inputs.cache)
    run.wait(lambda: False, RUN_S)
    if (status := run.process.wait()) != 0:
        differences.append(f"status {status} when it was left to end: {run.errors.read_text()[-300:]}")
    else:
        differences += reference.differences(place)
    run.wait_until_gone(GONE_S)
    if not differences:
        shutil.rmtree(place)
    return {"chain": number, "seed": seed, "verb": verb, "records": records, "differences": differences}


def read(folder: Path) -> list[dict[str, Any]]:
    """The chains that are done."""
    path = folder / "chains.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(chains: list[dict[str, Any]]) -> str:
    """The matrix as Markdown: verb and phase against what was killed, in kills and in those with a problem."""
    records = [record for chain in chains for record in chain["records"] if record["is_kill"]]
    targets = [target for target in (*SIGNALS, *FAULTS) if any(record["target"] == target for record in records)]
    lines = [f"| verb | phase | {' | '.join(targets)} | slowest end, s | all gone, s |"]
    lines.append("|---|---|" + "---|" * (len(targets) + 2))
    for verb in VERBS:
        for phase in PHASES:
            rows = [record for record in records if (record["verb"], record["phase"]) == (verb, phase)]
            if not rows:
                continue
            counts = Counter(record["target"] for record in rows)
            bad = Counter(record["target"] for record in rows if record["problems"])
            cells = [
                f"{counts[name]}{f' ({bad[name]} wrong)' if bad[name] else ''}" if counts[name] else ""
                for name in targets
            ]
            slowest = [max(row[key] for row in rows) for key in ("ended_s", "gone_s")]
            lines.append(f"| {verb} | {phase} | {' | '.join(cells)} | {slowest[0]:.1f} | {slowest[1]:.1f} |")
    return "\n".join(lines)


def summary(chains: list[dict[str, Any]]) -> str:
    """What all kills came to, in sentences."""
    records = [record for chain in chains for record in chain["records"]]
    kills = [record for record in records if record["is_kill"]]
    wrong = [record for record in kills if record["problems"]]
    differing = [chain for chain in chains if chain["differences"]]
    text = f"{len(kills)} kills in {len(chains)} chains; {len(wrong)} ended otherwise than defined; "
    text += f"{len(differing)} chains ended with other files. {len(records) - len(kills)} runs ended before their kill."
    for record in wrong:
        where = f"{record['verb']}, {record['target']} in '{record['phase']}' after {record['at']} s"
        text += f"\n- {where}: {'; '.join(record['problems'])}"
    for entry in differing:
        text += f"\n- {entry['verb']}, chain {entry['chain']}: {'; '.join(entry['differences'][:5])}"
    return text


def main() -> int:
    """Run as many chains as are still to do, or write the report of those that are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--folder", type=Path, required=True, help="inputs, outputs and chains.jsonl; goes on if it exists"
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--targets", nargs="+", choices=(*SIGNALS, *FAULTS), default=[*SIGNALS, *FAULTS])
    parser.add_argument("--table", type=Path, help="write the matrix as Markdown")
    parser.add_argument("--json", type=Path, help="write every kill as JSON")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    inputs = Inputs(folder)
    done = {(entry["seed"], entry["chain"], entry["verb"]) for entry in read(folder)}
    references: dict[str, Reference] = {}
    for number in range(-(-arguments.kills // KILLS_PER_CHAIN)):
        verb = arguments.verbs[number % len(arguments.verbs)]
        if (arguments.seed, number, verb) in done:
            continue
        if verb not in references:
            references[verb] = Reference(verb, inputs, folder)
        kills = min(KILLS_PER_CHAIN, arguments.kills - number * KILLS_PER_CHAIN)
        entry = chain(number, verb, kills, arguments, inputs, references[verb])
        with (folder / "chains.jsonl").open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        for record in entry["records"]:
            what = f"{record['target']} in '{record['phase']}' at {record['at']} s: status {record['status']}"
            sys.stderr.write(f"{verb}: {what} {'; '.join(record['problems'])}\n")
        for difference in entry["differences"]:
            sys.stderr.write(f"{verb}: {difference}\n")
    chains = read(folder)
    sys.stdout.write(summary(chains) + "\n")
    if arguments.table:
        arguments.table.write_text(table(chains) + "\n")
    if arguments.json:
        for record in (record for entry in chains for record in entry["records"] if not record["problems"]):
            # What a kill wrote matters where something is wrong.
            record.pop("stderr", None)
        arguments.json.write_text(json.dumps(chains, indent=1) + "\n")
    return 1 if any(entry["differences"] or any(r["problems"] for r in entry["records"]) for entry in chains) else 0


if __name__ == "__main__":
    sys.exit(main())
