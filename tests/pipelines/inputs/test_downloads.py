"""Input files at addresses: on a real web server, and in fsspec's memory."""

from __future__ import annotations

import math
import os
import pickle
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from pipelines.build import pipeline
from pipelines.config import DatasetConfig, SourceConfig, TokenizerConfig, validate
from pipelines.errors import InputError, RaygeneError
from pipelines.genome import fasta
from pipelines.inputs import contents, downloads
from pipelines.progress import Silent
from pipelines.stores import copy_names
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import make_genome


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, for a process that has read no address."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    downloads._copies.clear()
    yield tmp_path / "cache" / "downloads"
    downloads._copies.clear()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def web(served: Path) -> Iterator[str]:
    """The address of a web server over the folder `served`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def in_next_process(address: str) -> tuple[Path, list[str]]:
    """The copy that a new process makes or finds, and what it says."""
    downloads._copies.clear()
    notes: list[str] = []
    return downloads.local(address, notes.append), notes


def test_a_local_path_is_itself(tmp_path: Path) -> None:
    assert downloads.local(tmp_path / "a.fa") == tmp_path / "a.fa"
    assert downloads.local("a.fa") == Path("a.fa")
    assert downloads.local(f"file://{tmp_path}/a.fa") == tmp_path / "a.fa"
    assert downloads.origin_of(tmp_path / "a.fa") is None


def test_a_file_is_copied_once_under_its_name(web: str, served: Path) -> None:
    (served / "a.fa.gz").write_bytes(b"letters")
    copy, notes = in_next_process(f"{web}/a.fa.gz?token=x")
    assert (copy.name, copy.read_bytes()) == ("a.fa.gz", b"letters")
    assert len(notes) == 1
    assert notes[0].startswith(f"downloading {web}/a.fa.gz once into ")
    assert in_next_process(f"{web}/a.fa.gz?token=x") == (copy, [])


def test_a_changed_file_is_copied_again_and_the_old_copy_removed(web: str, served: Path) -> None:
    (served / "a.fa").write_bytes(b"old letters")
    first, _ = in_next_process(f"{web}/a.fa")
    (served / "a.fa").write_bytes(b"new letters")
    os.utime(served / "a.fa", (1, 1))
    second, notes = in_next_process(f"{web}/a.fa")
    assert second.read_bytes() == b"new letters"
    assert len(notes) == 1
    assert not first.exists()


def test_within_a_process_an_address_stands_for_one_copy(web: str, served: Path) -> None:
    (served / "a.fa").write_bytes(b"old letters")
    first = downloads.local(f"{web}/a.fa")
    (served / "a.fa").write_bytes(b"new letters")
    os.utime(served / "a.fa", (1, 1))
    assert downloads.local(f"{web}/a.fa") == first
    assert first.read_bytes() == b"old letters"


def test_a_damaged_copy_is_made_anew(web: str, served: Path) -> None:
    (served / "a.fa").write_bytes(b"letters")
    copy, _ = in_next_process(f"{web}/a.fa")
    copy.write_bytes(b"damaged")
    again, notes = in_next_process(f"{web}/a.fa")
    assert again.read_bytes() == b"letters"
    assert len(notes) == 1


def test_nothing_there_is_one_line_that_names_the_address(web: str) -> None:
    with pytest.raises(InputError, match=f"^{web}/none.fa: no such file: correct the address$"):
        downloads.local(f"{web}/none.fa?signature=secret")


@pytest.mark.parametrize("address", ["s3://bucket", "https://host/"])
def test_an_address_of_no_file_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="names no file"):
        downloads.local(address)


def another_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker on another node has: no copy, and another cache."""
    downloads._copies.clear()
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "other"))


def test_another_node_makes_its_own_copy_of_a_genome(
    web: str, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (served / "a.fa").write_text(">one\nACGTTACG\n")
    genome = fasta.open_genome("a", downloads.local(f"{web}/a.fa"), Silent())
    sent = pickle.dumps(genome)
    genome.fasta.unlink()
    another_node(tmp_path, monkeypatch)
    assert pickle.loads(sent).sequence("one", 2, 6).tobytes() == b"GTTA"
    assert list((tmp_path / "other" / "downloads").rglob("a.fa"))


def test_another_node_refuses_a_file_that_changed_meanwhile(
    web: str, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (served / "a.fa").write_text(">one\nACGTTACG\n")
    sent = pickle.dumps(fasta.open_genome("a", downloads.local(f"{web}/a.fa"), Silent()))
    (served / "a.fa").write_text(">one\nACGTTACC\n")
    another_node(tmp_path, monkeypatch)
    with pytest.raises(InputError, match=f"^{web}/a.fa: changed while it was read") as caught:
        pickle.loads(sent).sequence("one", 0, 8)
    assert caught.value.code == "changed"


def test_a_build_from_addresses_is_the_same_as_from_files(web: str, served: Path) -> None:
    made = make_genome(served / "g", bases=20_000)

    def fingerprint(base: str) -> str:
        genome = {
            "genome": "a",
            "fasta": f"{base}/g/{made.fasta.name}",
            "annotation": f"{base}/g/{made.annotation.name}",
        }
        return pipeline.prepare(
            validate(DatasetConfig, {"sources": [genome], "split": {"by": "random"}}, "experiment"), Silent()
        ).fingerprint

    assert fingerprint(web) == fingerprint(str(served))


def test_labelled_sequences_are_read_from_an_address_on_every_node(
    web: str, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.genome.labelled import read_collection

    (served / "rows.fa").write_text(">a\nACGT\n>b\nGGCC\n")
    (served / "labels.tsv").write_text("a\t1\nb\t0\n")
    source = SourceConfig(genome="set", sequences=f"{web}/rows.fa", labels=f"{web}/labels.tsv")
    collection = read_collection(source)
    sent = pickle.dumps(collection)
    another_node(tmp_path, monkeypatch)
    assert pickle.loads(sent).rows() == collection.rows()


def test_a_tokenizer_is_reused_from_a_folder_or_a_file_at_an_address(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_config(TokenizerConfig(k=3, stride=1))
    tokenizer.save(tmp_path)
    fsspec.filesystem("memory").pipe("/set/data/tokenizer.json", (tmp_path / "tokenizer.json").read_bytes())
    for address in ("memory://set/data", "memory://set/data/tokenizer.json"):
        section = TokenizerConfig.model_validate({"from": address})
        assert Tokenizer.from_config(section).fingerprint == tokenizer.fingerprint


def test_copies_that_were_not_used_for_a_day_make_room(
    web: str, served: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "old").mkdir(parents=True)
    (cache / "old" / "genome.fa").write_bytes(bytes(1000))
    os.utime(cache / "old", (0, 0))
    monkeypatch.setenv("RAYGENE_CACHE_GIB", "1e-7")
    (served / "a.fa").write_bytes(b">a")
    monkeypatch.setattr(downloads, "_copied", math.inf)
    assert in_next_process(f"{web}/a.fa")[0].exists()
    assert not (cache / "old").exists()


def test_a_text_names_addresses_in_place_of_copies(web: str, served: Path) -> None:
    (served / "a.fa").write_bytes(b"letters")
    copy = downloads.local(f"{web}/a.fa?token=secret")
    assert copy_names.with_addresses(f"{copy}: damaged") == f"{web}/a.fa: damaged"


def test_the_copy_has_the_hash_that_is_cached_for_it(web: str, served: Path) -> None:
    (served / "a.fa").write_bytes(b"letters")
    copy = downloads.local(f"{web}/a.fa")
    origin = downloads.origin_of(copy)
    assert origin is not None
    assert origin.content == contents.of_file(copy)


def test_a_section_has_copies_in_place_of_addresses_only(web: str, served: Path, tmp_path: Path) -> None:
    (served / "a.fa").write_bytes(b">a\nACGT\n")
    section = SourceConfig(genome="a", fasta=f"{web}/a.fa", annotation=str(tmp_path / "a.gff3"))
    changed = downloads.fetched(section)
    assert Path(str(changed.fasta)).read_bytes() == b">a\nACGT\n"
    assert changed.annotation == section.annotation
    local = section.model_copy(update={"fasta": "a.fa"})
    assert downloads.fetched(local) is local


def test_a_driver_that_is_missing_is_one_line() -> None:
    with pytest.raises(RaygeneError, match="no driver for none://"):
        downloads.local("none://host/a.fa")
