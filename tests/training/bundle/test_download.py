"""Bundles at addresses: in fsspec's memory, and on a real S3 server if there is one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import fsspec
import pytest

import training
from cluster.cli import main
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.documents import sealed_json
from pipelines.errors import BundleError, DependencyError, UsageError
from tests.training.small_bundle import config_of, small_bundle, with_new_digests
from training.bundle.bundle import Bundle

OLD = Path(__file__).parent / "bundles" / "config-1.json"
ADDRESS = "memory://models/run/bundle"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of bundles in an empty cache."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


@pytest.fixture
def saved(train_split: TokenDataset, tmp_path: Path) -> Path:
    small_bundle(train_split).save(tmp_path / "bundle")
    return tmp_path / "bundle"


def send(saved: Path) -> None:
    """Put the bundle at `ADDRESS`, in memory."""
    memory = fsspec.filesystem("memory")
    if memory.exists("/models"):
        memory.rm("/models", recursive=True)
    for path in saved.iterdir():
        memory.pipe(f"/models/run/bundle/{path.name}", path.read_bytes())


def same(first: Bundle, second: Bundle) -> bool:
    weights = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    return first.fingerprint == second.fingerprint and all(bool((left == right).all()) for left, right in weights)


def test_a_file_address_is_the_directory(saved: Path, cache: Path) -> None:
    assert same(training.load(saved.as_uri()), training.load(saved))
    assert not cache.exists()


def test_a_bundle_at_an_address_is_copied_once_under_its_digest(saved: Path, cache: Path) -> None:
    send(saved)
    assert same(training.load(ADDRESS), training.load(saved))
    (entry,) = cache.iterdir()
    assert entry.name == config_of(saved)["digest"]
    assert sorted(path.name for path in entry.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    fsspec.filesystem("memory").rm("/models/run/bundle/model.safetensors")
    assert same(training.load(ADDRESS), training.load(saved))


def test_another_bundle_at_the_same_address_is_another_entry(saved: Path, cache: Path) -> None:
    send(saved)
    training.load(ADDRESS)
    send(with_new_digests(saved, lambda config: config.update(threshold=0.9)))
    assert training.load(ADDRESS).config["threshold"] == 0.9
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_entry_is_copied_again(saved: Path, cache: Path) -> None:
    send(saved)
    training.load(ADDRESS)
    (entry,) = cache.iterdir()
    (entry / "model.safetensors").write_bytes(b"damaged")
    (entry / "config.json").write_bytes(b"damaged")
    assert same(training.load(ADDRESS), training.load(saved))


def test_a_changed_file_elsewhere_is_refused_by_its_address_and_not_stored(saved: Path, cache: Path) -> None:
    content = bytearray((saved / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (saved / "model.safetensors").write_bytes(content)
    send(saved)
    with pytest.raises(
        BundleError, match=r"memory://models/run/bundle/model.safetensors: not the bytes that config.json"
    ):
        training.load(ADDRESS)
    assert [path.name for entry in cache.iterdir() for path in entry.iterdir()] == []


def test_a_file_larger_than_its_size_is_refused(saved: Path, cache: Path) -> None:
    with (saved / "tokenizer.json").open("a") as stream:
        stream.write(" ")
    send(saved)
    with pytest.raises(BundleError, match=r"memory://models/run/bundle/tokenizer.json: larger than the"):
        training.load(ADDRESS)


def test_a_bundle_of_format_1_is_loaded_and_not_stored(saved: Path, cache: Path) -> None:
    (saved / "config.json").write_text(OLD.read_text())
    send(saved)
    assert same(training.load(ADDRESS), training.load(saved))
    assert not cache.exists()


@pytest.mark.parametrize("content", ["{}", "no JSON"])
def test_an_error_of_a_copied_tokenizer_names_the_address_and_not_the_copy(
    saved: Path, cache: Path, content: str
) -> None:
    (saved / "config.json").write_text(OLD.read_text())
    (saved / "tokenizer.json").write_text(content)
    send(saved)
    with pytest.raises(BundleError, match=r"^memory://models/run/bundle/tokenizer.json: ") as caught:
        training.load(ADDRESS)
    assert str(tempfile.gettempdir()) not in str(caught.value)


def test_where_the_cache_cannot_be_written_the_bundle_is_loaded_all_the_same(saved: Path, cache: Path) -> None:
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file in its place")
    send(saved)
    assert same(training.load(ADDRESS), training.load(saved))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_elsewhere_is_named(saved: Path, cache: Path, name: str) -> None:
    (saved / name).unlink()
    send(saved)
    with pytest.raises(BundleError, match=rf"memory://models/run/bundle: no .*{name}.*: correct the address") as caught:
        training.load(ADDRESS)
    assert "\n" not in str(caught.value)


def test_an_address_without_a_driver_is_an_error_that_says_so() -> None:
    with pytest.raises(DependencyError, match=r"nonsense://host/run: no driver for nonsense://"):
        training.load("nonsense://host/run")


@pytest.mark.parametrize(
    "verb",
    [["evaluate", "--dataset", "x"], ["predict", "--fasta", "x", "--intervals", "y", "--output", "z.tsv"]],
)
def test_the_verbs_take_addresses(verb: list[str], cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb[0], "memory://nowhere/bundle", *verb[1:]]) == 1
    assert "memory://nowhere/bundle: no model bundle there" in capsys.readouterr().err


def upload(saved: Path, key: str) -> str:
    from pyarrow import fs

    system, folder = fs.FileSystem.from_uri(f"s3://models/{key}")
    for path in saved.iterdir():
        with system.open_output_stream(f"{folder}/{path.name}") as stream:
            stream.write(path.read_bytes())
    return f"s3://models/{key}"


@pytest.mark.full
def test_a_bundle_is_loaded_from_s3(s3: str, saved: Path, cache: Path) -> None:
    address = upload(saved, "run/bundle")
    for spelling in (
        address,
        f"{address}/",
        f"{address}?scheme=http&endpoint_override={s3.removeprefix('http://')}",
    ):
        assert same(training.load(spelling), training.load(saved))
    assert len(list(cache.iterdir())) == 1


@pytest.mark.full
def test_a_changed_bundle_on_s3_is_refused(s3: str, saved: Path, cache: Path) -> None:
    (saved / "tokenizer.json").write_text((saved / "tokenizer.json").read_text().replace("\n", "\r"))
    with pytest.raises(BundleError, match=r"s3://models/changed/tokenizer.json: not the bytes"):
        training.load(upload(saved, "changed"))


@pytest.mark.full
@pytest.mark.parametrize("address", ["s3://models/nothing", "s3://no-such-bucket/run"])
def test_a_bundle_that_s3_does_not_have_is_one_line(s3: str, address: str, cache: Path) -> None:
    with pytest.raises(BundleError, match=rf"^{address}: no model bundle there \(no config.json\)") as caught:
        training.load(address)
    assert "\n" not in str(caught.value)


@pytest.mark.full
def test_an_s3_server_that_does_not_answer_is_one_line(s3: str, cache: Path) -> None:
    with pytest.raises(BundleError, match=r"^s3://models/run: cannot be reached .*: check the address") as caught:
        training.load("s3://key:secret@models/run?scheme=http&endpoint_override=127.0.0.1:1")
    assert "secret" not in str(caught.value)


def test_a_bundle_that_declares_more_than_a_download_may_have_is_refused_before_it_is_copied(
    saved: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = config_of(saved)
    document["files"]["model.safetensors"]["bytes"] = 10**15
    text = (saved / "config.json").read_text()
    (saved / "config.json").write_text(json.dumps(sealed_json.sealed(document)))
    send(saved)
    with pytest.raises(
        BundleError, match=r"its files have 909 TiB, more than the 16 GiB that .*: set RAYGENE_BUNDLE_GIB"
    ):
        training.load(ADDRESS)
    (saved / "config.json").write_text(text)
    send(saved)
    monkeypatch.setenv("RAYGENE_BUNDLE_GIB", "0.000001")
    with pytest.raises(BundleError, match=r"have [0-9.]+ KiB, more than the 1\.05 KiB that a download may have"):
        training.load(ADDRESS)
    for value in ("much", "-1"):
        monkeypatch.setenv("RAYGENE_BUNDLE_GIB", value)
        with pytest.raises(UsageError, match=f"RAYGENE_BUNDLE_GIB={value}: not a number"):
            training.load(ADDRESS)
    monkeypatch.setenv("RAYGENE_BUNDLE_GIB", "inf")
    assert training.load(ADDRESS).fingerprint


def test_the_files_of_a_bundle_of_format_1_are_bounded_too(
    saved: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (saved / "config.json").write_text(OLD.read_text())
    send(saved)
    monkeypatch.setenv("RAYGENE_BUNDLE_GIB", "0.000001")
    with pytest.raises(BundleError, match=r"larger than the 1\.05 KiB it may have"):
        training.load(ADDRESS)
