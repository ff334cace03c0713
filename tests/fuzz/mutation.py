"""Changes of a file's content, as transfers, editors, spreadsheets and hostile hands make them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

TOKENS: list[bytes] = [
    b"",
    b"0",
    b"-1",
    b"1e9",
    b"1_2",
    b"0x10",
    b"010",
    b"1:30",
    b"9" * 18,
    b"9" * 400,
    b"nan",
    b"inf",
    b"NaN",
    b"true",
    b"null",
    b"~",
    b".",
    b"..",
    b"../../escaped",
    b"%2C%09%0A",
    b"%",
    b"%zz",
    b'"',
    b"'",
    b'""',
    b'"a',
    b";",
    b"=",
    b";=;",
    b",",
    b",,,",
    b"\t",
    b"\t\t\t\t\t\t\t\t\t\t\t\t",
    b" ",
    b"\x00",
    b"\x1b[2J\x07",
    b"\x85",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1f\x8b",
    b"\xed\xa0\x80",
    b"\xc3\xa9\xf0\x9f\xa7\xac",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"#",
    b"##FASTA\n",
    b"###\n",
    b">",
    b">c1\nACGT\n",
    b"track name=x\n",
    b"browser position c1\n",
    b"[" * 3000,
    b"{" * 3000,
    b"a" * 70_000,
    b"A,\t" * 20_000,
    b"&a [*a, *a]",
    b"!!python/object/apply:os.getcwd []",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    2,
    1.5,
    10**30,
    -(10**30),
    2**63,
    1e308,
    math.nan,
    math.inf,
    "",
    "x",
    "0",
    "../../escaped",
    "a\nb",
    "\x00",
    "\u2028",
    "é" * 9,
    "y" * 5000,
    [],
    [[]],
    {},
    {"x": {}},
    [None],
    ["chr1", 2],
    [0] * 300,
]


def mutated(content: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """The content after one to four changes, some of which take pieces from other files of its kind."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        content = random.choice(_CHANGES)(content, random.choice(donors), random)
    return content


def _truncate(content: bytes, donor: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _flip(content: bytes, donor: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(min(len(changed), random.randint(1, 3))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, donor: bytes, random: Random) -> bytes:
    first = random.randrange(len(content) + 1)
    return content[:first] + content[first + random.randint(1, 40) :]


def _insert(content: bytes, donor: bytes, random: Random) -> bytes:
    first = random.randrange(len(content) + 1)
    return content[:first] + random.choice(TOKENS) + content[first:]


def _splice(content: bytes, donor: bytes, random: Random) -> bytes:
    first, second = random.randrange(len(content) + 1), random.randrange(len(donor) + 1)
    return content[:first] + donor[second : second + random.randint(1, 200)] + content[first:]


def _append(content: bytes, donor: bytes, random: Random) -> bytes:
    return content + donor


def _prepend(content: bytes, donor: bytes, random: Random) -> bytes:
    return random.choice(TOKENS) + content


def _change_line_ends(content: bytes, donor: bytes, random: Random) -> bytes:
    return content.replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\n", b"\n\r", b" \n", b"\t\n", b"\x0b\n")))


def _change_lines(content: bytes, donor: bytes, random: Random) -> bytes:
    """Duplicate, delete, move or interleave whole lines."""
    lines, others = content.split(b"\n"), donor.split(b"\n")
    position = random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            lines.insert(random.randrange(len(lines) + 1), lines[position])
        case 1:
            del lines[position]
        case 2:
            lines.insert(position, random.choice(others))
        case 3:
            random.shuffle(lines)
        case 4:
            lines[position:position] = [lines[position]] * random.randint(2, 50)
    return b"\n".join(lines)


def _change_fields(content: bytes, donor: bytes, random: Random) -> bytes:
    """Replace, swap, drop or duplicate the fields of a line."""
    lines = content.split(b"\n")
    position = random.randrange(len(lines))
    separator = random.choice((b"\t", b"\t", b"\t", b",", b" ", b";"))
    fields = lines[position].split(separator)
    column = random.randrange(len(fields))
    match random.randrange(5):
        case 0 | 1:
            fields[column] = random.choice(TOKENS)
        case 2:
            random.shuffle(fields)
        case 3:
            del fields[column]
        case 4:
            fields.insert(column, fields[column])
    lines[position] = separator.join(fields)
    return b"\n".join(lines)


def _quote_fields(content: bytes, donor: bytes, random: Random) -> bytes:
    """Quote every field, as spreadsheets do on export."""
    separator = random.choice((b"\t", b","))
    lines = (separator.join(b'"' + field + b'"' for field in line.split(separator)) for line in content.split(b"\n"))
    return b"\n".join(lines)


_Change = Callable[[bytes, bytes, Random], bytes]
_CHANGES: list[_Change] = [
    _truncate,
    _flip,
    _cut,
    _insert,
    _insert,
    _splice,
    _append,
    _prepend,
    _change_line_ends,
    _change_lines,
    _change_lines,
    _change_fields,
    _change_fields,
    _change_fields,
    _quote_fields,
]


def with_changed_values(document: Any, random: Random) -> Any:
    """A copy of a nested document after one or two changes of a value, a key or a list."""
    changed = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 2))):
        node = changed
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and random.random() < 0.8:
                node = node[key]
                continue
            _change_value(node, key, random)
            break
    return changed


def _change_value(node: Any, key: Any, random: Random) -> None:
    match random.randrange(6):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[random.choice(("", "x", "../../escaped", key.upper(), f"{key} "))] = node.pop(key)
        case 2 if isinstance(node[key], str):
            value = node[key]
            node[key] = random.choice((value[:-1], value + value[-1:], value.upper(), f" {value}", value * 9))
        case 3 if isinstance(node[key], int | float):
            node[key] = random.choice((-node[key], node[key] + 1, node[key] * 10**6, float(node[key]), str(node[key])))
        case 4:
            node[key] = [node[key]]
        case _:
            node[key] = copy.deepcopy(random.choice(VALUES))
