"""Text made fit to be shown: names and messages come from files and addresses, and may hold anything.

Control characters, characters without width and those that turn the direction of writing are shown by their codes, as
in `\\x1b` and `\\u202e`, so that a name cannot move the cursor, hide a part of itself or begin a line of its own.
"""

from __future__ import annotations

import re
import unicodedata

from pipelines.address import masked

# They have no width and are letters to Unicode: fillers of Hangul, a braille cell without dots.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_ANY_BLANK = re.compile(f"[{_BLANK}]")
# Colours and weights of terminals, without those that hide text: concealed (8), or black on black.
_PLAIN_COLOUR = re.compile(r"\x1b\[(?:(?:0?[0-4]|2[1-4]|3[1-79]|9[0-7]|39)?(?:;(?:0?[0-4]|2[1-4]|3[1-79]|9[0-7]))*)m")
_UNITS = {"byte": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DIGITS, _MOST_DIGITS = 3, 6


def escaped(text: str, allowed: str = "") -> str:
    r"""A text in which characters that are not printable are shown by their codes, as in `\x1b`.

    Args:
        text: any.
        allowed: characters that stay, such as a newline.
    """
    if text.isprintable() and not _ANY_BLANK.search(text):
        return text
    return "".join(
        character if character in allowed or _is_visible(character) else _code(character) for character in text
    )


def shown(text: str, allowed: str = "") -> str:
    """A text fit for a screen, a page or a log: without credentials, and with its control characters escaped."""
    return escaped(masked(text), allowed)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts, as in `1 epoch` and `2,000 epochs`.

    Args:
        number: how many.
        noun: the name of one.
        plural: the name of several; by default the noun and an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """The form of a verb that agrees with a number, as in `1 gene reaches` and `2 genes reach`."""
    return singular if number == 1 else plural


def format_size(size: float) -> str:
    """A number of bytes in binary units, in three digits, four from 1,000 on: `512 bytes`, `35.2 MiB`, `1,003 MiB`."""
    return _in_units(size, _DIGITS)


def format_compared(first: float, second: float) -> tuple[str, str]:
    """Two sizes that are compared, as `format_size` writes them, or with up to six digits where three read the same."""
    digits = range(_DIGITS, _MOST_DIGITS + 1)
    texts = ((_in_units(first, number), _in_units(second, number)) for number in digits)
    return next(((one, other) for one, other in texts if one != other), (format_size(first), format_size(second)))


def log_of_another_program(text: str) -> str:
    r"""Lines that another program wrote, fit for a screen: its newlines, tabs and plain colours stay.

    A carriage return, by which programs write over a line of progress, begins a new line.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pieces = []
    end = 0
    for match in _PLAIN_COLOUR.finditer(text):
        pieces += [shown(text[end : match.start()], "\n\t"), match.group()]
        end = match.end()
    return "".join([*pieces, shown(text[end:], "\n\t")])


def _in_units(size: float, digits: int) -> str:
    """A number of bytes rounded to so many digits, or to a whole number where that has more."""
    # What would be rounded to 1,024 of a unit is one of the next.
    fitting = ((unit, unit_bytes) for unit, unit_bytes in _UNITS.items() if round(abs(size) / unit_bytes) < 1024)
    unit, unit_bytes = next(fitting, ("TiB", _UNITS["TiB"]))
    if unit_bytes == 1:
        return counted(round(size), "byte")
    value = size / unit_bytes
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    decimals = max(0, digits - 1 - exponent)
    number = f"{value:,.{decimals}f}"
    return f"{number.rstrip('0').rstrip('.') if decimals else number} {unit}"


def _is_visible(character: str) -> bool:
    # Spaces of all widths are visible enough, and stand in text and numbers.
    return (character.isprintable() and character not in _BLANK) or unicodedata.category(character) == "Zs"


def _code(character: str) -> str:
    names = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    number = ord(character)
    return names.get(character) or (
        f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    )
