"""What Arrow's drivers lack: a file that is written only if none is there, and the end of unfinished uploads.

fsspec's drivers have both: s3fs, gcsfs and adlfs, which the extras `s3`, `gcs` and `azure` install. Without them both
functions say so, and callers continue with what is left to them.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.stores.systems import is_true

DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs"}
"""The package that has what is needed, by scheme."""
_log = logging.getLogger(__name__)


def create(address: str, path: str, content: bytes) -> bool | None:
    """Write a file unless there is one.

    Args:
        address: of the store.
        path: of the file in the store's file system.
        content: of the file.

    Returns:
        Whether it was written; None where no driver that can do this is installed.
    """
    system = _system(address)
    if system is None:
        return None
    try:
        system.pipe_file(path, content, mode="create")
    except FileExistsError:
        return False
    except (NotImplementedError, TypeError, ValueError):
        return None
    except Exception as error:
        # Stores that lack conditional writes answer in many ways; the caller writes, and meets any other reason there.
        _log.debug("%s: no conditional write (%s)", path, type(error).__name__)
        return None
    return True


def is_installed(scheme: str) -> bool:
    """Whether fsspec's driver for a scheme can be imported."""
    try:
        import_module(DRIVERS[scheme])
    except (ImportError, LookupError):
        return False
    return True


def abort_uploads(address: str, prefix: str) -> int | None:
    """End the uploads in parts, of files whose path begins with `prefix`, that no process is going to finish.

    Returns:
        How many there were; None where that cannot be known.
    """
    if urlsplit(address).scheme.lower() != "s3" or (system := _system(address)) is None:
        # Google and Azure drop such parts by themselves, after a week.
        return None
    bucket, _, key = prefix.partition("/")
    ended = 0
    try:
        # A listing has a thousand at most.
        while uploads := system.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key).get("Uploads"):
            for upload in uploads:
                system.call_s3("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            ended += len(uploads)
    except Exception as error:
        _log.debug("%s: unfinished uploads are left (%s)", prefix, type(error).__name__)
        return None
    return ended


def _system(address: str) -> Any:
    """The file system of fsspec for an address; None if its package is not installed."""
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    import fsspec

    if scheme not in DRIVERS:
        # Of fsspec itself, or nothing is known of it.
        with suppress(Exception):
            return fsspec.core.url_to_fs(address)[0]
        return None
    query = dict(parse_qsl(parts.query))
    user = parts.netloc.rpartition("@")[0]
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme == "s3":
        endpoint = query.get("endpoint_override")
        if endpoint and "://" not in endpoint:
            endpoint = f"{query.get('scheme', 'https')}://{endpoint}"
        client = {
            "endpoint_url": endpoint,
            "region_name": query.get("region"),
            "verify": query.get("tls_ca_file_path"),
        }
        options["client_kwargs"] = {name: value for name, value in client.items() if value}
        options["anon"] = is_true(query.get("anonymous"))
        if user:
            key, _, secret = user.partition(":")
            options |= {"key": unquote(key), "secret": unquote(secret)}
    elif scheme in ("gs", "gcs"):
        if endpoint := query.get("endpoint_override"):
            options["endpoint_url"] = f"{query.get('scheme', 'https')}://{endpoint}"
    else:
        options["account_name"] = parts.netloc.rpartition("@")[2].partition(".")[0]
    try:
        return fsspec.filesystem({"gcs": "gs", "abfss": "abfs"}.get(scheme, scheme), **options)
    except Exception as error:
        _log.debug("%s: no driver of fsspec (%s)", scheme, type(error).__name__)
        return None
