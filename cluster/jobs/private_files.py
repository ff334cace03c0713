"""Files that look like a secret: keys, tokens and credentials, by their names and by what they hold.

Code is never among them, whatever its name: a job would not run without its `tokenizer.py` or `credentials.py`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

_CODE = frozenset(
    {
        ".py",
        ".pyi",
        ".pyx",
        ".pxd",
        ".so",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".cu",
        ".sh",
        ".html",
        ".css",
        ".js",
        ".md",
        ".rst",
    }
)
_FOLDERS = frozenset({".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".ssh", "secrets"})
_COPIES = re.compile(r"(\.(bak|backup|old|orig|save|swp|[0-9])|~)+$")
_ENDINGS = frozenset(
    {
        ".pem",
        ".key",
        ".p12",
        ".pfx",
        ".pkcs12",
        ".jks",
        ".keystore",
        ".keytab",
        ".kdb",
        ".kdbx",
        ".ppk",
        ".ovpn",
        ".token",
        ".tfstate",
    }
)
_EXAMPLES = (".example", ".sample", ".template", ".dist")
_NAMES = (
    # Private keys of ssh, not their public halves.
    r"(.*[._-])?id_(rsa|dsa|ecdsa|ed25519)(_sk)?([._-](?!pub$).*)?",
    r"\.env([._-].*)?|.*\.env",
    r"[._]?(netrc|npmrc|pypirc|pgpass|htpasswd|git-credentials|dockercfg|s3cfg|boto|my\.cnf)",
    r"(.*[._-])?kubeconfig([._-].*)?",
    r"\.?credentials?([._-].*)?",
    r"kaggle\.json|rclone\.conf",
    r"(.*[._-])?service[._-]?account([._-].*)?\.json|client[._-]?secrets?([._-].*)?\.json",
    # The last word before the ending: hf_token.txt, but neither tokens.txt nor token_count.csv.
    r"(.*[._-])?(token|secrets?|passwords?|passwd|credentials?|(api|gcp|ssh|access)[._-]?keys?|private[._-]?keys?)(\.\w+)?",
)
_NAME = re.compile("|".join(_NAMES), re.IGNORECASE)
_BEGINS_LIKE_A_KEY = re.compile(rb"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_HOLDS_A_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-|AGE-SECRET-KEY-1|aws_secret_access_key\s*[=:]",
    re.IGNORECASE,
)


def has_private_name(name: str) -> bool:
    """Whether a path names a secret.

    Args:
        name: relative to the directory that is sent, with `/` between its parts.
    """
    path = PurePosixPath(name)
    # The copies that editors and people keep beside a file.
    path = path.with_name(_COPIES.sub("", path.name) or path.name)
    last, ending = path.name.lower(), path.suffix.lower()
    folders = _FOLDERS.intersection(path.parts[:-1])
    if folders and (folders != {"secrets"} or ending not in _CODE):
        return True
    if ending in _CODE or last.endswith(_EXAMPLES):
        return False
    return ending in _ENDINGS or _NAME.fullmatch(last) is not None


def holds_private_key(path: Path) -> bool:
    """Whether a file holds a private key; of code, whether it is nothing else.

    Raises:
        OSError: it cannot be read.
    """
    pattern = _BEGINS_LIKE_A_KEY if path.suffix.lower() in _CODE else _HOLDS_A_KEY
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    return (pattern.match(content) if pattern is _BEGINS_LIKE_A_KEY else pattern.search(content)) is not None
