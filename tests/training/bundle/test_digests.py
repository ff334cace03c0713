from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import fingerprint
from pipelines.errors import BundleError
from training.bundle import digests
from training.bundle.digests import NEWEST

NAMES = ["model.safetensors", "tokenizer.json"]
CONFIG: dict[str, Any] = {
    "model": {"kind": "lstm"},
    "threshold": 0.51324952,
    "tokenizer": {"fingerprint": "ab12", "k": 3},
    "dataset": {"fingerprint": "cd34", "config": {"crop": {"length": None}}},
    "genomes": ["R64"],
    "metrics": {"epoch": 1, "learning_rate": 3.1e-05, "none": None},
}
FILES = {name: digests.facts(name.encode()) for name in NAMES}


def content(**changed: Any) -> bytes:
    return digests.text(digests.sealed(CONFIG | changed, FILES)).encode()


def refusal(given: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        digests.read(given, "config.json", NAMES)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(**changed: Any) -> bytes:
    """Other values under a digest that fits them."""
    whole = json.loads(content()) | changed
    whole.pop("digest")
    return json.dumps(whole | {"digest": fingerprint.of_value(whole)}).encode()


def test_what_was_sealed_is_read_back_without_the_seal() -> None:
    opened = digests.read(content(), "config.json", NAMES)
    assert opened.config == CONFIG | {"format": "raygene-bundle", "format_version": NEWEST}
    assert opened.files == FILES
    assert opened.digest == digests.sealed(CONFIG, FILES)["digest"]


def test_every_flipped_bit_is_refused_or_changes_no_value() -> None:
    whole = content()
    expected = digests.read(whole, "config.json", NAMES)
    spared = []
    for at in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        try:
            spared.append(digests.read(bytes(flipped), "config.json", NAMES))
        except BundleError:
            continue
    # 3.1e-05 may become 3.1E-05.
    assert spared in ([], [expected])


def test_other_white_space_and_order_are_no_change() -> None:
    given = json.dumps(dict(reversed(json.loads(content()).items()))).encode()
    assert digests.read(given, "config.json", NAMES) == digests.read(content(), "config.json", NAMES)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "cannot be read"),
        (b"\x80\x04\x95", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"format": 1, "format": 2}', "a key stands there twice"),
        (b"[]", "not the configuration of a raygene bundle"),
        (b'{"format": "other"}', "not the configuration of a raygene bundle: name a directory RUN/bundle"),
        (rewritten(format_version=NEWEST + 1), f"bundle format {NEWEST + 1} is newer than the known {NEWEST}: update raygene"),
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
)  # fmt: skip
def test_what_is_no_configuration_is_refused(given: bytes, told: str) -> None:
    assert told in refusal(given)


@pytest.mark.parametrize("key", ["model", "threshold", "tokenizer", "dataset", "genomes", "metrics"])
def test_a_missing_key_is_named(key: str) -> None:
    whole = {name: value for name, value in CONFIG.items() if name != key}
    assert f"config.json: {key}: missing" in refusal(digests.text(digests.sealed(whole, FILES)).encode())


def test_a_changed_value_is_refused() -> None:
    assert "changed since it was written" in refusal(content().replace(b"R64", b"R65"))


def test_turning_the_version_back_does_not_lift_the_seal() -> None:
    given = json.loads(content()) | {"format_version": 1}
    assert "changed since it was written" in refusal(json.dumps(given).encode())


def test_a_configuration_of_many_megabytes_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "LARGEST", 100)
    assert "too many for a configuration" in refusal(content())


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
