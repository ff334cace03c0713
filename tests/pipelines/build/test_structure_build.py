from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.build import structure_build, task_plan, windows
from pipelines.build.structure_build import PreparedStructure
from pipelines.build.write_windows import WriteWindows
from pipelines.config import DatasetConfig
from pipelines.errors import UsageError
from pipelines.genome import sequence
from pipelines.progress import Silent
from pipelines.stores.staging import Staging
from pipelines.structure.rules import LabelRules
from pipelines.tokens import centred
from tests.pipelines.build.gene_genomes import MASKED, GeneGenome, make_gene_genome, structure_config


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> GeneGenome:
    return make_gene_genome(tmp_path_factory.mktemp("genes"))


@dataclass(frozen=True)
class Written:
    """The rows of a split, as the tasks of a build write them."""

    rows: pa.Table
    records: list[dict[str, Any]]

    def states(self) -> np.ndarray:
        return np.concatenate([np.asarray(row, np.uint8) for row in self.rows["states"].to_pylist()])

    def tokens(self) -> np.ndarray:
        return np.concatenate([np.asarray(row) for row in self.rows["tokens"].to_pylist()])


def write(config: DatasetConfig, folder: Path) -> dict[str, Written]:
    """Run the tasks of a build in this process, without Ray."""
    import pyarrow.parquet as pq

    prepared = structure_build.prepare(config, Silent())
    records = list(run(prepared, folder))
    splits = {}
    for split in schema.SPLITS:
        paths = sorted((folder / f"split={split}").glob("*.parquet"))
        if paths:
            splits[split] = Written(pa.concat_tables([pq.ParquetFile(path).read() for path in paths]), records)
    return splits


def run(prepared: PreparedStructure, folder: Path) -> Iterator[dict[str, Any]]:
    config = prepared.config
    mapper = WriteWindows(
        {genome.name: genome.genome for genome in prepared.genomes},
        {source.genome: LabelRules(genetic_code=source.genetic_code) for source in config.sources},
        prepared.tokenizer,
        config.window.length,
        Staging(folder),
    )
    for table in windows.tasks(prepared.genomes, prepared.stretches, config.window.length):
        yield from map(json.loads, mapper(table)["record"].to_pylist())


def test_every_base_has_the_state_that_its_genes_give_it(genes: GeneGenome, tmp_path: Path) -> None:
    written = write(structure_config(genes), tmp_path / "out")
    for split, chromosome in (("train", "chr1"), ("validation", "chr2"), ("test", "chr3")):
        assert written[split].states().tolist() == genes.states(chromosome).tolist()


def test_tokens_are_those_of_the_whole_stretch(genes: GeneGenome, tmp_path: Path) -> None:
    config = structure_config(genes)
    written = write(config, tmp_path / "out")
    letters = np.frombuffer(genes.sequences["chr1"].encode(), np.uint8)
    tokenizer = structure_build.prepare(config, Silent()).tokenizer
    assert written["train"].tokens().tolist() == centred.encode(tokenizer, sequence.base_codes(letters)).tolist()


def test_windows_lie_side_by_side_and_are_numbered_in_order(genes: GeneGenome, tmp_path: Path) -> None:
    written = write(structure_config(genes, window={"length": 700}), tmp_path / "out")
    ids = []
    for split, chromosome in (("train", "chr1"), ("validation", "chr2"), ("test", "chr3")):
        rows = written[split].rows
        starts, ends = rows["start"].to_pylist(), rows["end"].to_pylist()
        assert starts == list(range(0, 6_000, 700))
        assert ends == [*starts[1:], len(genes.sequences[chromosome])]
        ids += rows["interval_id"].to_pylist()
        assert rows["token_count"].to_pylist() == [end - start for start, end in zip(starts, ends, strict=True)]
        assert set(rows["source"].to_pylist()) == {"window"}
    assert ids == list(range(len(ids)))


def test_a_window_with_a_coding_base_is_labelled_as_such(genes: GeneGenome, tmp_path: Path) -> None:
    rows = write(structure_config(genes, window={"length": 120}), tmp_path / "out")["train"].rows
    is_coding = [any(2 <= byte & 15 <= 4 or 2 <= byte >> 4 <= 4 for byte in row) for row in rows["states"].to_pylist()]
    assert [bool(label) for label in rows["label"].to_pylist()] == is_coding
    assert set(is_coding) == {True, False}


@pytest.mark.parametrize("bases", [500, 1_300, 10_000])
def test_rows_do_not_depend_on_where_tasks_are_cut(
    bases: int, genes: GeneGenome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exclude = tmp_path / "exclude.bed"
    exclude.write_text("chr1\t400\t3001\nchr1\t3800\t3900\nchr1\t5200\t5210\n")
    config = structure_config(sources=[genes.source() | {"exclude": str(exclude)}])
    whole = write(config, tmp_path / "whole")
    monkeypatch.setattr(task_plan, "TASK_BASES", bases)
    monkeypatch.setattr(task_plan, "MAX_TASK_BASES", bases)
    cut = write(config, tmp_path / "cut")
    assert {split: one.rows for split, one in cut.items()} == {split: one.rows for split, one in whole.items()}
    totals = []
    for written in (whole, cut):
        total: dict[str, int] = {}
        for record in written["train"].records:
            for split, summary in record["structure"].items():
                for kind, counts in summary.items():
                    for name, count in counts.items():
                        key = f"{split} {kind} {name}"
                        total[key] = total.get(key, 0) + count
        totals.append(total)
    assert totals[0] == totals[1]


def in_two(genes: GeneGenome, border: int) -> dict[str, Any]:
    """A split of chr1 at a base; chr2 is validation."""
    return {"by": "region", "validation": ["chr2"], "test": [f"chr1:{border + 1}-"]}


def test_a_gene_across_a_border_is_masked_on_both_sides(genes: GeneGenome, tmp_path: Path) -> None:
    gene = next(gene for gene in genes.genes if gene.chromosome == "chr1" and gene.start > 2_000)
    border = (gene.start + gene.end) // 2
    written = write(structure_config(genes, split=in_two(genes, border)), tmp_path / "out")
    expected = genes.states("chr1", masked=(gene.name,))
    assert written["train"].states()[:border].tolist() == expected[:border].tolist()
    assert written["test"].states().tolist() == expected[border:].tolist()
    assert written["train"].tokens()[border - 1] == written["test"].tokens()[0] == 1


def test_no_row_of_train_depends_on_a_base_of_test(genes: GeneGenome, tmp_path: Path) -> None:
    gene = next(gene for gene in genes.genes if gene.chromosome == "chr1" and gene.start > 2_000)
    border = (gene.start + gene.end) // 2
    text = genes.sequences["chr1"]
    # Stop codons in every frame of both strands, from the first base of test on.
    other = text[:border] + ("TAACTAACTAATTAGTTAGTTAG" * len(text))[: len(text) - border]
    mutated = GeneGenome(
        tmp_path / "mutated" / "genome.fa", tmp_path / "mutated" / "genes.gff3", genes.sequences | {"chr1": other}
    )
    mutated.genes = genes.genes
    mutated.write()
    rows = [
        write(structure_config(one, split=in_two(genes, border)), tmp_path / name)["train"].rows
        for name, one in (("before", genes), ("after", mutated))
    ]
    assert rows[0] == rows[1]


def test_several_genomes_follow_each_other(genes: GeneGenome, tmp_path: Path) -> None:
    second = make_gene_genome(tmp_path / "second", seed=5)
    written = write(structure_config(genes, second), tmp_path / "out")
    expected = np.concatenate([genes.states("chr1"), second.states("chr1")])
    assert written["train"].states().tolist() == expected.tolist()
    assert written["train"].rows["genome"].to_pylist() == ["g0"] * 12 + ["g1"] * 12


def test_an_alias_names_a_sequence_of_the_annotation(genes: GeneGenome, tmp_path: Path) -> None:
    annotation, aliases = tmp_path / "genes.gff3", tmp_path / "aliases.txt"
    annotation.write_text(genes.annotation.read_text().replace("chr", "NC_"))
    aliases.write_text("".join(f"NC_{number}\tchr{number}\n" for number in (1, 2, 3)))
    source = genes.source() | {"annotation": str(annotation), "aliases": str(aliases)}
    written = write(structure_config(genes, sources=[source]), tmp_path / "out")
    assert written["train"].states().tolist() == genes.states("chr1").tolist()


def test_excluded_intervals_are_masked_on_both_strands_and_counted(genes: GeneGenome, tmp_path: Path) -> None:
    first = next(gene for gene in genes.genes if gene.chromosome == "chr1")
    parts = [(first.start - 20, first.end + 20), (3_000, 4_000), (3_500, 4_321), (5_990, 9_999)]
    exclude, aliases = tmp_path / "exclude.bed", tmp_path / "names.tsv"
    exclude.write_text("".join(f"one\t{start}\t{end}\n" for start, end in parts) + "chr2\t5\t5\nelsewhere\t1\t2\n")
    aliases.write_text("one\tchr1\n")
    config = structure_config(sources=[genes.source() | {"exclude": str(exclude), "aliases": str(aliases)}])
    progress = Silent()
    prepared = structure_build.prepare(config, progress)
    written = write(config, tmp_path / "out")
    expected = genes.states("chr1")
    for start, end in parts:
        expected[start:end] = MASKED | MASKED << 4
    assert written["train"].states().tolist() == expected.tolist()
    assert written["validation"].states().tolist() == genes.states("chr2").tolist()
    bases = first.end - first.start + 40 + 1_321 + 10
    (summary,) = (one["structure"]["train"] for one in written["train"].records if "train" in one["structure"])
    assert summary["masked"]["excluded"] == 2 * bases
    whole = [gene for gene in genes.genes if gene.chromosome == "chr1" and gene.start >= 3_000 and gene.end <= 4_321]
    assert summary["genes"]["excluded"] == 1 + len(whole)
    assert f"toy: {bases:,} of 18,000 bases are excluded by {exclude}" in progress.notes
    assert f"toy: 1 row of {exclude} is on sequences that are not used" in progress.warnings
    assert set(prepared.genomes[0].contents) == {"fasta", "annotation", "aliases", "exclude"}


def test_an_unknown_genetic_code_is_refused(genes: GeneGenome) -> None:
    source = genes.source() | {"genetic_code": 7}
    with pytest.raises(UsageError, match=r"sources\.0\.genetic_code: genetic code 7: not a table of NCBI") as caught:
        structure_build.prepare(structure_config(genes, sources=[source]), Silent())
    assert caught.value.key == "sources.0.genetic_code"


def test_a_reused_tokenizer_that_gives_bases_no_token_is_refused(genes: GeneGenome, tmp_path: Path) -> None:
    from pipelines.tokens.tokenizer import Tokenizer

    Tokenizer(6, 3, "anchor").save(tmp_path)
    config = structure_config(genes, tokenizer={"from": str(tmp_path)})
    with pytest.raises(UsageError, match=r"tokenizer\.from: .*: stride 3"):
        structure_build.prepare(config, Silent())


def test_names_and_order_do_not_change_the_fingerprint_but_labels_do(genes: GeneGenome) -> None:
    def fingerprint(**sections: Any) -> str:
        return structure_build.prepare(structure_config(genes, **sections), Silent()).fingerprint

    prints = [
        fingerprint(),
        fingerprint(window={"length": 600}),
        fingerprint(labels={"utr": "keep"}),
        fingerprint(sources=[genes.source("g0") | {"genetic_code": 4}]),
        fingerprint(tokenizer={"k": 5, "stride": 1}),
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint() == prints[0]
