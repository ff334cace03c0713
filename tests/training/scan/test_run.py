from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pybedtools
import pytest

from pipelines.errors import InputError, ResourceError
from pipelines.genome import fasta
from pipelines.progress import Silent
from tests.training.scan.purines import FailsAtN, PurineShare
from training.scan import pieces, run
from training.scan.calls import Thresholds
from training.scan.grid import Grid
from training.scan.orfs.settings import FrameSettings, Weights
from training.scan.outputs import Outputs

pytestmark = pytest.mark.ray
GRID = Grid(200, 50)
LENGTHS = {"chr2": 400_000, "chr10": 300_123, "tiny": 199, "small": 250}


@pytest.fixture(scope="module")
def genome_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    with path.open("w") as stream:
        for name, length in LENGTHS.items():
            letters = generator.choice(list("ACGT"), length)
            share = np.repeat(generator.random(-(-length // 2000)) < 0.5, 2000)[:length]
            letters[share & (letters == "C") & (generator.random(length) < 0.9)] = "A"
            if name == "chr2":
                letters[100_000:103_000] = "N"
            stream.write(f">{name}\n{''.join(letters)}\n")
    return path


def job(genome_file: Path, folder: Path, thresholds: Thresholds | None = None) -> run.Scan:
    genome = run.open_genome(genome_file, GRID, Silent())
    return run.Scan(
        PurineShare(), "model", genome, GRID, thresholds or Thresholds(0.6, 0.55), Outputs.of(folder / "genes.gff3")
    )


@pytest.fixture(scope="module")
def scanned(genome_file: Path, tmp_path_factory: pytest.TempPathFactory, ray_session: Any) -> run.Scan:
    finished = job(genome_file, tmp_path_factory.mktemp("scan"))
    run.scan(finished, ray_session, 2, "cpu", Silent())
    return finished


def content(scan: run.Scan) -> list[bytes]:
    return [path.read_bytes() for path in (*scan.outputs.files, scan.outputs.record)]


def never() -> AbstractContextManager[Any]:
    raise AssertionError("Ray was requested")


def test_calls_read_back_as_sorted_intervals_within_their_sequences(scanned: run.Scan) -> None:
    gff3, bed = (list(pybedtools.BedTool(str(path))) for path in (scanned.outputs.gff3, scanned.outputs.bed))
    assert len(gff3) > 20
    assert [(call.chrom, call.start, call.end, call.strand) for call in gff3] == [
        (call.chrom, call.start, call.end, call.strand) for call in bed
    ]
    positions = [(call.chrom.encode(), call.start) for call in bed]
    assert positions == sorted(positions)
    assert all(0 <= call.start < call.end <= LENGTHS[call.chrom] and 0 <= int(call.score) <= 1000 for call in bed)
    assert {call.strand for call in bed} == {"+", "-"}
    assert scanned.outputs.gff3.read_text().startswith("##gff-version 3\n")


def test_tracks_are_sorted_by_bedtools_own_measure_and_do_not_overlap(scanned: run.Scan) -> None:
    for path in scanned.outputs.tracks:
        tool = pybedtools.BedTool(str(path))
        text = "".join(line for line in path.read_text().splitlines(keepends=True) if line[0] != "#")
        assert "".join(map(str, tool.sort())) == text
        merged = sum(len(line) for line in tool.merge(d=-1))
        assert merged == sum(len(line) for line in tool)
        assert all(0 <= float(line.name) <= 1 for line in tool)


def bins_of(track: Path) -> dict[tuple[str, int], float]:
    """Sequence and start of every bin that a track has a score for, with the score."""
    bins = {}
    for name, start, end, score in (line.split("\t") for line in track.read_text().splitlines() if line[0] != "#"):
        bins |= {(name, first): float(score) for first in range(int(start), int(end), GRID.stride)}
    return bins


def test_the_score_of_every_bin_is_the_mean_of_the_windows_over_its_middle(
    scanned: run.Scan, genome_file: Path
) -> None:
    name, letters = "chr10", ""
    expected: list[dict[tuple[str, int], float]] = [{}, {}]
    for record in genome_file.read_text().split(">")[1:]:
        if record.split()[0] == name:
            letters = record.split("\n", 1)[1].replace("\n", "")
    last = len(letters) - GRID.window
    starts = sorted({*range(0, last + 1, GRID.stride), last})
    windows = [(start, letters[start : start + GRID.window]) for start in starts]
    for start in range(0, len(letters), GRID.stride):
        middle = (start + min(start + GRID.stride, len(letters)) - 1) // 2
        near = [text for first, text in windows[max(start // GRID.stride - 5, 0) :][:12] if 0 <= middle - first < 200]
        near += [text for first, text in windows[-1:] if text not in near and 0 <= middle - first < 200]
        # The reverse complement has a purine where the window has a pyrimidine.
        for strand, pair in enumerate(("AG", "CT")):
            shares = [sum(map(text.count, pair)) / len(text) for text in near]
            expected[strand][name, start] = sum(shares) / len(shares)
    for track, values in zip(scanned.outputs.tracks, expected, strict=True):
        written = {key: score for key, score in bins_of(track).items() if key[0] == name}
        assert written.keys() == values.keys()
        assert max(abs(written[key] - values[key]) for key in values) <= 0.00005 + 1e-9


def test_calls_are_the_stretches_of_the_tracks_between_two_thresholds(scanned: run.Scan) -> None:
    tracks = [bins_of(track) for track in scanned.outputs.tracks]
    expected = []
    for name, length in LENGTHS.items():
        for own, other, strand in ((*tracks, "+"), (*tracks[::-1], "-")):
            stretch: list[int] = []
            for start in range(0, length + GRID.stride, GRID.stride):
                score = own.get((name, start), -1.0)
                if score >= 0.55 and score >= other.get((name, start), -1.0):
                    stretch.append(start)
                    continue
                if any(own[name, first] >= 0.6 for first in stretch):
                    expected.append((name, stretch[0], min(stretch[-1] + GRID.stride, length), strand))
                stretch = []
    calls = [line.split("\t") for line in scanned.outputs.bed.read_text().splitlines() if line[0] != "#"]
    assert sorted((call[0], int(call[1]), int(call[2]), call[5].strip()) for call in calls) == sorted(expected)


def test_every_base_is_scored_or_counted(scanned: run.Scan) -> None:
    counts = json.loads(scanned.outputs.record.read_text())["counts"]
    assert counts["bases"] == sum(LENGTHS.values()) - LENGTHS["tiny"]
    for path in scanned.outputs.tracks:
        assert sum(len(line) for line in pybedtools.BedTool(str(path))) == counts["bases"] - counts["unscored"]
    assert 2_700 < counts["unscored"] < 3_000


def test_one_worker_writes_the_same_bytes_as_two(scanned: run.Scan, genome_file: Path, tmp_path: Path) -> None:
    alone = job(genome_file, tmp_path)
    run.scan(alone, None, None, "cpu", Silent())
    assert content(alone) == content(scanned)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in scanned.outputs.gff3.parent.iterdir()}


def test_a_scan_that_failed_resumes_and_ends_in_the_same_bytes(
    scanned: run.Scan, genome_file: Path, tmp_path: Path
) -> None:
    again = job(genome_file, tmp_path)
    with pytest.raises(InputError, match="the disk is gone"):
        run.scan(replace(again, scorer=FailsAtN()), None, None, "cpu", Silent())
    resume(again, scanned, None, None)


def resume(again: run.Scan, whole: run.Scan, connect: Any, workers: int | None) -> None:
    """Run a scan of which something was scored before; it ends as the whole one."""
    scored = len(list(again.staging.glob("[0-9]*.npy")))
    assert 0 < scored < len(pieces.plan_tasks(again.genome.lengths, GRID))
    progress = Silent()
    run.scan(again, connect, workers, "cpu", progress)
    # Another task may have been at its end when the scan failed: what is there grows for a moment.
    told = re.findall(r"([\d,]+) of [\d,]+ tasks were scored before", "\n".join(progress.notes))
    assert len(told) == 1
    assert int(told[0].replace(",", "")) >= scored
    assert content(again) == content(whole)
    assert not again.staging.exists()


@pytest.mark.full
def test_a_scan_that_was_killed_resumes_and_ends_in_the_same_bytes(
    scanned: run.Scan, genome_file: Path, tmp_path: Path, ray_session: Any
) -> None:
    again = job(genome_file, tmp_path)
    script = (
        "import os, sys, time, ray\n"
        "from contextlib import nullcontext\n"
        "from pathlib import Path\n"
        "from pipelines.progress import Silent\n"
        "from tests.training.scan import purines, test_run\n"
        "class Slow(purines.PurineShare):\n"
        "    def __call__(self, codes, lengths):\n"
        "        time.sleep(0.4)\n"
        "        return super().__call__(codes, lengths)\n"
        "from dataclasses import replace\n"
        "ray.init(address='local', num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level='ERROR')\n"
        "job = replace(test_run.job(Path(sys.argv[1]), Path(sys.argv[2])), scorer=Slow())\n"
        "test_run.run.scan(job, nullcontext, 1, 'cpu', Silent())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(genome_file), str(tmp_path)], env=dict(os.environ))
    deadline = time.monotonic() + 120
    while len(list(again.staging.glob("[0-9]*.npy"))) < 1 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resume(again, scanned, ray_session, 1)


def test_a_finished_scan_is_not_made_again(scanned: run.Scan) -> None:
    progress, before = Silent(), content(scanned)
    run.scan(scanned, never, None, "cpu", progress)
    assert "nothing to do" in progress.notes[0]
    assert content(scanned) == before


def test_other_thresholds_call_again_from_the_tracks_without_a_model(
    scanned: run.Scan, genome_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(scanned.outputs.gff3.parent, folder)
    other = Thresholds(0.65, 0.5, 300)
    run.scan(job(genome_file, folder, other), never, None, "cpu", Silent())
    fresh = job(genome_file, tmp_path / "fresh", other)
    run.scan(fresh, None, None, "cpu", Silent())
    assert content(job(genome_file, folder, other)) == content(fresh)
    assert content(fresh) != content(scanned)


def test_a_file_that_was_changed_since_is_made_again(scanned: run.Scan, genome_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(scanned.outputs.gff3.parent, folder)
    damaged = job(genome_file, folder)
    with damaged.outputs.tracks[0].open("a") as stream:
        stream.write("small\t0\t50\t0.1\n")
    run.scan(damaged, None, None, "cpu", Silent())
    assert content(damaged) == content(scanned)


def test_what_killed_writers_left_is_removed(scanned: run.Scan, genome_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(scanned.outputs.gff3.parent, folder)
    leftover, foreign = folder / ".genes.bed.0123.partial", folder / "deeper" / ".genes.bed.0123.partial"
    foreign.parent.mkdir()
    for path in (leftover, foreign):
        path.touch()
    run.scan(job(genome_file, folder), never, None, "cpu", Silent())
    assert not leftover.exists()
    assert foreign.exists()


@pytest.mark.parametrize("record", ["[]", "{", '{"counts": null, "files": []}', '{"counts": {}, "files": {}}'])
def test_a_damaged_record_is_ignored(scanned: run.Scan, tmp_path: Path, record: str) -> None:
    outputs = Outputs.of(tmp_path / "genes.gff3")
    outputs.record.write_text(record)
    assert outputs.read_record() is None


@pytest.mark.parametrize("name", ["#1", "track7", "browser", "a\x85b"])
def test_a_sequence_whose_name_bed_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "odd.fa"
    path.write_text(f">{name}\n{'ACGT' * 100}\n")
    with pytest.raises(InputError, match="take such a line for a comment: rename it"):
        run.open_genome(path, GRID, Silent())


def test_a_genome_of_sequences_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.fa"
    path.write_text(f">a\n{'A' * 199}\n")
    with pytest.raises(InputError, match="no sequence has the 200 bases of a window"):
        run.open_genome(path, GRID, Silent())


def test_a_fasta_file_that_a_worker_cannot_read_is_an_error_that_names_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(f">a\n{'ACGT' * 100}\n")
    genome = pickle.loads(pickle.dumps(run.open_genome(path, GRID, Silent())))
    path.unlink()
    with pytest.raises(InputError, match=r"No such file or directory .on machine"):
        genome.sequence("a", 0, 10)


def test_more_workers_than_the_cluster_has_resources_for_are_refused(
    genome_file: Path, tmp_path: Path, ray_session: Any
) -> None:
    with pytest.raises(ResourceError, match=r"--workers 9: each needs a CPU, but the cluster has 2 CPUs"):
        run.scan(job(genome_file, tmp_path), ray_session, 9, "cpu", Silent())


def test_scores_are_the_same_wherever_the_fasta_file_lies_and_however_it_is_packed(
    scanned: run.Scan, genome_file: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "elsewhere.fa"
    shutil.copy(genome_file, copied)
    assert job(copied, tmp_path).key == scanned.key
    assert fasta.open_genome("g", copied, Silent()).lengths == scanned.genome.lengths


def with_frames(genome_file: Path, folder: Path) -> run.Scan:
    plain = job(genome_file, folder)
    outputs = Outputs.of(folder / "genes.gff3", frames=True, gtf=True)
    # What the test's scorer gives: no gene of 900 bases is open in a random sequence.
    return replace(plain, outputs=outputs, frames=FrameSettings(weights=Weights(constant=20.0)))


def test_reading_frames_are_made_from_the_tracks_and_again_only_if_something_changed(
    scanned: run.Scan, genome_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(scanned.outputs.gff3.parent, folder)
    framed = with_frames(genome_file, folder)
    counts = run.scan(framed, never, None, "cpu", Silent())
    assert counts.models
    assert counts.models["complete"] == sum(counts.calls.values()) - counts.models["partial"] > 100
    fresh = with_frames(genome_file, tmp_path / "fresh")
    run.scan(fresh, None, None, "cpu", Silent())
    assert content(framed) == content(fresh)
    progress, before = Silent(), content(framed)
    assert run.scan(framed, never, None, "cpu", progress) == counts
    assert "nothing to do" in progress.notes[0]
    assert content(framed) == before
    names = {path.name for path in framed.outputs.models}
    assert names == {"genes.proteins.fasta", "genes.cds.fasta", "genes.gtf"}


def test_a_scan_without_reading_frames_removes_what_one_with_them_wrote(
    scanned: run.Scan, genome_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(scanned.outputs.gff3.parent, folder)
    run.scan(with_frames(genome_file, folder), never, None, "cpu", Silent())
    again = job(genome_file, folder)
    run.scan(again, never, None, "cpu", Silent())
    assert content(again) == content(scanned)
    assert {path.name for path in folder.iterdir()} == {path.name for path in again.outputs.all}
