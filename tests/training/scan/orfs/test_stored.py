from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.documents import sealed_json
from pipelines.errors import BundleError, UsageError
from training.scan.orfs import stored
from training.scan.orfs.fit import Fit, IntronCount
from training.scan.orfs.settings import Weights
from training.scan.orfs.splice_sites import SpliceSites, SpliceWeights

FIT = Fit(Weights(1.5, 0.25, 4.0), 800, 0.86, 0.96)
INTRONS = IntronCount(5000, 250)


def config(validation: list[str], train: list[str]) -> dict[str, Any]:
    splits = {"validation": {"names": validation}, "train": {"names": train}, "test": {"names": ["g:c4"]}}
    return {"dataset": {"inputs": [{"genome": "g", "fasta_sha256": "abc"}], "splits": splits}}


def test_weights_are_read_as_they_were_stored_and_named_by_an_address_too(tmp_path: Path) -> None:
    path = stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS)
    expected = stored.StoredFrames(FIT.weights, INTRONS)
    assert stored.read(str(tmp_path), "model") == expected
    assert stored.read(f"file://{tmp_path}", "model") == expected
    assert json.loads(path.read_text())["fitted_on"] == {"sequences": ["I"], "genes": 800}


def test_splice_sites_are_stored_beside_the_weights_and_a_file_without_them_is_of_the_first_format(
    tmp_path: Path,
) -> None:
    donor, acceptor = ((0.5, -1.0, 0.25, 0.0),) * 9, ((0.5, -1.0, 0.25, 0.0),) * 14
    weights = SpliceWeights(-14.0, 1.4, 2.9, -1.4, -0.8)
    splice = SpliceSites(donor, acceptor, {"TACTAAC": 5.3}, -3.2, 4.0, 0.9, (38, 716), 794, 179, weights)
    path = stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS, splice)
    assert stored.read(str(tmp_path), "model") == stored.StoredFrames(FIT.weights, INTRONS, splice)
    assert json.loads(path.read_text())["format_version"] == 2
    document = json.loads(stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS).read_text())
    assert document["format_version"] == 1
    assert "splice" not in document


def test_splice_sites_of_another_form_are_refused(tmp_path: Path) -> None:
    path = stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS)
    document = json.loads(path.read_text()) | {"format_version": 2, "splice": {"donor": 3}}
    del document["digest"]
    path.write_text(json.dumps(sealed_json.sealed(document)))
    with pytest.raises(BundleError, match="not the weights of reading frames"):
        stored.read(str(tmp_path), "model")


def test_a_bundle_without_weights_has_none(tmp_path: Path) -> None:
    assert stored.read(str(tmp_path), "model") is None


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS)
    with pytest.raises(BundleError, match=r"reading_frames.json: belongs to another model .*fit it again"):
        stored.read(str(tmp_path), "other")


@pytest.mark.parametrize(("old", "new"), [("1.5", "2.5"), ("{", "["), ("raygene-reading-frames", "x")])
def test_changed_weights_are_refused(tmp_path: Path, old: str, new: str) -> None:
    path = stored.write(str(tmp_path), "model", FIT, ["I"], INTRONS)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BundleError, match=r"reading_frames.json: (changed|cannot be read)"):
        stored.read(str(tmp_path), "model")


def test_weights_are_not_written_to_an_address() -> None:
    with pytest.raises(UsageError, match=r"--fit-orfs writes into the bundle: copy it"):
        stored.write("s3://bucket/bundle", "model", FIT, ["I"], INTRONS)


def test_weights_are_fitted_on_the_sequences_that_the_model_was_validated_on() -> None:
    assert stored.validation_sequences(config(["g:c1", "other:c9"], ["g:c2"]), "abc", "b") == (["c1"], ["c2"])


@pytest.mark.parametrize(
    ("validation", "content", "reason"),
    [
        (["g:c1"], "xyz", "was not trained on this genome"),
        (["g:c1", "g:c2"], "abc", "does not consist of whole sequences"),
        ([], "abc", "does not consist of whole sequences"),
    ],
)
def test_a_bundle_that_cannot_be_fitted_is_refused(validation: list[str], content: str, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        stored.validation_sequences(config(validation, ["g:c2"]), content, "b")
