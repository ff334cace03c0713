"""Keys of an experiment that were renamed: the old name is an error that gives the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.experiment import Experiment, load
from pipelines.config import Section
from pipelines.errors import UsageError

RENAMED = {
    "model": {"place": "absolute_positions"},
    "training": {"batch": "global_batch_size", "clip": "max_grad_norm"},
    "tuning": {
        "trials": "configurations",
        "grace": "grace_period",
        "reduction": "reduction_factor",
        "seconds": "time_budget_s",
        "plateau": "patience",
    },
    "embedding": {
        "opposite": "opposite_strand_weight",
        "shared": "shared_bases_share",
        "mirrored": "reverse_complement_share",
    },
}
VALUES = {"sources", "task", "classes"}
"""What of an experiment is no section."""
PAIRS = [(section, old, new) for section, keys in RENAMED.items() for old, new in keys.items()]


def section_class(name: str) -> type[Section]:
    section = Experiment.model_fields[name].annotation
    assert isinstance(section, type)
    assert issubclass(section, Section)
    return section


@pytest.mark.parametrize(("section", "old", "new"), PAIRS)
def test_a_renamed_key_in_the_yaml_is_one_line_that_gives_the_new_name(
    tmp_path: Path, section: str, old: str, new: str
) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(f"{section}: {{{old}: 1}}\n")
    with pytest.raises(UsageError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}: {section}.{old}: renamed: write {section}.{new}"
    assert (caught.value.code, caught.value.key) == ("renamed-key", f"{section}.{old}")


@pytest.mark.parametrize(("section", "old", "new"), PAIRS)
def test_the_new_name_of_a_renamed_key_is_a_key_and_the_old_one_is_none(section: str, old: str, new: str) -> None:
    fields = section_class(section).model_fields
    assert new in fields
    assert old not in fields


@pytest.mark.parametrize("name", RENAMED)
def test_values_of_a_section_survive_a_round_trip_through_its_first_names(name: str) -> None:
    section = section_class(name)
    values = section().model_dump(mode="json")
    first = section.with_first_names(values)
    assert set(RENAMED[name]) <= set(first)
    assert section.with_current_names(first) == values
    assert section.model_validate(section.with_current_names(first)) == section()


def test_every_renamed_key_is_listed_here() -> None:
    listed = {name: dict(section_class(name).RENAMED) for name in Experiment.model_fields if name not in VALUES}
    assert {name: keys for name, keys in listed.items() if keys} == RENAMED
