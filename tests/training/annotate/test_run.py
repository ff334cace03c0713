from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import InputError, ResourceError
from pipelines.gene_models import coding, reader, validity
from pipelines.gene_models.selection import Selection
from pipelines.progress import Silent
from tests.training.annotate import known_genes
from tests.training.annotate.known_genes import KnownGene, KnownGenes
from training.annotate import decode_tasks, run, tiles
from training.annotate.outputs import Outputs
from training.annotate.run import Annotation
from training.annotate.tiles import Tiling
from training.decoding.settings import Settings
from training.genome_tasks.staged_tasks import StagedTasks

pytestmark = pytest.mark.ray
GENES = known_genes.genes(60)
# The token of a sequence's last base says nothing of it.
CUT = KnownGene(GENES[0].letters[:119], GENES[0].states[:119])
NAMES = ["chr;2", "chr10", "a%b"]
TILING = Tiling(window=3600, step=1800, context=900, stride=9)
TASK_BASES, GROUP_BASES = 8_000, 30_000


@pytest.fixture(scope="module", autouse=True)
def _small_tasks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TASK_BASES", TASK_BASES)
        patch.setattr(decode_tasks, "GROUP_BASES", GROUP_BASES)
        yield


@pytest.fixture(scope="module")
def genome_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    known_genes.write_genome(path, GENES, NAMES)
    with path.open("a") as stream:
        # A gene that the end of its sequence cuts, a sequence of nothing but N, one of no base, a short one.
        stream.write(f">cut\n{'ACCT' * 200}{GENES[0].letters[:120]}\n>gap\n{'N' * 20_000}\n>empty\n\n>tiny\nAC\n")
    return path


def outputs_in(folder: Path) -> Outputs:
    return Outputs.of(
        folder / "genes.gff3",
        gtf=folder / "genes.gtf",
        proteins=folder / "proteins.fa",
        cds=folder / "cds.fa",
        bigwig=folder / "coding.bw",
        html=folder / "genes.html",
    )


def job(genome_file: Path, folder: Path) -> Annotation:
    genome = run.open_genome(genome_file, Silent())
    return Annotation(KnownGenes.of([*GENES, CUT]), "model", genome, TILING, Settings(), outputs_in(folder))


@pytest.fixture(scope="module")
def annotated(genome_file: Path, tmp_path_factory: pytest.TempPathFactory, ray_session: Any) -> Annotation:
    finished = job(genome_file, tmp_path_factory.mktemp("annotated"))
    run.annotate(finished, ray_session, 2, "cpu", Silent())
    return finished


def content(annotation: Annotation) -> list[bytes]:
    return [path.read_bytes() for path in annotation.outputs.all]


def never() -> AbstractContextManager[Any]:
    raise AssertionError("Ray was requested")


def test_every_gene_is_found_where_it_is(annotated: Annotation) -> None:
    genome = annotated.genome
    genes = reader.read(annotated.outputs.gff3, genome.lengths, Selection(())).genes
    assert len(genes) == len(GENES) + 1
    wanted = {gene.letters: gene for gene in GENES}
    for gene in genes:
        (transcript,) = gene.transcripts
        letters = genome.sequence(gene.chromosome, gene.start, gene.end).tobytes().decode()
        if gene.chromosome == "cut":
            assert (gene.end, transcript.is_partial_stop) == (genome.lengths["cut"], True)
            continue
        known = wanted[letters if gene.strand == "+" else known_genes.turned(letters)]
        steps = np.flatnonzero(np.diff(known.states // 5))
        assert len(transcript.cds) == 1 + len(steps) // 2
        read = coding.coding_letters(gene, transcript, genome.sequence)
        assert validity.defects(transcript, read, annotated.settings.code) == ()
    counts = json.loads(annotated.outputs.record.read_text())["counts"]
    assert (counts["complete"], counts["partial"], counts["bases"]) == (60, 1, sum(genome.lengths.values()))


def test_genes_are_in_the_order_of_the_genome_with_numbers_in_that_order(annotated: Annotation) -> None:
    rows = [row.split("\t") for row in annotated.outputs.gff3.read_text().splitlines() if "\tgene\t" in row]
    order = list(dict.fromkeys(row[0] for row in rows))
    assert order == ["chr%3B2", "chr10", "a%25b", "cut"]
    places = [(order.index(row[0]), int(row[3])) for row in rows]
    assert places == sorted(places)
    numbers = [row[8].split(";")[0] for row in rows]
    assert numbers == [f"ID=raygene_{number:06d}" for number in range(1, len(rows) + 1)]


@pytest.mark.full
def test_gt_takes_the_gff3(annotated: Annotation) -> None:
    if not shutil.which("gt"):
        pytest.skip("gt is not installed")
    command = ["gt", "gff3validator", annotated.outputs.gff3]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "input is valid GFF3" in checked.stdout, checked.stderr


def test_a_page_that_is_requested_later_is_the_same_bytes_and_nothing_is_computed_for_it(
    annotated: Annotation, genome_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = copied(annotated, genome_file, tmp_path / "whole")
    page = whole.outputs.page
    assert page is not None
    first = page.read_bytes()
    assert b"61 gene models in" in first
    without = replace(whole, outputs=replace(whole.outputs, page=None))
    page.unlink()
    run.annotate(without, None, None, "cpu", Silent())
    monkeypatch.setattr(StagedTasks, "compute", lambda *_: pytest.fail("something is computed"))
    run.annotate(whole, None, None, "cpu", Silent())
    assert page.read_bytes() == first


def test_this_process_alone_writes_the_same_bytes_as_two_workers(
    annotated: Annotation, genome_file: Path, tmp_path: Path
) -> None:
    alone = job(genome_file, tmp_path)
    run.annotate(alone, None, None, "cpu", Silent())
    assert content(alone) == content(annotated)
    scores = {path.name: path.read_bytes() for path in annotated.scores_folder.glob("*.arrow")}
    assert {path.name: path.read_bytes() for path in alone.scores_folder.glob("*.arrow")} == scores


def test_a_finished_annotation_is_not_made_again(annotated: Annotation) -> None:
    progress, before = Silent(), content(annotated)
    counts = run.annotate(annotated, never, None, "cpu", progress)
    assert "nothing to do" in progress.notes[0]
    assert (counts.complete, content(annotated)) == (60, before)


def copied(annotated: Annotation, genome_file: Path, folder: Path) -> Annotation:
    shutil.copytree(annotated.outputs.gff3.parent, folder)
    return job(genome_file, folder)


def test_another_lowest_score_needs_neither_scores_nor_ray(
    annotated: Annotation, genome_file: Path, tmp_path: Path
) -> None:
    again = replace(copied(annotated, genome_file, tmp_path / "copied"), min_score=1.0)
    counts = run.annotate(again, never, None, "cpu", Silent())
    assert counts.left_out + counts.complete + counts.partial == 61
    assert run.annotate(replace(again, min_score=0.0), never, None, "cpu", Silent()).left_out == 0
    assert content(again) == content(annotated)


def test_other_settings_of_decoding_use_the_scores(annotated: Annotation, genome_file: Path, tmp_path: Path) -> None:
    other = Settings(genetic_code=12)
    again = replace(copied(annotated, genome_file, tmp_path / "copied"), settings=other)
    before = {path: path.stat().st_mtime_ns for path in again.scores_folder.glob("*.arrow")}
    progress = Silent()
    run.annotate(again, None, None, "cpu", progress)
    assert {path: path.stat().st_mtime_ns for path in again.scores_folder.glob("*.arrow")} == before
    assert not any("scoring" in note for note in progress.notes)
    fresh = replace(job(genome_file, tmp_path / "fresh"), settings=other)
    run.annotate(fresh, None, None, "cpu", Silent())
    assert content(again) == content(fresh)


def test_scores_are_removed_on_request_and_files_of_others_stay(
    annotated: Annotation, genome_file: Path, tmp_path: Path
) -> None:
    again = replace(copied(annotated, genome_file, tmp_path / "copied"), keep_scores=False, min_score=0.001)
    run.annotate(again, never, None, "cpu", Silent())
    assert not again.outputs.scores.exists()
    again = replace(copied(annotated, genome_file, tmp_path / "other"), keep_scores=False, min_score=0.001)
    (again.outputs.scores / "notes.txt").touch()
    run.annotate(again, never, None, "cpu", Silent())
    assert [path.name for path in again.outputs.scores.iterdir()] == ["notes.txt"]


def test_scores_of_another_model_are_removed(annotated: Annotation, genome_file: Path, tmp_path: Path) -> None:
    again = replace(copied(annotated, genome_file, tmp_path / "copied"), model_fingerprint="another")
    run.annotate(again, None, None, "cpu", Silent())
    assert list(again.outputs.scores.iterdir()) == [again.scores_folder]


def test_scores_in_another_precision_are_others(genome_file: Path, tmp_path: Path) -> None:
    one = job(genome_file, tmp_path)
    other = replace(one, scorer=replace(one.scorer, precision="bf16"))
    assert one.key != other.key
    assert one.genes_key != other.genes_key


def test_a_file_that_was_changed_since_is_made_again(annotated: Annotation, genome_file: Path, tmp_path: Path) -> None:
    damaged = copied(annotated, genome_file, tmp_path / "copied")
    assert damaged.outputs.proteins is not None
    damaged.outputs.proteins.write_text(">a\nM\n")
    run.annotate(damaged, never, None, "cpu", Silent())
    assert content(damaged) == content(annotated)


@pytest.mark.full
def test_an_annotation_that_was_killed_resumes_and_ends_in_the_same_bytes(
    annotated: Annotation, genome_file: Path, tmp_path: Path, ray_session: Any
) -> None:
    again = job(genome_file, tmp_path)
    script = (
        "import os, sys, ray\n"
        "from contextlib import nullcontext\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from pipelines.progress import Silent\n"
        "from tests.training.annotate import test_run as t\n"
        "t.tiles.TASK_BASES, t.decode_tasks.GROUP_BASES = t.TASK_BASES, t.GROUP_BASES\n"
        "ray.init(address='local', num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level='ERROR')\n"
        "job = t.job(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "job = replace(job, scorer=t.KnownGenes.of([*t.GENES, t.CUT], 0.1))\n"
        "t.run.annotate(job, nullcontext, 1, 'cpu', Silent())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(genome_file), str(tmp_path)], env=dict(os.environ))
    deadline = time.monotonic() + 120
    while len(list(again.scores_folder.glob("*.arrow"))) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    scored = len(list(again.scores_folder.glob("*.arrow")))
    assert 0 < scored < len(again.plan)
    progress = Silent()
    run.annotate(again, ray_session, 2, "cpu", progress)
    assert any(f"{scored} of " in note and "scored before" in note for note in progress.notes)
    assert content(again) == content(annotated)


def test_a_genome_without_a_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.fa"
    path.write_text(">a\n\n>b\n")
    with pytest.raises(InputError, match="every sequence is empty"):
        run.open_genome(path, Silent())


def test_sequences_without_a_base_are_counted_and_named(tmp_path: Path) -> None:
    path, progress = tmp_path / "g.fa", Silent()
    path.write_text(">a\n\n>b\nACGT\n>c\n")
    run.open_genome(path, progress)
    assert [note for note in progress.notes if "2 sequences have no base and can have no gene: a, c" in note]


def test_a_genome_of_letters_that_are_unknown_to_the_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.fa"
    path.write_text(f">a\n{'ARGT' * 1000}\n")
    with pytest.raises(InputError, match="of its tokens are <unk>"):
        run.annotate(job(path, tmp_path), never, None, "cpu", Silent())


def test_more_workers_than_the_cluster_has_resources_for_are_refused(
    genome_file: Path, tmp_path: Path, ray_session: Any
) -> None:
    with pytest.raises(ResourceError, match=r"--workers 9: each needs a CPU, but the cluster has 2 CPUs"):
        run.annotate(job(genome_file, tmp_path), ray_session, 9, "cpu", Silent())
