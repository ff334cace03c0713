"""Credentials in addresses, and in any text that quotes one: found, and masked before the text is shown or written.

An address may hold a user and a password (`https://USER:PASSWORD@HOST`), a query or a fragment with a token or a
signature, and a driver's error may quote all of it. Other texts hold `password=…`, headers and keys of known forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MASK = "***"
LONGEST_NAME = 20
"""Letters of a user name; what is longer in its place is a token."""

# A query goes on to white space or a quote. Marks that a sentence puts after an address end it only before those.
_REST = r"(?:[^\s\"'`<>(){}\[\],:;.#]|[(){}\[\]',:;.](?![\s\"'`,:;.)\]}]|$))"
_SCHEME = r"(?:(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*:(?:\\?/){1,2}|(?<![:/\w.])//)"
# Their user part is a container, which is no secret: abfss://CONTAINER@ACCOUNT.dfs.core.windows.net.
_CONTAINERS = ("abfs:", "abfss:", "wasb:", "wasbs:", "adl:")
_USER = re.compile(
    rf"(?P<scheme>{_SCHEME})"
    # A password may hold a slash, a port does not: HOST:8080/PATH@2 has no password.
    r"(?P<user>[^\s/?#@:]*:(?!\d{0,5}(?:[/?#]|$))[^\s@]{0,2048}@(?:[^\s/?#@]*@)*|[^\s/?#]*@"
    # A user part that was encoded as a whole.
    r"|[^\s/?#@]*%(?:25)*3A[^\s/?#@]*?%(?:25)*40)",
    re.IGNORECASE,
)
_QUERY = re.compile(
    rf"(?P<address>(?:{_SCHEME})[^?#\s\"'`<>]*)(?P<query>\?{_REST}*)?(?P<fragment>#(?:{_REST}|#)*)?", re.IGNORECASE
)
# Of an address in an object store: where that is. Whoever reads `?***` cannot open it again.
_PLACE = re.compile(r"(?:endpoint_override|scheme|region|anonymous)=[\w.:/\[\]-]*", re.IGNORECASE)
# A path with its query alone, as HTTP libraries quote it: with url: /bundle/config.json?x=…, or GET /bundle?x=….
_PATH_QUERY = re.compile(rf"(?P<before>\b(?:url[:=]|GET|HEAD|PUT|POST)\s*['\"]?/[^\s?]*\?){_REST}+", re.IGNORECASE)
_ENCODED_USER = re.compile(
    r"(?P<scheme>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*%(?:25)*3A(?:%(?:25)*2F){2})[^\s&'\"]*?%(?:25)*40",
    re.IGNORECASE,
)
_ENCODED_QUERY = re.compile(
    r"(?P<scheme>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*%(?:25)*3A(?:%(?:25)*2F){2}[^\s&'\"]*?%(?:25)*3F)[^\s&'\"]*",
    re.IGNORECASE,
)

_NAMES = (
    r"(?:[\w.-]*[_.-])?(?:pass(?:word|wd|phrase)?|pwd|secret(?:[_-]?key)?|token|signature|sig|credentials?|"
    r"api[_-]?key|access[_-]?key(?:[_-]?id)?|account[_-]?key|private[_-]?key|client[_-]?secret|"
    r"shared[_-]?access[_-]?(?:key|signature)|authorization|auth)"
    r"|X-Amz-[\w-]+|X-Goog-[\w-]+|SharedAccessSignature|AccountKey|AWSAccessKeyId|GoogleAccessId"
    r"|[a-z]*(?:Password|Secret|Token|AccessKey|ApiKey)|sas|j?session_?id"
)
# Figures, and the path of a file with credentials: sig=0.05, pass=3, GOOGLE_APPLICATION_CREDENTIALS=/etc/key.json.
_NO_SECRET = re.compile(
    r"(?:pass|token|sig|signature|secret|auth|sas)=[\d.,]{1,6}|\w*credentials=[~.]{0,2}/\S*", re.IGNORECASE
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?P<before>(?:(?<![\w.-])|(?<=%3F)|(?<=%26))(?:{_NAMES})(?:=|%(?:25)*3D))"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s&;,'\"()\[\]{}<>]+)",
    re.IGNORECASE,
)
# As Python and JSON write mappings: 'password': 'x'.
_QUOTED = re.compile(
    rf"(?P<before>(?P<quote>\\?['\"])(?:{_NAMES})(?P=quote)\s*:\s*b?)(?P<open>\\?['\"]).*?(?P=open)", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<before>\b(?:Proxy-)?Authorization['\"]?\s*[:=,]\s*(?:b?['\"])?"
    r"(?:(?:Basic|Bearer|Token|Digest|AWS4-HMAC-SHA256)\s+)?+"
    # Words have no digits, nor capitals within: a basic helix-loop-helix protein is none.
    r"|\bBasic\s+(?=[a-z0-9+/=]{12,}(?![\w.~-]))(?-i:(?=[A-Za-z0-9+/][a-z+/]*[A-Z0-9=]))"
    r"|\bBearer\s+(?=[\w.~+/=-]{6,})(?-i:(?=[\w.~+/=-][a-z_.~+/-]*[A-Z0-9=]))"
    r"|\b(?:X-(?:Auth|Api|Amz|Ray|Vault|Goog)[\w-]*)['\"]?\s*:\s*(?:b?['\"])?)[^\s'\",;]+",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(?P<before>\b(?:Set-)?Cookie['\"]?\s*:\s*(?:b?['\"])?)[^'\"\n]+", re.IGNORECASE)
# An option of a command line, and a line of YAML whose key leaves no doubt: `password: …` may begin an advice.
_OPTION = re.compile(
    r"(?P<before>(?<![\w-])--(?:[\w.-]*[_.-])?"
    r"(?:password|passwd|token|secret|(?:api|access|secret|private)[_-]?key)\s+"
    r"|(?<![\w/.-])(?:[\w-]*[_-])?(?:(?:api|access|secret|private|account)[_-]key|(?:session|sas)[_-]token"
    r"|client[_-]secret):\s+['\"]?)[^\s'\",;]+",
    re.IGNORECASE,
)
# Where the key alone leaves a doubt (`the token: use it`), the value has letters and digits: HF_TOKEN: 8fK2….
_SPACED = re.compile(
    r"(?P<before>(?<![\w/.-])(?:[\w.-]*[_.-])?(?:password|passwd|passphrase|token|secret|signature)['\"]?"
    r"(?:\s*=>?\s*|\s*:\s+)['\"]?)(?=[^\s'\",;]*[0-9])(?=[^\s'\",;]*[A-Za-z])[^\s'\",;]{6,}",
    re.IGNORECASE,
)
# USER:PASSWORD@HOST:PORT without a scheme.
_BARE_USER = re.compile(r"(?<![\w/:@.%+-])[\w.%+-]+:[^\s/@:]{3,}@(?=[A-Za-z0-9.-]+(?::\d|/))")
# Tokens that are known by their form, wherever they stand.
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{20,}"
    r"|xox[abprs]-[\w-]{10,}|ya29\.[\w-]{20,}|AIza[\w-]{35}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
# Without any of these there is nothing to mask, and most texts have none.
_POSSIBLE = re.compile(
    r"[=@?#%]|//|--|_key|-key|_token|-token|_secret|BEGIN|AKIA|ASIA|gh\w_|hub_pat|glpat|hf_|xox|ya29|AIza|eyJ|auth"
    r"|bearer|basic|cookie|(?:pass\w*|token|secret|signature)\s*:|['\"]\s*[:,]|X-",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """A text with every credential in it replaced by `***`; a text without one is returned as it is.

    Queries and fragments of addresses are masked as a whole, because any of their parts may be a secret; only a query
    that says nothing but where an object store is stays.
    """
    if not _POSSIBLE.search(text):
        return text
    text = _PRIVATE_KEY.sub(rf"\1{MASK}\2", text)
    text = _USER.sub(_without_user, text)
    text = _QUERY.sub(_without_query, text)
    text = _PATH_QUERY.sub(rf"\g<before>{MASK}", text)
    text = _ENCODED_USER.sub(rf"\g<scheme>{MASK}%40", text)
    text = _ENCODED_QUERY.sub(rf"\g<scheme>{MASK}", text)
    text = _BARE_USER.sub(f"{MASK}@", text)
    text = _COOKIE.sub(rf"\g<before>{MASK}", text)
    text = _OPTION.sub(rf"\g<before>{MASK}", text)
    text = _SPACED.sub(rf"\g<before>{MASK}", text)
    text = _HEADER.sub(rf"\g<before>{MASK}", text)
    text = _ASSIGNED.sub(_without_value, text)
    text = _QUOTED.sub(rf"\g<before>\g<open>{MASK}\g<open>", text)
    return _KNOWN.sub(MASK, text)


def masked_values(value: Any) -> Any:
    """A copy of a document (of mappings, lists and scalars) in which every text is masked, keys included.

    Keys that differ in what is masked alone are numbered, so that none takes the place of another.
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        copy: dict[Any, Any] = {}
        for key, item in value.items():
            name = first = masked(key) if isinstance(key, str) else key
            number = 1
            while name in copy:
                number += 1
                name = f"{first} ({number})"
            copy[name] = masked_values(item)
        return copy
    return [masked_values(item) for item in value] if isinstance(value, list | tuple) else value


def has_credentials(address: str) -> bool:
    """Whether an address holds a password, a token in place of a user, or a secret in its query or fragment.

    A query without a secret, such as `?endpoint_override=…&scheme=http`, is none.
    """
    if "://" not in address:
        return _BARE_USER.match(address) is not None
    # Encoded more than once, as by a proxy that carries an address in its own query.
    decoded = unquote(unquote(address))
    # Its own, and that of an endpoint in its query.
    for user in (_USER.match(address), *_USER.finditer(decoded.partition("?")[2])):
        if user and _without_user(user) != user.group():
            name = unquote(user["user"]).rstrip("@")
            # A short user name alone tells who, not how: ssh://git@host. A long one is a token.
            if ":" in name or len(name) > LONGEST_NAME or _KNOWN.search(name):
                return True
    names = re.findall(r"[?&;#]\s*([^=&;#?]*)=", decoded)
    return any(_NAME.fullmatch(name) for name in names) or _KNOWN.search(decoded) is not None


def _without_user(match: re.Match[str]) -> str:
    scheme, user = match["scheme"], match["user"]
    if user == "@" or (scheme.lower().startswith(_CONTAINERS) and ":" not in user):
        return match.group()
    return f"{scheme}{MASK}@"


def _without_value(match: re.Match[str]) -> str:
    return match.group() if _NO_SECRET.fullmatch(match.group()) else f"{match['before']}{MASK}"


def _without_query(match: re.Match[str]) -> str:
    query, fragment = match["query"] or "", match["fragment"] or ""
    if all(_PLACE.fullmatch(part) for part in query[1:].split("&")) and not fragment:
        return match.group()
    parts = ((query, "?"), (fragment, "#"))
    return match["address"] + "".join(f"{mark}{MASK}" if len(part) > 1 else part for part, mark in parts)
