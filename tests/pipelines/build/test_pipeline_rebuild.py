from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.build.pipeline import build
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.errors import DatasetError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles, make_genome
from tests.pipelines.build.builds import bytes_of, connects_never, dataset_config, files_of

pytestmark = pytest.mark.ray


def test_a_second_build_touches_no_file_and_needs_no_ray(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    build(dataset_config(genome), tmp_path / "out", ray_session, Silent())
    before = files_of(tmp_path / "out")
    build(dataset_config(genome), tmp_path / "out", connects_never, Silent())
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize(
    "sections", [{}, {"split": {"by": "family", "test": 0.2}}, {"tokenizer": {"k": 3, "vocabulary": "observed"}}]
)
def test_this_process_alone_writes_the_bytes_of_workers(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, sections: dict[str, Any]
) -> None:
    config = dataset_config(genome, **sections)
    build(config, tmp_path / "ray", ray_session, Silent())
    build(config, tmp_path / "alone", connects_never, Silent(), needs_ray=lambda prepared: False)
    assert bytes_of(tmp_path / "alone") == bytes_of(tmp_path / "ray")


def test_moved_inputs_rebuild_nothing_but_another_k_does(tmp_path: Path, ray_session: Any) -> None:
    first, second = make_genome(tmp_path / "a"), make_genome(tmp_path / "b")
    first_manifest = build(dataset_config(first), tmp_path / "out", ray_session, Silent())
    assert build(dataset_config(second), tmp_path / "out", connects_never, Silent()) == first_manifest
    second_manifest = build(
        dataset_config(first, tokenizer={"k": 4, "stride": 1}), tmp_path / "out", ray_session, Silent()
    )
    assert second_manifest["fingerprint"] != first_manifest["fingerprint"]
    assert TokenDataset.open(tmp_path / "out", "train").tokenizer.k == 4


@pytest.mark.parametrize(
    "damage", ["lost", "one byte changed", "another tokenizer", "an edited manifest", "half a manifest"]
)
def test_a_damaged_dataset_is_built_again(genome: GenomeFiles, tmp_path: Path, ray_session: Any, damage: str) -> None:
    build(dataset_config(genome), tmp_path / "out", ray_session, Silent())
    before = bytes_of(tmp_path / "out")
    part = next((tmp_path / "out").rglob("*.parquet"))
    if damage == "lost":
        part.unlink()
    elif damage == "one byte changed":
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
    elif damage == "an edited manifest":
        text = (tmp_path / "out" / "manifest.json").read_text()
        (tmp_path / "out" / "manifest.json").write_text(text.replace('"test"', '"train"', 1))
    elif damage == "half a manifest":
        os.truncate(tmp_path / "out" / "manifest.json", 100)
    else:
        Tokenizer(4, 1, "anchor").save(tmp_path / "out")
    progress = Silent()
    build(dataset_config(genome), tmp_path / "out", ray_session, progress)
    assert bytes_of(tmp_path / "out") == before
    assert any("it is built again" in note for note in progress.notes)


@pytest.mark.parametrize("text", ["{", '{"name": "a web application"}'])
def test_a_directory_whose_manifest_is_of_something_else_is_left_alone(
    genome: GenomeFiles, tmp_path: Path, text: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match=r"manifest\.json: "):
        build(dataset_config(genome), tmp_path / "out", connects_never, Silent())
    assert (tmp_path / "out" / "manifest.json").read_text() == text


def test_a_file_among_the_parts_that_is_not_the_datasets_is_not_removed(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    build(dataset_config(genome), tmp_path / "out", ray_session, Silent())
    (tmp_path / "out" / "split=train" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"holds split=train/notes\.txt, which a rebuild would remove"):
        build(dataset_config(genome, tokenizer={"k": 4}), tmp_path / "out", connects_never, Silent())


def test_a_linked_output_stays_a_link(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    (tmp_path / "scratch" / "out").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "scratch" / "out")
    build(dataset_config(genome), tmp_path / "out", ray_session, Silent())
    assert (tmp_path / "out").is_symlink()
    assert read_manifest(tmp_path / "scratch" / "out")
