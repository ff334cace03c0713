"""What rows say of a gene or transcript beyond where it lies: canonical isoforms, exceptions, pseudogenes.

Sources: the GFF3 and GTF of NCBI (`exception`, `pseudo`, `partial`, `part`, `tag`), of Ensembl and GENCODE (`tag`,
biotypes of transcripts), and files converted from GenBank (`ribosomal_slippage`, `trans_splicing`).
"""

from __future__ import annotations

import re
from typing import Literal

Remark = Literal[
    "Ensembl_canonical",
    "MANE_Select",
    "RefSeq_Select",
    "exception",
    "ribosomal_slippage",
    "trans_splicing",
    "pseudo",
    "partial",
    "decay",
]
"""A remark: one of three tags of canonical transcripts; an exception to how a CDS is read; a pseudogene; a CDS that is
not whole; a transcript that is degraded instead of translated."""
Remarks = frozenset[Remark]
NONE: Remarks = frozenset()

# One of these is in every row with a remark, and in few others: rows without one cost no more than these searches.
_HINTS = ("Select", "Ensembl_canonical", "exception", "slippage", "splic", "part=", "pseudo", "partial", "_decay")
_KEYS = re.compile(
    r"""(?:^|;)\s* (?P<key>pseudo|partial|part|exception|ribosomal_slippage|trans_splicing|tag|\w*type)
        (?: = | \s+(?=") ) (?P<value>"[^"]*"|[^;]*)""",
    re.VERBOSE,
)
_TAGS: dict[str, Remark] = {
    "Ensembl_canonical": "Ensembl_canonical",
    "MANE_Select": "MANE_Select",
    "RefSeq_Select": "RefSeq_Select",
}
_FALSE = frozenset({"", "0", "00", "false", "no"})


def remarks_of(text: str) -> Remarks:
    """The remarks that column 9 of a row makes, in any dialect; none for most rows."""
    if not any(hint in text for hint in _HINTS):
        return NONE
    found: set[Remark] = set()
    for match in _KEYS.finditer(text):
        found.update(_of_pair(match["key"], match["value"].strip(' "')))
    return frozenset(found)


def _of_pair(key: str, value: str) -> set[Remark]:
    if key == "tag":
        names = (name.strip().replace(" ", "_") for name in value.replace("%2C", ",").split(","))
        return {_TAGS[name] for name in names if name in _TAGS}
    if key == "exception":
        return _exceptions(value.lower())
    if key.endswith("type"):
        return {"decay"} if value.endswith("_decay") else set()
    if value.lower() in _FALSE:
        return set()
    if key == "part" or key == "trans_splicing":
        return {"trans_splicing"}
    if key == "ribosomal_slippage":
        return {"ribosomal_slippage"}
    return {"pseudo"} if key == "pseudo" else {"partial"}


def _exceptions(value: str) -> set[Remark]:
    found: set[Remark] = set()
    if "slippage" in value:
        found.add("ribosomal_slippage")
    if "splicing" in value:
        found.add("trans_splicing")
    return found or ({"exception"} if value not in _FALSE else set())
