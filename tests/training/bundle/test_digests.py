from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import fingerprint
from pipelines.errors import BundleError
from training.bundle import digests
from training.bundle.migrations import NEWEST, WITH_TASK

NAMES = ["model.safetensors", "tokenizer.json"]
CONFIG: dict[str, Any] = {
    "model": {"kind": "lstm"},
    "threshold": 0.51324952,
    "tokenizer": {"fingerprint": "ab12", "k": 3},
    "dataset": {"fingerprint": "cd34", "config": {"crop": {"length": None}}},
    "genomes": ["R64"],
    "metrics": {"epoch": 1, "learning_rate": 3.1e-05, "none": None},
}
FILES = {name: digests.entry_of_bytes(name.encode()) for name in NAMES}


def content(**changed: Any) -> bytes:
    return digests.text(digests.with_digests(CONFIG | changed, FILES)).encode()


def refusal(content_bytes: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        digests.read(content_bytes, "config.json", NAMES)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(**changed: Any) -> bytes:
    """Other values under a digest that fits them."""
    document = json.loads(content()) | changed
    document.pop("digest")
    return json.dumps(document | {"digest": fingerprint.of_value(document)}).encode()


def test_a_written_configuration_is_read_back_without_its_digests() -> None:
    stored = digests.read(content(), "config.json", NAMES)
    assert stored.config == CONFIG | {"format": "raygene-bundle", "format_version": NEWEST}
    assert stored.files == FILES
    assert stored.digest == digests.with_digests(CONFIG, FILES)["digest"]


def test_every_flipped_bit_is_refused_or_changes_no_value() -> None:
    original = content()
    expected = digests.read(original, "config.json", NAMES)
    accepted = []
    for at in range(len(original) * 8):
        flipped = bytearray(original)
        flipped[at // 8] ^= 1 << at % 8
        try:
            accepted.append(digests.read(bytes(flipped), "config.json", NAMES))
        except BundleError:
            continue
    # 3.1e-05 may become 3.1E-05.
    assert accepted in ([], [expected])


def test_other_white_space_and_order_are_no_change() -> None:
    reordered = json.dumps(dict(reversed(json.loads(content()).items()))).encode()
    assert digests.read(reordered, "config.json", NAMES) == digests.read(content(), "config.json", NAMES)


@pytest.mark.parametrize(
    ("content_bytes", "message"),
    [
        (b"", "cannot be read"),
        (b"\x80\x04\x95", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"format": 1, "format": 2}', "a key occurs twice"),
        (b"[]", "not the configuration of a raygene bundle"),
        (b'{"format": "other"}', "not the configuration of a raygene bundle: name a directory RUN/bundle"),
        (
            rewritten(format_version=WITH_TASK + 1),
            f"bundle format {WITH_TASK + 1} is newer than the known {WITH_TASK}: update raygene",
        ),
        (rewritten(format_version="2"), "format_version '2' is not a version"),
        (rewritten(format_version=True), "format_version True is not a version"),
        (rewritten(format_version=0), "format_version 0 is not a version"),
        (rewritten(tokenizer={}), "tokenizer.fingerprint: missing"),
        (rewritten(threshold="high"), "threshold: not a number"),
        (rewritten(threshold=float("nan")), "threshold: not a number"),
        (rewritten(files={}), "files: not SHA-256 and bytes of model.safetensors and tokenizer.json"),
        (rewritten(files=FILES | {"../../x": FILES["tokenizer.json"]}), "files: not SHA-256"),
        (rewritten(files=dict.fromkeys(NAMES, 1)), "files: not SHA-256"),
        (rewritten(files=None), "files: not SHA-256"),
    ],
)
def test_bytes_that_are_not_a_configuration_are_refused(content_bytes: bytes, message: str) -> None:
    assert message in refusal(content_bytes)


@pytest.mark.parametrize("key", ["model", "threshold", "tokenizer", "dataset", "genomes", "metrics"])
def test_a_missing_key_is_named(key: str) -> None:
    incomplete = {name: value for name, value in CONFIG.items() if name != key}
    assert f"config.json: {key}: missing" in refusal(digests.text(digests.with_digests(incomplete, FILES)).encode())


def test_a_changed_value_is_refused() -> None:
    assert "changed since it was written" in refusal(content().replace(b"R64", b"R65"))


def test_an_older_version_number_does_not_lift_the_check_of_the_digest() -> None:
    downgraded = json.loads(content()) | {"format_version": 1}
    assert "changed since it was written" in refusal(json.dumps(downgraded).encode())


def test_a_configuration_of_many_megabytes_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "LARGEST", 100)
    assert "config.json: larger than 100 bytes: " in refusal(content())


def test_files_are_compared_with_their_size_and_bytes(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
    digests.check(tmp_path, FILES, "bundle")
    (tmp_path / "model.safetensors").write_bytes(b"Model.safetensors")
    with pytest.raises(
        BundleError, match=r"bundle/model.safetensors: its 17 bytes are not the 17 that config.json names"
    ):
        digests.check(tmp_path, FILES, "bundle")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"bundle/model.safetensors: cannot be read"):
        digests.check(tmp_path, FILES, "bundle")
