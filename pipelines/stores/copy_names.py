"""The addresses of what has a copy on this node, for texts that people read: they know the address, not the copy."""

from __future__ import annotations

from pathlib import Path

_addresses: dict[str, str] = {}


def remember(path: Path, address: str) -> None:
    """Have texts name a file or directory of this node by an address.

    Args:
        path: of the copy.
        address: as it may be shown, without secrets.
    """
    _addresses[str(path)] = address


def forget() -> None:
    """Have texts name all copies by their paths again."""
    _addresses.clear()


def with_addresses(text: str) -> str:
    """A text in which the paths of copies, and of what lies in them, are replaced by addresses."""
    # The longest first: one copy may lie in another.
    for path in sorted(_addresses, key=len, reverse=True):
        text = text.replace(path, _addresses[path])
    return text
