from __future__ import annotations

from pathlib import Path

from cluster import gene_calls
from cluster.terminal import Terminal


def test_genes_without_a_row_and_names_as_written_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.gtf"
    rows = [("chr%2C1", 1, 9, "a"), ("chr%2C1", 21, 30, "a"), ("b%2C2", 1, 9, "b")]
    path.write_text(
        "".join(f'{name}\tx\texon\t{start}\t{end}\t.\t+\t.\tgene_id "{gene}"\n' for name, start, end, gene in rows)
    )
    genes = gene_calls.read(path, ["gene"], {"chr%2C1": 99, "b,2": 99}, Terminal())
    assert [(gene.chromosome, gene.start, gene.end) for gene in genes] == [("chr%2C1", 0, 30), ("b,2", 0, 9)]


def test_all_of_a_hundred_thousand_sequences_can_be_named() -> None:
    lengths = {f"s{number}": 9 for number in range(100_000)}
    assert gene_calls.compared(lengths, list(lengths), Path("g.fa")) == lengths
    assert gene_calls.compared(lengths, ["s7"], Path("g.fa")) == {"s7": 9}
    assert gene_calls.compared(lengths, None, Path("g.fa")) == lengths
