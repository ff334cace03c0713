"""Why a store refused, as one line with what to do about it; every driver has exceptions and words of its own."""

from __future__ import annotations

import errno
import re
from typing import NamedTuple

from pipelines.errors import DependencyError, RaygeneError, StorageError, one_line

# No fix for the credentials of one vendor can be right for those of another.
_HELP = {
    "s3": "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name them",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login, gives them",
    "abfs": "az login, or AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, gives them",
}


class _Cause(NamedTuple):
    code: str
    pattern: re.Pattern[str]
    problem: str
    fix: str


def _cause(code: str, pattern: str, problem: str, fix: str) -> _Cause:
    return _Cause(code, re.compile(pattern, re.IGNORECASE), problem, fix)


_CAUSES = (
    _cause(
        "no-bucket",
        r"NO_SUCH_BUCKET|NoSuchBucket|bucket (?:'[^']*' )?(?:not found|does not exist)|ContainerNotFound|"
        r"container does not exist",
        "there is no such bucket",
        "make the bucket first, or correct the address",
    ),
    _cause(
        "expired",
        r"EXPIRED_?TOKEN|TokenRefreshRequired|token (?:has |is )?expired|credentials (?:have )?expired|RequestExpired",
        "the credentials have expired",
        "get new ones and run the same command again; {help}",
    ),
    _cause(
        "credentials",
        r"INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch|"
        r"INVALID_CLIENT_TOKEN|UNRECOGNIZED_CLIENT|UnrecognizedClient|MISSING_AUTHENTICATION_TOKEN|InvalidToken|"
        r"invalid_grant|invalid_client|HTTP (?:status )?401|UNAUTHENTICATED|DefaultAzureCredential|"
        r"no credentials|NoCredentials|credentials? (?:could not|cannot|not) be? ?found|default credentials",
        "the credentials are missing or not accepted",
        "correct them: {help}",
    ),
    _cause(
        "denied",
        r"ACCESS_DENIED|AccessDenied|AuthorizationPermissionMismatch|AuthorizationFailure|PERMISSION_DENIED|"
        r"(?:HTTP|status)\D{0,12}403|Forbidden|HTTP response code is 403",
        "access is denied",
        "check that there are credentials, and that they may list, read, write and delete there; {help}",
    ),
    _cause(
        "unreachable",
        r"NETWORK_CONNECTION|curlCode|Could not connect|Could ?n[o']t resolve|Connection (?:refused|reset)|timed? ?out|"
        r"Cannot connect|Name or service not known",
        "the store does not answer",
        "check the address, its endpoint_override and the network, and run the same command again",
    ),
    _cause(
        "full",
        r"QuotaExceeded|STORAGE_FULL|XMinioStorageFull|No space left|SLOW_DOWN|SlowDown|TooManyRequests",
        "the store takes no more",
        "free space or wait, and run the same command again",
    ),
)
_REASON = re.compile(r"AWS Error (?P<name>[A-Z_ ]+?)(?: \[code \d+\])? during (?P<operation>\w+) operation", re.ASCII)


def is_missing(error: BaseException) -> bool:
    """Whether an error says that a file does not exist."""
    return isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)


def explained(shown: str, error: Exception) -> RaygeneError:
    """The error for whatever a driver raises.

    Args:
        shown: the address without secrets, with the file's name if one is concerned.
        error: what the driver raised.
    """
    if isinstance(error, RaygeneError):
        return error
    reason = one_line(error, 160) or type(error).__name__
    if isinstance(error, ImportError):
        return DependencyError(f"{shown}: no driver for it is installed ({reason})", "install it, or use another store")
    if cause := known(shown, error):
        return cause
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{shown}: access is denied ({reason})", "correct its permissions", code="storage-denied")
    return StorageError(f"{shown}: {reason}", "check the address, the network and your credentials for it")


def known(shown: str, error: Exception) -> StorageError | None:
    """The error for what a driver raises, if its words tell the cause; as for `explained`."""
    text = str(error)
    scheme = shown.partition("://")[0]
    help_text = _HELP.get({"abfss": "abfs", "gcs": "gs"}.get(scheme, scheme), "see the driver's documentation")
    for cause in _CAUSES:
        if cause.pattern.search(text):
            match = _REASON.search(text)
            detail = f" ({match['name'].lower().replace('_', ' ')} in {match['operation']})" if match else ""
            return StorageError(
                f"{shown}: {cause.problem}{detail}", cause.fix.format(help=help_text), code=f"storage-{cause.code}"
            )
    return None
