from __future__ import annotations

import sys

import pytest
import ray
from ray._private.utils import check_version_info

from cluster.doctor.version_mismatch import version_difference


@pytest.mark.parametrize(("ray_version", "python"), [("2.40.0", None), (None, "3.10.2")])
def test_rays_own_refusal_of_another_version_becomes_one_line(ray_version: str | None, python: str | None) -> None:
    own_python = ".".join(map(str, sys.version_info[:3]))
    metadata = {
        "ray_version": ray_version or ray.__version__,
        "python_version": python or own_python,
        "ray_commit": "x",
    }
    with pytest.raises(RuntimeError) as refused:
        check_version_info(metadata, "10.0.0.1")
    assert version_difference(str(refused.value)) == (
        f"the cluster has Ray {metadata['ray_version']} with Python {metadata['python_version']}, "
        f"this process Ray {ray.__version__} with Python {own_python}"
    )


def test_another_error_is_no_version_difference() -> None:
    assert version_difference("Failed to connect to GCS") is None


def test_a_refusal_in_other_words_is_still_recognised() -> None:
    assert (
        version_difference("Version mismatch: sorry")
        == "the cluster has another version of Ray or Python than this process"
    )
