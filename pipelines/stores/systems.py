"""The driver for an address: Arrow's own for s3, gs, abfs and hdfs, fsspec's for the rest, as one kind of file system.

The query of an address says where the store is and who asks: `endpoint_override`, `scheme`, `region`, `anonymous` and
`tls_ca_file_path`, and what else the driver knows. Where it says nothing, the variables of the driver's vendor count:
for S3 `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REGION` and `AWS_DEFAULT_REGION`, and those of the credentials.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pipelines.errors import UsageError
from pipelines.remote import redacted

ATTEMPTS = 5
"""How often S3's driver tries a request that failed for no fault of its own; the waits in between grow."""
HDFS = ("hdfs", "viewfs")
_GOOGLE, _AZURE = ("gs", "gcs"), ("abfs", "abfss")
_S3_NAMES = {"endpoint_override", "scheme", "region", "anonymous", "tls_ca_file_path"}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Google's driver retries for a quarter of an hour by default.
_GOOGLE_RETRIES = "60"


def with_environment(address: str) -> str:
    """An address whose query says what this process has in its environment about the place of an S3 store.

    Ray starts the processes of other nodes with an environment of their own.
    """
    parts = urlsplit(address)
    if parts.scheme.lower() != "s3":
        return address
    query = dict(parse_qsl(parts.query))
    for key, names in (("endpoint_override", _ENDPOINTS), ("region", _REGIONS)):
        if key not in query and (value := _first_set(names)):
            query[key] = value
    return urlunsplit(parts._replace(query=urlencode(query, safe=":/")))


def shown(address: str) -> str:
    """An address without secrets, query and slash at its end."""
    scheme, _, rest = redacted(address).partition(":")
    # A path without a host loses its slashes.
    return f"{scheme}:{rest}" if rest.startswith("//") else f"{scheme}://{rest}"


def _first_set(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def is_of_arrow(scheme: str) -> bool:
    """Whether Arrow has a driver of its own for a scheme."""
    return scheme in ("s3", *_GOOGLE, *_AZURE, *HDFS)


def open_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path of the address in it without a slash at its end.

    Args:
        address: with a scheme.

    Raises:
        UsageError: no bucket, or a query that the driver does not know.
        Exception: whatever the driver raises.
    """
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    if scheme in ("s3", *_GOOGLE, *_AZURE) and not parts.netloc.rpartition("@")[2]:
        raise UsageError(f"{shown(address)}: names no bucket", f"write {scheme}://BUCKET/FOLDER")
    if scheme == "s3":
        system, path = _open_s3(parts)
    elif is_of_arrow(scheme):
        system, path = _open_with_arrow(parts)
    else:
        system, path = _open_with_fsspec(address)
    return system, path.rstrip("/")


def with_reason(system: Any, path: str, error: Exception) -> Exception:
    """The error of a request for a file, or one that says why: S3 answers a question for a file's status by a number.

    Args:
        system: as `open_system` gives it.
        path: of the file in it.
        error: what it raised.
    """
    from pyarrow import fs

    if "HeadObject" not in str(error):
        return error
    try:
        # A listing, of nothing as a rule, is refused with words.
        system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    except OSError as worded:
        return worded
    return error


def _open_s3(parts: SplitResult) -> tuple[Any, str]:
    from pyarrow import fs

    query = dict(parse_qsl(parts.query))
    if unknown := sorted(set(query) - _S3_NAMES):
        raise UsageError(
            f"{shown(urlunsplit(parts))}: {unknown[0]}: not known in the query of an s3 address",
            f"choose from {', '.join(sorted(_S3_NAMES))}",
        )
    user, _, bucket = parts.netloc.rpartition("@")
    options: dict[str, Any] = {}
    if user:
        key, _, secret = user.partition(":")
        options |= {"access_key": unquote(key), "secret_key": unquote(secret)}
    if is_true(query.get("anonymous")):
        options["anonymous"] = True
    if endpoint := query.get("endpoint_override"):
        options["endpoint_override"] = endpoint
    if scheme := query.get("scheme"):
        options["scheme"] = scheme
    if certificates := query.get("tls_ca_file_path"):
        options["tls_ca_file_path"] = certificates
    region = query.get("region") or (_first_set(_REGIONS) if endpoint else None)
    if not region and not endpoint:
        region = _region_of(bucket)
    if region:
        options["region"] = region
    system = fs.S3FileSystem(
        **options,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        # Small files take one request, and leave no unfinished upload.
        allow_delayed_open=True,
    )
    return system, bucket + unquote(parts.path)


def _region_of(bucket: str) -> str | None:
    from pyarrow import fs

    try:
        return fs.resolve_s3_region(bucket)
    except OSError as error:
        if "not found" in str(error):
            raise
        return _first_set(_REGIONS)


def is_true(value: str | None) -> bool:
    """Whether the value of a query says yes."""
    return (value or "").lower() in ("true", "1", "yes")


def _open_with_arrow(parts: SplitResult) -> tuple[Any, str]:
    from pyarrow import fs

    query = dict(parse_qsl(parts.query))
    netloc, scheme = parts.netloc, parts.scheme.lower()
    anonymous = is_true(query.pop("anonymous", None))
    if scheme in _GOOGLE:
        query.setdefault("retry_limit_seconds", _GOOGLE_RETRIES)
        if anonymous:
            netloc = f"anonymous@{netloc.rpartition('@')[2]}"
    elif anonymous:
        query["credential_kind"] = "anonymous"
    address = urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, quote_via=quote)))
    return fs.FileSystem.from_uri(address)


def _open_with_fsspec(address: str) -> tuple[Any, str]:
    import fsspec
    from pyarrow import fs

    # Listings are not kept: other nodes write too.
    system, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path
