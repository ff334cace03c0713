"""Retired words stay retired: none of `vocabulary.txt` is left in a tracked text file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("vocabulary.txt")
# These name former keys, flags and commands on purpose.
EXEMPT = (
    "CHANGELOG.md",
    "LICENSE",
    "cluster/options/former_commands.py",
    "docs/migration.md",
    "tests/cluster/options/test_former_commands.py",
    "tests/cluster/test_renamed_keys.py",
    "tests/test_vocabulary.py",
    "tests/training/bundle/bundles/",
    "tests/tuning/earlier_version/",
    "tests/tuning/test_earlier_version.py",
    "tests/vocabulary.txt",
)
# Former names by which a file reads what earlier versions wrote, or refuses them.
READ_BACK = {
    ("cluster/options/flags.py", "--judged"),
    ("cluster/options/flags.py", "judged"),
    ("pipelines/dataset/manifest.py", "judged"),
    ("tests/cluster/verbs/test_scan.py", "--judged"),
    ("tests/cluster/verbs/test_scan.py", "judged"),
    ("tests/pipelines/dataset/test_token_dataset.py", "judged"),
    ("tests/training/bundle/test_card.py", "judged"),
    ("tests/training/bundle/test_migrations.py", "judged"),
    ("tests/tuning/test_trial.py", "roomy"),
    ("tests/tuning/test_trial.py", "training.batch"),
    ("training/bundle/migrations.py", "judged"),
    ("tuning/identity.py", "campaign"),
    ("tuning/trial.py", "roomy"),
}


def retired() -> dict[str, str]:
    """Each pattern with what replaced it."""
    lines = LIST.read_text().splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


def whole_words(patterns: Iterable[str]) -> re.Pattern[str]:
    """Any of the patterns between characters that are no letter or digit: parts of snake_case names count as words."""

    def scoped(pattern: str) -> str:
        literal = re.sub(r"\\.", "", pattern)
        return f"(?:{pattern})" if any(letter.isupper() for letter in literal) else f"(?i:{pattern})"

    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(scoped, patterns))})(?![A-Za-z0-9])")


def texts() -> Iterator[tuple[str, str]]:
    """Every tracked text file that is not exempt, with its text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files")
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(EXEMPT) or not (ROOT / name).is_file():
            continue
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode(errors="replace")


def test_no_retired_word_is_left() -> None:
    replacements = retired()
    patterns = {pattern: whole_words([pattern]) for pattern in replacements}
    # Sixty searches of every file take seconds, and few files have a match.
    any_pattern = whole_words(replacements)
    leftovers = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r}: write {replacements[pattern]}"
        for name, text in texts()
        if any_pattern.search(text)
        for pattern, expression in patterns.items()
        for match in expression.finditer(text)
        if (name, match.group()) not in READ_BACK
    ]
    assert not leftovers, "\n" + "\n".join(leftovers)
