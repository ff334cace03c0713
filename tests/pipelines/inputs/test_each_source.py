from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
from pipelines.gene_models import annotated_genome
from pipelines.genome.source import Source, read_source
from pipelines.inputs import each_source
from pipelines.progress import Silent
from pipelines.structure.label import SELECTION
from tests.conftest import make_genome

READ = partial(read_source, negatives=NegativesConfig())


def content(source: Source) -> dict[str, Any]:
    """A source as values that can be compared."""
    values = vars(source) | {"genes": {name: [*genes] for name, genes in source.genes.items()}}
    intervals = {name: {key: own.tolist() for key, own in values[name].items()} for name in ("excluded", "others")}
    return values | intervals | {"genome": (source.genome.name, source.genome.lengths)}


def mapped_here(function: Callable[[Any], Any], items: Sequence[Any], processes: int) -> Iterator[Any]:
    """Stands for processes: results are pickled all the same."""
    for item in items:
        yield pickle.loads(pickle.dumps(function(item)))


def sources(folder: Path, count: int) -> list[SourceConfig]:
    made = [make_genome(folder / str(number), seed=number) for number in range(count)]
    return [SourceConfig(**genome.source(f"genome{number}")) for number, genome in enumerate(made)]


@pytest.mark.full
def test_several_processes_give_the_sources_and_reports_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs, alone, together = sources(tmp_path, 3), Silent(), Silent()
    expected = [content(source) for source in each_source.read_each(READ, configs, alone)]
    monkeypatch.setattr(each_source, "LARGE_BYTES", 1)
    read = [content(source) for source in each_source.read_each(READ, configs, together, 2)]
    assert read == expected
    assert alone.notes
    assert (together.notes, together.warnings) == (alone.notes, alone.warnings)


def test_the_first_error_follows_the_reports_of_the_sources_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs, progress = sources(tmp_path, 3), Silent()
    for config in configs[1:]:
        Path(str(config.annotation)).write_text("no\tannotation\n")
    monkeypatch.setattr(each_source, "LARGE_BYTES", 1)
    monkeypatch.setattr(each_source, "map_in_children", mapped_here)
    read = each_source.read_each(READ, configs, progress, 2)
    assert next(read).genome.name == "genome0"
    with pytest.raises(InputError, match=f"^{configs[1].annotation}: line 1: 2 columns"):
        next(read)
    assert [note.split(":")[0] for note in progress.notes] == ["genome0"]


def test_sources_of_other_processes_are_those_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = sources(tmp_path, 2)
    expected = [content(source) for source in each_source.read_each(READ, configs, Silent())]
    monkeypatch.setattr(each_source, "LARGE_BYTES", 1)
    monkeypatch.setattr(each_source, "map_in_children", mapped_here)
    assert [content(source) for source in each_source.read_each(READ, configs, Silent(), 2)] == expected


def test_small_files_are_read_by_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(each_source, "map_in_children")
    assert len([*each_source.read_each(READ, sources(tmp_path, 2), Silent(), 2)]) == 2


@pytest.mark.parametrize("read", [READ, partial(annotated_genome.read, selection=SELECTION)])
def test_what_reads_a_genome_can_be_sent_to_a_process(read: Any) -> None:
    assert pickle.loads(pickle.dumps(read)).func is read.func
