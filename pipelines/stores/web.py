"""Files of web servers, read with bounds to time and redirects."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipelines.errors import InputError
from pipelines.remote import redacted

# Seconds that a web server may take to accept a connection, and to send the next bytes.
CONNECT_S, SILENCE_S = 20.0, 60.0
MAX_REDIRECTS = 5


def serves(address: str) -> bool:
    """Whether an address is that of a web server."""
    return urlsplit(address).scheme.lower() in ("http", "https")


class _WebFile:
    """A file from a web server, while it arrives.

    Attributes:
        announced_bytes: its size according to the server; None if that does not say.
        version: its ETag, or else its size and time of change; None if the server does not say.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        # Of a compressed answer it would be the compressed size.
        is_plain = stream.r.headers.get("Content-Encoding", "identity") == "identity"
        self.announced_bytes: int | None = stream.r.content_length if is_plain else None
        changed = stream.r.headers.get("Last-Modified")
        dated = f"{self.announced_bytes} {changed}" if changed and self.announced_bytes is not None else None
        self.version: str | None = stream.r.headers.get("ETag") or dated

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def __enter__(self) -> _WebFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def opened(address: str) -> tuple[Any, Any]:
    """A function that opens a file of a folder by its name, and one that tells its version.

    Args:
        address: of the folder; its query belongs to every file.
    """
    import aiohttp
    import fsspec

    parts = urlsplit(address)
    # No limit to the total: large files take their time.
    limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    system = fsspec.filesystem(parts.scheme.lower(), client_kwargs={"timeout": limits})

    def open_file(name: str) -> Any:
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))
        shown = f"{redacted(address)}/{name}"
        try:
            # A size keeps fsspec from asking for it first, in a request of its own.
            stream = system.open(url, "rb", block_size=0, size=1, max_redirects=MAX_REDIRECTS)
        except aiohttp.TooManyRedirects as error:
            raise InputError(f"{shown}: redirected more than {MAX_REDIRECTS} times", "correct the address") from error
        except (aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL) as error:
            raise InputError(f"{shown}: redirected to what is no web address", "correct the address") from error
        hops = [*stream.r.history, stream.r]
        if parts.scheme.lower() == "https" and any(hop.url.scheme != "https" for hop in hops):
            stream.close()
            raise InputError(f"{shown}: redirected from https to http", "correct the address")
        return _WebFile(stream)

    def version(name: str) -> str | None:
        with open_file(name) as file:
            return file.version

    return open_file, version
