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
import itertools
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
YEAST = ROOT / "examples" / "yeast"
BEFORE, STARTING, WORKING, ENDING = PHASES = ("before Ray", "Ray starts", "work", "Ray ends")
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "Ctrl-C", "Ctrl-C twice", "SIGKILL of all")
FAULTS = ("worker", "raylet", "gcs_server")
STATUSES = {"SIGINT": 130, "Ctrl-C": 130, "Ctrl-C twice": 130, "SIGTERM": 143, "SIGHUP": 129}
STATUSES |= {"SIGKILL": -9, "SIGKILL of all": -9}
KILLS_PER_CHAIN = 5
GONE_S, END_S, RUN_S = 30, 90, 900
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
CHANGING_NAMES = re.compile(r"\d{8}T\d{6}Z|(?<=-)[0-9a-f]{16}(?=\.pt)|(?<=tfevents\.).*")
MEASURED = {"seconds", "peak_memory_bytes", "memory_measured", "tokens_per_second", "wait_share", "calls", "ended"}
"""Figures of the machine, which two undisturbed runs may share by chance, and the order in which trials ended."""
LOGS = {"steps.jsonl"}
"""An interrupted run has a row more, of its last step, and the next row is the mean of fewer steps."""
EXPERIMENT: dict[str, Any] = {
    "sources": [{"genome": "R64", "feature_types": ["gene"]}],
    "negatives": {"kinds": ["shuffle", "antisense", "partial"]},
    "crop": {"length": 256},
    "tokenizer": {"k": 3, "stride": 1},
    "split": {"validation": ["III"], "test": ["VIII"]},
    "embedding": {"epochs": 2},
    "model": {"embedding": 16, "stem_stride": 3, "hidden": 16, "dropout": 0.0},
    "training": {"epochs": 4, "global_batch_size": 16, "workers": 2, "checkpoint_steps": 10, "device": "cpu"},
    "tuning": {"space": {"model.hidden": [8, 12, 16]}, "search": "grid", "scheduler": "none", "device_memory": "4GiB"},
    "cluster": {"cpus": 2, "engine": "ray"},
}


@dataclass(frozen=True)
class Process:
    """A process, known by its start as well, since numbers are used again."""

    pid: int
    started: str
    name: str = field(compare=False)

    def is_alive(self) -> bool:
        with suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            return fields[0] not in "ZX" and fields[19] == self.started
        return False

    def describe(self) -> str:
        """Its name, state and command line, for the record."""
        with suppress(OSError):
            state = Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            command = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
            return f"{self.name} ({state}: {command.replace(str(ROOT), '.')[-120:]})"
        return self.name

    def is_working(self) -> bool:
        """Whether it is a worker of Ray that does something; Ray's agents have such titles too."""
        title = ""
        with suppress(OSError):
            title = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").split("\0")[0]
        return title.startswith("ray::") and "IDLE" not in title and "Agent" not in title


def processes() -> dict[Process, int]:
    """Every living process, and its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            text = (folder / "stat").read_text(errors="replace")
            fields = text.rpartition(")")[2].split()
            if fields[0] not in "ZX":
                name = text.partition("(")[2].rpartition(")")[0]
                found[Process(int(folder.name), fields[19], name)] = int(fields[1])
    return found


def descendants(root: int) -> set[Process]:
    """What a process has started, directly or through others."""
    children: dict[int, list[Process]] = {}
    for process, parent in processes().items():
        children.setdefault(parent, []).append(process)
    found, parents = set(), [root]
    while parents:
        for process in children.get(parents.pop(), []):
            found.add(process)
            parents.append(process.pid)
    return found


def marked(mark: str) -> set[Process]:
    """Processes that have `mark` in their environment: also those whose parents have ended."""
    found = set()
    for process in processes():
        with suppress(OSError):
            if mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace"):
                found.add(process)
    return found


def heed_signals() -> None:
    """Undo what a child inherits: background jobs of a shell ignore SIGINT, and what `nohup` starts SIGHUP."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Run:
    """A verb that runs, and every process that it has started."""

    def __init__(self, command: list[str], folder: Path, cache: Path) -> None:
        self.mark = f"RAYGENE_KILL={uuid.uuid4().hex}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= dict([self.mark.split("=")]) | {"RAYGENE_CACHE": str(cache), "COLUMNS": "200"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.errors, self.output = folder / "stderr.txt", folder / "stdout.txt"
        self.began = time.monotonic()
        with self.errors.open("wb") as errors, self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cluster", *command],
                stdout=output,
                stderr=errors,
                env=environment,
                start_new_session=True,
                preexec_fn=heed_signals,
            )
        self.processes: set[Process] = set()
        self.phases: dict[str, float] = {BEFORE: 0.0}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def phase(self) -> str:
        return list(self.phases)[-1]

    def look(self) -> bool:
        """Look for new processes and a new phase; whether the verb still runs."""
        self.processes |= descendants(self.process.pid)
        living = [process for process in self.processes if process.is_alive()]
        names = {process.name for process in living}
        if "gcs_server" in names:
            is_working = any(process.is_working() for process in living)
            phase = WORKING if is_working or WORKING in self.phases else STARTING
        else:
            phase = ENDING if STARTING in self.phases else BEFORE
        self.phases.setdefault(phase, self.seconds)
        return self.process.poll() is None

    def wait(self, until: Callable[[], bool], timeout_s: float) -> bool:
        """Look until a condition holds; False if the time is over or the verb has ended first."""
        end = time.monotonic() + timeout_s
        while self.look():
            if until():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return False

    def wait_until_gone(self, timeout_s: float) -> list[Process]:
        """Wait until all processes are gone; those that are not."""
        end = time.monotonic() + timeout_s
        self.processes |= marked(self.mark)
        while living := [process for process in self.processes if process.is_alive()]:
            if time.monotonic() > end:
                return living
            time.sleep(0.05)
        return []

    def victims(self, name: str) -> list[Process]:
        """Living processes of Ray by name; of workers those that work, the longest first."""
        living = [process for process in self.processes if process.is_alive()]
        if name != "worker":
            return [process for process in living if process.name == name]
        return sorted((process for process in living if process.is_working()), key=lambda process: int(process.started))


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


class Inputs:
    """What the verbs read: an experiment, a dataset and a model, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder / "inputs", folder / "cache"
        self.experiment, self.dataset = self.folder / "experiment.yaml", self.folder / "data"
        self.bundle, self.fasta = self.folder / "run" / "bundle", YEAST / "genome.fa.gz"
        self.annotation = YEAST / "annotation.gff3.gz"
        self.folder.mkdir(parents=True, exist_ok=True)
        source = EXPERIMENT["sources"][0] | {"fasta": str(self.fasta), "annotation": str(self.annotation)}
        self.experiment.write_text(yaml.safe_dump(EXPERIMENT | {"sources": [source]}))
        for path, verb in ((self.dataset, "build"), (self.bundle, "train")):
            if not path.exists():
                finish(self.command(verb, self.folder), self.folder, self.cache)

    def command(self, verb: str, output: Path) -> list[str]:
        """The command line of a verb that writes under a folder."""
        data, genome = ["--dataset", self.dataset], ["--fasta", self.fasta]
        scores, figures = ["--output", output / "scores.tsv"], ["--json", output / "figures.json"]
        page = ["--report", output / "report.html", "--predictions", output / "predictions.tsv"]
        commands: dict[str, list[object]] = {
            "build": [self.experiment, "--output", output / "data"],
            "embed": [self.experiment, *data, "--output", output / "embedding", "--json", output / "embed.json"],
            "train": [self.experiment, *data, "--output", output / "run"],
            "tune": [self.experiment, *data, "--output", output / "study", "--training.workers", 1],
            "scan": [self.bundle, *genome, "--output", output / "calls.gff3", "--workers", 2, "--stride", 64],
            "predict": [self.bundle, *genome, "--intervals", self.annotation, *scores, "--workers", 2],
            "evaluate": [self.bundle, *data, *figures, *page],
            "profile": [self.experiment, *data, "--output", output / "profile", "--json", output / "profile.json"],
        }
        return [verb, *map(str, commands[verb])]


VERBS = ("build", "embed", "train", "tune", "scan", "predict", "evaluate", "profile")


def finish(command: list[str], folder: Path, cache: Path) -> Run:
    """Run a verb to its end, which must be a success."""
    run = Run(command, folder, cache)
    run.wait(lambda: False, RUN_S)
    if run.process.wait() != 0:
        raise SystemExit(f"{' '.join(command)}: status {run.process.returncode}\n{run.errors.read_text()[-2000:]}")
    run.wait_until_gone(GONE_S)
    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Name to content of all files, without what a name or a line of JSON has of the time."""
    return {
        CHANGING_NAMES.sub("*", str(path.relative_to(folder))): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"stderr.txt", "stdout.txt"}
    }


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Path to each value of a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {key: value}
    return {name: leaf for part, item in items for name, leaf in flat(item, f"{key}/{part}").items()}


def leaves(content: bytes) -> dict[str, Any]:
    """All values of JSON or of lines of JSON; none of another file."""
    with suppress(ValueError):
        return flat(json.loads(content))
    with suppress(ValueError):
        return flat([json.loads(line) for line in content.splitlines()])
    return {}


def same(value: Any, expected: Any) -> bool:
    """Whether two values of JSON are equal, numbers but for rounding: workers may add up in another order."""
    if isinstance(value, float) and isinstance(expected, float):
        return math.isclose(value, expected, rel_tol=1e-4, abs_tol=1e-6)
    return bool(value == expected)


class Reference:
    """What undisturbed runs of a verb write; what differs between two of them is not compared.

    Attributes:
        durations: seconds of each phase.
    """

    def __init__(self, verb: str, inputs: Inputs, folder: Path) -> None:
        runs = []
        for number in (1, 2):
            place = folder / f"undisturbed-{verb}-{number}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            runs.append(finish(inputs.command(verb, place), place, inputs.cache))
        first, second = (contents(folder / f"undisturbed-{verb}-{number}") for number in (1, 2))
        if first.keys() != second.keys():
            raise SystemExit(f"{verb}: two undisturbed runs differ in files: {first.keys() ^ second.keys()}")
        self.files = first
        self.changing = {name for name in first if first[name] != second[name]}
        self.values: dict[str, dict[str, Any]] = {}
        for name in self.changing:
            one, other = leaves(first[name]), leaves(second[name])
            if one and one.keys() == other.keys():
                self.values[name] = {
                    key: value
                    for key, value in one.items()
                    if other[key] == value and key.rpartition("/")[2] not in MEASURED
                }
        starts = [*runs[1].phases.items(), ("end", runs[1].seconds)]
        self.durations = {phase: later - at for (phase, at), (_, later) in itertools.pairwise(starts)}

    def differences(self, folder: Path) -> list[str]:
        """What a folder has otherwise than an undisturbed run."""
        files = contents(folder)
        found = [f"missing: {name}" for name in self.files.keys() - files.keys()]
        found += [f"left over: {name}" for name in files.keys() - self.files.keys()]
        for name in self.files.keys() & files.keys():
            if name.rpartition("/")[2] in LOGS:
                continue
            if name not in self.changing:
                found += [f"differs: {name}"] if files[name] != self.files[name] else []
            elif name in self.values:
                values = leaves(files[name])
                differing = [key for key, value in self.values[name].items() if not same(values.get(key), value)]
                found += [f"differs: {name} at {differing[0]}"] if differing else []
        return sorted(found)


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
