"""What the operating system refuses, as a cause and what to do about it: a full disk is not a missing permission."""

from __future__ import annotations

import errno
import os

from pipelines.errors import ResourceError

_STORAGE = "check that disk or network storage, and run again"
_FIXES = {
    errno.ENOSPC: "free space there, or choose another location",
    errno.EDQUOT: "free space within your quota, or choose another location",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or choose another file system",
    errno.EROFS: "choose a location that is not mounted read-only",
    errno.EACCES: "correct its permissions, or choose another location",
    errno.EPERM: "correct its permissions, or choose another location",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs: this machine has no more open files",
    errno.ENOMEM: "free memory, and run again",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "remove the circle of symbolic links",
    errno.ENOTDIR: "choose another path: a file is where a directory should be",
    errno.EISDIR: "choose another path: a directory is where a file should be",
    errno.EEXIST: "choose another path: something of that name is there",
    errno.ENOENT: "check the path",
    errno.EIO: _STORAGE,
    errno.ESTALE: _STORAGE,
    errno.ENOTCONN: _STORAGE,
    errno.EREMOTEIO: _STORAGE,
    errno.ENODEV: _STORAGE,
    errno.ENXIO: _STORAGE,
    errno.ETIMEDOUT: _STORAGE,
}
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
"""Where a file system has no locks, or has them switched off."""
HELD_LOCK = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""Where another process holds a lock; some file systems answer EACCES."""


def cause(error: BaseException) -> str:
    """Why the operating system refused, in its own words and on one line."""
    strerror = getattr(error, "strerror", None)
    return " ".join(str(strerror or error).split())[:200] or type(error).__name__


def fix(error: BaseException, otherwise: str) -> str:
    """What to do about an error.

    Args:
        error: of the operating system, or one that is not.
        otherwise: what to do about any other cause than the usual ones.
    """
    number = getattr(error, "errno", None)
    return _FIXES.get(number, otherwise) if isinstance(number, int) else otherwise


def read_fix(error: BaseException, otherwise: str = "check the path and its permissions") -> str:
    """What to do about a file that cannot be read; arguments as of `fix`."""
    number = getattr(error, "errno", None)
    if number in {errno.EACCES, errno.EPERM}:
        return "correct its permissions"
    return otherwise if number in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR} else fix(error, otherwise)


def explained(error: OSError | MemoryError, where: str) -> ResourceError:
    """The error for what the operating system refused where nothing more is known than the file, if one is.

    Args:
        error: what it raised.
        where: the process concerned, for an error without a file.
    """
    if isinstance(error, MemoryError):
        return ResourceError(f"{where}: no memory left", "free memory, or give it more, and run again")
    name = error.filename if isinstance(error.filename, str | bytes) else None
    return ResourceError(
        f"{os.fsdecode(name) if name else where}: {cause(error)}",
        fix(error, "run again with --debug to see where"),
    )
