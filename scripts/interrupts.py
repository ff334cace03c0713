"""Measures Ctrl-C in every verb: seconds to the first line that answers it, and to the end of the process.

    python scripts/interrupts.py --folder /tmp/interrupts
    python scripts/interrupts.py --folder /tmp/interrupts --verbs build train --table interrupts.md

Each verb runs on a terminal of its own (a pseudo-terminal), and Ctrl-C is typed there, so that the whole foreground
process group gets SIGINT: early, while modules are imported and Ray starts, in the middle and near the end of an
undisturbed run, whose duration is measured first. Afterwards no process, no file for the moment and no half-written
result may be left, and work that the last line calls kept must be there. A line of `FOLDER/interrupts.jsonl` is one
interrupt; the same command goes on after the last one. Genome, dataset and model are made from `examples/yeast`. All
verbs take about 40 minutes on two cores.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from kills.process_tree import Process, descendants, marked, processes

ROOT = Path(__file__).parents[1]
YEAST = ROOT / "examples" / "yeast"
CHROMOSOMES = ("I", "III", "VI")
RECOGNISE: dict[str, Any] = {
    "negatives": {"kinds": ["shuffle", "antisense", "partial"]},
    "crop": {"length": 256},
    "tokenizer": {"k": 3, "stride": 1},
    "split": {"validation": ["I"], "test": ["III"]},
    "embedding": {"epochs": 4},
    "model": {"embedding": 16, "stem_stride": 3, "hidden": 32},
    "training": {"epochs": 4, "global_batch_size": 16, "workers": 1, "device": "cpu"},
    "tuning": {"space": {"model.hidden": [8, 12, 16]}, "search": "grid", "scheduler": "none"},
    "cluster": {"cpus": 2, "engine": "ray"},
}
MOMENTS: dict[str, tuple[float, float]] = {
    "at 0.1 s": (0.1, 0.0),
    "at 0.3 s": (0.3, 0.0),
    "at 1 s": (1.0, 0.0),
    "at 2 s": (2.0, 0.0),
    "at 4 s": (4.0, 0.0),
    "at 8 s": (8.0, 0.0),
    "quarter": (0.0, 0.25),
    "middle": (0.0, 0.5),
    "end": (0.0, 0.95),
}
"""Seconds, or share of an undisturbed run, after which Ctrl-C is typed."""
ANSWER = re.compile(r"interrupt|stopping|no longer", re.IGNORECASE)
FOREIGN = re.compile(r"Traceback|Exception ignored|Fatal|core_worker|raylet|\(pid=|^\s+File ", re.IGNORECASE)
ERROR = re.compile(r"\berror\b", re.IGNORECASE)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\^C")
END_S, RUN_S, GONE_S = 60, 900, 30
UNFINISHED = re.compile(r"\.partial|\.tmp$|\.part$")
KEPT, LOCK = "finished work is kept", ".lock"


class OnTerminal:
    """A command that runs on a terminal of its own.

    Attributes:
        text: what it has written so far.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._mark = f"RAYGENE_INTERRUPT={uuid.uuid4().hex}"
        # Short, since Ray's sockets are below it.
        self.temporary = Path(tempfile.mkdtemp(prefix="ri-", dir="/tmp"))
        environment = environment | dict([self._mark.split("=")]) | {"TMPDIR": str(self.temporary)}
        self._own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))

        def take_terminal() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(its, termios.TIOCSCTTY, 0)

        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=its,
            stdout=its,
            stderr=its,
            env=environment,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(its)
        self.text = ""

    def read(self, until: float, pattern: re.Pattern[str] | None = None, after: int = 0) -> bool:
        """Read what is written until a time, the end of the process, or a pattern that comes `after` a position."""
        while time.monotonic() < until:
            has_ended = self.process.poll() is not None
            if select.select([self._own], [], [], 0 if has_ended else 0.01)[0]:
                with suppress(OSError):
                    self.text += os.read(self._own, 65536).decode(errors="replace")
                    if pattern and pattern.search(self.text, after):
                        return True
                    continue
            if has_ended:
                return False
        return False

    def press_ctrl_c(self) -> None:
        """Type Ctrl-C: the terminal sends SIGINT to its foreground process group."""
        self._started = descendants(self.process.pid)
        os.write(self._own, b"\x03")

    def left(self) -> tuple[float, set[Process]]:
        """Seconds until all that the command has started is gone, and what is not after `GONE_S`, which is killed."""
        began = time.monotonic()
        while living := self._living():
            if time.monotonic() - began > GONE_S:
                for process in living:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.1)
        return time.monotonic() - began, living

    def _living(self) -> set[Process]:
        candidates = self._started | marked(self._mark)
        for process in processes():
            with suppress(OSError):
                if str(self.temporary).encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                    candidates.add(process)
        return {process for process in candidates if process.is_alive()}

    def close(self) -> None:
        """End what is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._own)
        shutil.rmtree(self.temporary, ignore_errors=True)


class Inputs:
    """What the verbs read, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "inputs"
        self.fasta, self.annotation = self.folder / "genome.fa", self.folder / "genes.gff3"
        self.experiment = self.folder / "experiment.yaml"
        self.data, self.bundle = self.folder / "data", self.folder / "run" / "bundle"
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")} | {
            "PYTHONPATH": str(ROOT),
            "RAYGENE_CACHE": str(folder / "cache"),
            "TERM": "xterm-256color",
        }
        self._head: subprocess.Popen[bytes] | None = None

    def make(self, *, with_model: bool) -> None:
        """Write the genome and the experiment; build the dataset and train the model if that is needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(YEAST / "genome.fa.gz", "rt") as stream:
            records = stream.read().split(">")[1:]
        self.fasta.write_text("".join(f">{record}" for record in records if record.split()[0] in CHROMOSOMES))
        with gzip.open(YEAST / "annotation.gff3.gz", "rt") as stream:
            self.annotation.write_text("".join(line for line in stream if line.split("\t")[0] in CHROMOSOMES))
        source = {"genome": "yeast", "fasta": str(self.fasta), "annotation": str(self.annotation)}
        self.experiment.write_text(yaml.safe_dump({"sources": [source], **RECOGNISE}))
        for made, command in (
            (self.data, ["build", self.experiment, "--output", self.data]),
            (self.bundle, ["train", self.experiment, "--dataset", self.data, "--output", self.bundle.parent]),
        ):
            if with_model and not made.exists():
                self.run(*command)

    def run(self, *command: object) -> str:
        """Run a command to its end, which must be a success; return its standard output."""
        done = subprocess.run(raygene(command), env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def command(self, verb: str, output: Path) -> list[str]:
        """The command line of a verb that writes under a folder."""
        data, genome = ["--dataset", self.data], ["--fasta", self.fasta]
        study = [self.experiment, *data, "--output", output / "study", "--tuning.device_memory", "4GiB"]
        tracks = ["--output", output / "genes.gff3"]
        calls = [self.annotation, "--annotation", self.annotation, *genome, "--report", output / "page.html"]
        train = ["train", self.experiment, *data]
        commands: dict[str, list[object]] = {
            "build": ["build", self.experiment, "--output", output / "data"],
            "inspect": ["inspect", self.data, "--report", output / "page.html"],
            "embed": ["embed", self.experiment, *data, "--output", output / "embedding"],
            "memory": ["memory", self.experiment, *data],
            "train": [*train, "--output", output / "run"],
            "evaluate": ["evaluate", self.bundle, *data, "--report", output / "page.html"],
            "predict": ["predict", self.bundle, *genome, "--intervals", self.annotation, "--output", output / "a.tsv"],
            "scan": ["scan", self.bundle, *genome, "--output", output / "calls.gff3", "--stride", 64],
            "annotate": ["annotate", "yeast", *genome, *tracks],
            "annotate (Ray)": ["annotate", "yeast", *genome, *tracks, "--workers", 2],
            "compare": ["compare", *calls],
            "tune": ["tune", *study],
            "profile": ["profile", self.experiment, *data, "--output", output / "profile"],
            "doctor": ["doctor"],
            "demo": ["demo", "--output", output / "demo"],
            "init": ["init", output / "mine", *genome, "--annotation", self.annotation],
        }
        if verb.startswith("submit"):
            self._start_head()
            address = ["--address", self.environment["RAYGENE_JOB_SERVER"]]
            commands["submit run"] = ["submit", "run", *address, "--", *train, "--output", output / "run"]
        return [*map(str, commands[verb])]

    def _start_head(self) -> None:
        if self._head:
            return
        ports = [free_port() for _ in range(4)]
        names = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
        options = [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
        self._scratch = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
        options += [f"--temp-dir={self._scratch}", "--num-cpus=2", "--include-dashboard=true", "--disable-usage-stats"]
        ray = str(Path(sys.executable).with_name("ray"))
        self._head = subprocess.Popen(
            [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", *options],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.environment["RAYGENE_JOB_SERVER"] = f"http://127.0.0.1:{ports[1]}"
        end = time.monotonic() + 90
        while time.monotonic() < end:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", ports[1]), timeout=1).close()
                break
            time.sleep(0.5)
        time.sleep(5)

    def end_job(self, text: str) -> None:
        """Stop the job that a command line sent, which goes on without it."""
        if self._head and (job := re.search(r"raygene-[a-z]+-[0-9a-f]{8}", text)):
            stop = ["submit", "stop", job.group(), "--address", self.environment["RAYGENE_JOB_SERVER"]]
            subprocess.run(raygene(stop), env=self.environment, capture_output=True, check=False)

    def end_head(self) -> None:
        """End the job server, if one was started."""
        if self._head:
            with suppress(ProcessLookupError):
                os.killpg(self._head.pid, signal.SIGKILL)
            self._head.wait()
            shutil.rmtree(self._scratch, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback address on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def raygene(command: object) -> list[str]:
    """The command line of a process."""
    return [sys.executable, "-P", "-m", "raygene", *map(str, command)]  # type: ignore[call-overload]


WITHOUT_MODEL = {"build", "annotate", "annotate (Ray)", "compare", "doctor", "demo", "init"}
RESUMES = {"build", "train", "annotate", "annotate (Ray)", "scan", "tune", "demo", "submit run"}
VERBS = (
    *("build", "inspect", "embed", "memory", "train", "evaluate", "predict", "scan", "annotate", "annotate (Ray)"),
    *("compare", "tune", "profile", "doctor", "demo", "init", "submit run"),
)


def undisturbed(verb: str, inputs: Inputs, output: Path) -> tuple[float, set[str]]:
    """Seconds of a run that nobody disturbs, and the names of its files."""
    run = OnTerminal(raygene(inputs.command(verb, output)), inputs.environment)
    run.read(run.began + RUN_S)
    seconds, status = time.monotonic() - run.began, run.process.poll()
    run.close()
    if foreign := [line.strip() for line in run.text.splitlines() if FOREIGN.search(line)]:
        sys.stdout.write(f"{verb}, undisturbed: {foreign[0][:200]}\n")
    if status and verb != "doctor":
        raise SystemExit(f"{verb}: status {status}\n{run.text[-2000:]}")
    return seconds, {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def interrupt(verb: str, at: float, inputs: Inputs, output: Path, whole: set[str]) -> dict[str, Any]:
    """Press Ctrl-C after `at` seconds, and describe what follows.

    Args:
        verb: its name.
        at: seconds after the start.
        inputs: what it reads.
        output: where it writes.
        whole: the files of an undisturbed run.
    """
    run = OnTerminal(raygene(inputs.command(verb, output)), inputs.environment)
    run.read(run.began + at)
    record: dict[str, Any] = {"verb": verb, "at": round(at, 2), "is_kill": run.process.poll() is None}
    before = len(run.text)
    run.press_ctrl_c()
    pressed = time.monotonic()
    if run.read(pressed + END_S, ANSWER, before):
        record["answered_s"] = round(time.monotonic() - pressed, 2)
        run.read(pressed + END_S)
    record["ended_s"] = round(time.monotonic() - pressed, 2)
    record["status"] = run.process.poll()
    gone_s, left = run.left()
    record["gone_s"] = round(gone_s, 1)
    record["left"] = sorted(process.describe() for process in left)
    # torch keeps what it compiled for the next run, on purpose.
    names = {path.name for path in run.temporary.iterdir() if not path.name.startswith("torchinductor_")}
    record["temporary"] = sorted(names)
    record["files"] = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    run.close()
    record["text"] = run.text
    lines = [line.strip() for line in re.split(r"[\r\n]+", CONTROL.sub("", run.text[before:])) if line.strip()]
    record["lines"] = lines[-12:]
    record["problems"] = problems(record, lines, whole) if record["is_kill"] else []
    return record


def problems(record: dict[str, Any], lines: list[str], whole: set[str]) -> list[str]:
    """What an interrupted run should not have done."""
    faults = [f"left: {process}" for process in record["left"]]
    faults += [f"temporary files left: {', '.join(record['temporary'])}"] if record["temporary"] else []
    if record["status"] == 0:
        # The work was done before the signal could be heard.
        return faults if record["ended_s"] < 10 else [*faults, "went on after Ctrl-C"]
    if record["status"] != 130:
        faults.append(f"status {record['status']}")
    if record.get("answered_s", END_S) > 1:
        faults.append(f"answered after {record.get('answered_s', 'no')} s")
    if record["ended_s"] > 10:
        faults.append(f"ended after {record['ended_s']} s")
    faults += [f"line: {line[:120]}" for line in lines if FOREIGN.search(line) or ERROR.search(line)][:1]
    written = [Path(name) for name in record["files"] if not name.endswith(LOCK)]
    if not written and any(KEPT in line for line in lines):
        faults.append("calls work kept that is not there")
    if unfinished := [str(path) for path in written if UNFINISHED.search(path.name) and not _is_hidden(path)]:
        faults.append(f"half-written: {', '.join(unfinished[:3])}")
    if record["verb"] not in RESUMES:
        # Nothing may look like a result, unless all of it was written.
        visible = {str(path) for path in written if not _is_hidden(path)}
        faults += [f"unfinished result: {', '.join(sorted(visible)[:3])}"] if visible and visible < whole else []
    return faults


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def table(records: list[dict[str, Any]]) -> str:
    """The figures as Markdown: seconds to the answer and to the end by verb and moment."""
    lines = [f"| verb | {' | '.join(MOMENTS)} |", "|---|" + "---|" * len(MOMENTS)]
    for verb in VERBS:
        rows = {record["moment"]: record for record in records if record["verb"] == verb}
        if rows:
            lines.append(f"| {verb} | {' | '.join(_cell(rows.get(moment)) for moment in MOMENTS)} |")
    return "\n".join(lines)


def _cell(record: dict[str, Any] | None) -> str:
    if record is None or not record["is_kill"] or record["status"] == 0:
        return "done" if record else ""
    answered = record.get("answered_s")
    return f"{'–' if answered is None else f'{answered:.1f}'} / {record['ended_s']:.1f}"


def main() -> int:
    """Interrupt every verb at every moment that is still to do, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, required=True, help="inputs, outputs and interrupts.jsonl")
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=list(MOMENTS))
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--table", type=Path, help="write the figures as Markdown")
    parser.add_argument("--json", type=Path, help="write every interrupt as JSON")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    record_path, inputs = folder / "interrupts.jsonl", Inputs(folder)
    records = [json.loads(line) for line in record_path.read_text().splitlines()] if record_path.exists() else []
    inputs.make(with_model=not WITHOUT_MODEL.issuperset(arguments.verbs))
    try:
        for verb in arguments.verbs:
            done = {record["moment"] for record in records if record["verb"] == verb and not arguments.again}
            if not (moments := [moment for moment in arguments.moments if moment not in done]):
                continue
            output = folder / "output"
            shutil.rmtree(output, ignore_errors=True)
            output.mkdir()
            duration, whole = undisturbed(verb, inputs, output)
            for moment in moments:
                shutil.rmtree(output, ignore_errors=True)
                output.mkdir()
                seconds, share = MOMENTS[moment]
                if (at := seconds + share * duration) > duration:
                    continue
                record = interrupt(verb, at, inputs, output, whole) | {"moment": moment}
                inputs.end_job(record["text"])
                del record["text"]
                record["undisturbed_s"] = round(duration, 1)
                records = [old for old in records if (old["verb"], old["moment"]) != (verb, moment)] + [record]
                record_path.write_text("".join(json.dumps(one) + "\n" for one in records))
                figures = f"{_cell(record)}, status {record['status']}, of {duration:.1f} s"
                last = record["lines"][-1] if record["lines"] else ""
                sys.stdout.write(f"{verb}, {moment}: {figures} {'; '.join(record['problems'])} | {last[:140]}\n")
                sys.stdout.flush()
    finally:
        inputs.end_head()
    sys.stdout.write(table(records) + "\n")
    if arguments.table:
        arguments.table.write_text(table(records) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=1) + "\n")
    return 1 if any(record["problems"] for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
