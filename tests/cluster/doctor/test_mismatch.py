from __future__ import annotations

import sys

import pytest
import ray
from ray._private.utils import check_version_info

from cluster.doctor.mismatch import told


@pytest.mark.parametrize(("theirs", "python"), [("2.40.0", None), (None, "3.10.2")])
def test_rays_own_refusal_of_another_version_becomes_one_line(theirs: str | None, python: str | None) -> None:
    here = ".".join(map(str, sys.version_info[:3]))
    metadata = {"ray_version": theirs or ray.__version__, "python_version": python or here, "ray_commit": "x"}
    with pytest.raises(RuntimeError) as refused:
        check_version_info(metadata, "10.0.0.1")
    assert told(str(refused.value)) == (
        f"the cluster has Ray {metadata['ray_version']} with Python {metadata['python_version']}, "
        f"this process Ray {ray.__version__} with Python {here}"
    )


def test_another_error_is_none() -> None:
    assert told("Failed to connect to GCS") is None


def test_a_refusal_in_other_words_is_recognised_still() -> None:
    assert told("Version mismatch: sorry") == "the cluster has another version of Ray or Python than this process"
