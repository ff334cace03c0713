from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.genome.fasta import Genome, open_genome
from pipelines.genome.fasta import cache as fasta_cache
from pipelines.genome.fasta.cache import Entry
from pipelines.progress import Progress, Silent

TEXT = ">a\nACGTNNNNNNNNNNNNAC\n>b\nGGGG\n"


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(params=["plain", "gzip"])
def fasta(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.fa"
    path.write_bytes(TEXT.encode() if request.param == "plain" else gzip.compress(TEXT.encode()))
    return path


def opened(path: Path, progress: Progress | None = None) -> Genome:
    return open_genome("toy", path, progress or Silent())


def require_right(genome: Genome) -> None:
    assert genome.lengths == {"a": 18, "b": 4}
    assert genome.sequence("a", 0, 18).tobytes() == b"ACGTNNNNNNNNNNNNAC"
    assert genome.runs_of_n("a", 10).tolist() == [[4, 16]]
    assert genome.runs_of_n("b", 1).tolist() == []


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def edit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [remove, truncate, empty, edit])
@pytest.mark.parametrize("part", ["index", "runs_of_n", "record", "plain"])
def test_a_damaged_part_of_the_cache_is_made_anew_with_a_note(
    fasta: Path, part: str, damage: Callable[[Path], None]
) -> None:
    path: Path = getattr(Entry(opened(fasta).content), part)
    if not path.exists():
        pytest.skip("a plain file has no copy")
    damage(path)
    progress = Noted()
    require_right(opened(fasta, progress))
    if part != "record" or damage is not remove:
        assert progress.notes[0] == f"toy: {path}: damaged or missing; it is made anew"
    progress = Noted()
    require_right(opened(fasta, progress))
    assert not progress.notes


def test_a_damaged_part_is_made_anew_by_a_process_that_was_sent_the_genome(fasta: Path) -> None:
    genome = opened(fasta)
    sent = pickle.dumps(genome)
    edit(Entry(genome.content).index)
    require_right(pickle.loads(sent))


def test_an_index_of_another_genome_is_not_used(fasta: Path, tmp_path: Path) -> None:
    entry = Entry(opened(fasta).content)
    other = tmp_path / "b.fa"
    other.write_text(">b\nGG\n")
    other_entry = Entry(opened(other).content)
    for part in ("index", "runs_of_n", "record"):
        getattr(entry, part).write_bytes(getattr(other_entry, part).read_bytes())
    require_right(opened(fasta))


@pytest.mark.parametrize(
    "record", ["[]", "{}", "null", '{"plain": 1, "index": [], "runs_of_n": {}, "digest": ""}', "x"]
)
def test_a_record_of_another_form_is_made_anew(fasta: Path, record: str) -> None:
    Entry(opened(fasta).content).record.write_text(record)
    require_right(opened(fasta))


def test_parts_without_a_record_as_earlier_versions_left_them_are_made_anew(fasta: Path) -> None:
    entry = Entry(opened(fasta).content)
    entry.record.unlink()
    entry.index.write_text("a\t4\t3\t4\t5\n")
    require_right(opened(fasta))


def test_a_part_that_is_damaged_while_the_genome_is_open_is_an_error(fasta: Path) -> None:
    genome = opened(fasta)
    entry = Entry(genome.content)
    edit(entry.runs_of_n)
    with pytest.raises(InputError, match=r"n\.npy: changed while it was read"):
        genome.runs_of_n("a", 10)
    if entry.plain.exists():
        edit(entry.plain)
        with pytest.raises(InputError, match=r"\.fa: changed while it was read"):
            genome.sequence("a", 0, 4)


def test_a_compressed_file_that_changes_while_it_is_unpacked_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    make = fasta_cache._unpack

    def edit_first(*arguments: object) -> object:
        path.write_bytes(gzip.compress(TEXT.replace("G", "C").encode()))
        return make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fasta_cache, "_unpack", edit_first)
    with pytest.raises(InputError, match=r"a\.fa\.gz: changed while it was read"):
        opened(path)
    assert not list((tmp_path / "cache" / "genomes").iterdir())
