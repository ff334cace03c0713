"""What the documentation shows exists: commands, flags, scripts, links, files; and its lines are short."""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cluster.cli import parser_of_all
from cluster.options.flags import normalized

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
DOCUMENTS += sorted(ROOT.glob("examples/*/README.md"))
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("scripts/*.py"), *ROOT.glob("examples/*/*.py")])
BENCHMARKS = [script for script in SCRIPTS if script.parent.name == "benchmarks"]
PACKAGES = ("pipelines", "training", "tuning", "cluster", "raygene")
MIGRATION = ROOT / "docs" / "migration.md"  # names former commands and modules on purpose
LONGEST_LINE = 120
LONGEST_ROW = 170
# Runs every script with --help in one process, each as Python would start it, and prints its exit status and text.
RUN_HELP = """
import contextlib, io, json, runpy, sys
answers = {}
for script in sys.argv[1:]:
    sys.path[0] = script.rpartition("/")[0]
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            runpy.run_path(script, run_name="__main__")
            status = "no exit"
        except SystemExit as exit:
            status = exit.code
        except BaseException as error:
            status = f"{type(error).__name__}: {error}"
    answers[script] = [status, text.getvalue()]
print(json.dumps(answers))
"""


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


def blocks(text: str) -> list[str]:
    """Code blocks, with continued lines joined."""
    texts = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r" *\\\n *", " ", block) for block in texts]


def commands(document: Path, program: str) -> Iterator[str]:
    """Command lines of a document that start with a program: those of code blocks, and those in backticks."""
    text = document.read_text()
    lines = [line.split("  #")[0].strip().removeprefix("$ ") for block in blocks(text) for line in block.splitlines()]
    prose = re.sub(r"^```[a-z]*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", prose)]
    for line in itertools.chain(lines, spans):
        if line.startswith(f"{program} "):
            yield line


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's verbs or actions; none where it has flags only."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def unknown_parts(words: list[str], parser: argparse.ArgumentParser) -> list[str]:
    """Verbs, actions and flags of a command line that the parser does not know. Placeholders such as VERB are known."""
    if verbs := subcommands(parser):
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            return []
        return unknown_parts(words[1:], verbs[words[0]]) if words[0] in verbs else [words[0]]
    flags = [re.split(r"[=\]]", word.lstrip("["))[0] for word in words if word.lstrip("[").startswith("--")]
    known = {*parser._option_string_actions, "--", "--section.key"}
    return [flag for flag in flags if flag not in known and re.sub(r"\.\d+\.", ".N.", normalized(flag)) not in known]


@cache
def parser() -> argparse.ArgumentParser:
    """That of all verbs, made once: it takes a tenth of a second."""
    return parser_of_all()


@cache
def helps() -> dict[str, tuple[object, str]]:
    """Exit status and text of `--help` of every script."""
    command = [sys.executable, "-c", RUN_HELP, *map(str, SCRIPTS)]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return {name: (status, text) for name, (status, text) in json.loads(finished.stdout.splitlines()[-1]).items()}


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path != MIGRATION], ids=name_of)
def test_every_verb_and_flag_of_a_documented_command_exists(document: Path) -> None:
    for line in commands(document, "raygene"):
        for part in re.split(r"\s--\s", line.removeprefix("raygene ")):
            assert not unknown_parts(part.split(), parser()), line


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_every_script_answers_help(script: Path) -> None:
    status, text = helps()[str(script)]
    assert status == 0
    assert text.startswith("usage:")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_flag_of_a_documented_script_exists(document: Path) -> None:
    for line in commands(document, "python"):
        _, script, *words = line.split()
        if script.endswith(".py"):
            assert not unknown_flags(ROOT / script, words), line


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_every_flag_that_a_script_documents_exists(script: Path) -> None:
    documentation = re.sub(r"\n {8,}", " ", ast.get_docstring(ast.parse(script.read_text())) or "")
    for line in re.findall(rf"^ *python {re.escape(name_of(script))}.*", documentation, re.MULTILINE):
        assert not unknown_flags(script, re.findall(r"--[\w-]+", line)), line


def unknown_flags(script: Path, words: list[str]) -> list[str]:
    """Flags among words that no option of a script has; what its own documentation says does not count."""
    status, text = helps()[str(script)]
    assert status == 0
    known = re.findall(r"--[\w-]+", text.partition("\noptions:\n")[2])
    return [word for word in words if word.startswith("--") and word.strip("[]") not in known]


@pytest.mark.parametrize("script", BENCHMARKS, ids=name_of)
def test_every_benchmark_has_an_option_for_its_results(script: Path) -> None:
    assert "--results RESULTS" in helps()[str(script)][1]


@pytest.mark.parametrize("script", BENCHMARKS, ids=name_of)
def test_stored_results_are_no_more_than_the_default_of_that_option(script: Path) -> None:
    for line in script.read_text().splitlines():
        if re.search(r"\bRESULTS\b|[\"']results\b", line):
            assert re.search(r"^RESULTS = | = parse\(parser, |arguments\.results or HERE", line), line


def test_no_script_has_the_name_of_a_package() -> None:
    scripts = {path.stem for path in (*ROOT.glob("benchmarks/*"), *ROOT.glob("examples/*"))}
    assert not scripts & {*PACKAGES, *sys.stdlib_module_names} - {"profile"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    folders = (
        "pipelines",
        "training",
        "tuning",
        "cluster",
        "raygene",
        "tests",
        "docs",
        "benchmarks",
        "examples",
        "scripts",
    )
    pattern = rf"`((?:{'|'.join(folders)})/[\w./-]+)`"
    for path in re.findall(pattern, document.read_text()):
        if not re.search(r"-N\b|-DEVICE\b|NAME", path):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path != MIGRATION], ids=name_of)
def test_every_dotted_name_of_a_package_can_be_imported(document: Path) -> None:
    for name in re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)", document.read_text()):
        parts = name.split(".")
        resolved = ROOT.joinpath(*parts[:2])
        if resolved.is_dir() or resolved.with_suffix(".py").exists():
            module = longest_module(parts)
            rest = parts[len(module.relative_to(ROOT).with_suffix("").parts) :]
            text = module.read_text() if module.is_file() else (module / "__init__.py").read_text()
            assert not rest or re.search(rf"\b{rest[0]}\b", text), name


def longest_module(parts: list[str]) -> Path:
    """The file or folder of the longest prefix of a dotted name that is a module."""
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        if path.is_dir():
            return path
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py")
    raise AssertionError(parts)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_lines_are_short(document: Path) -> None:
    for number, line in enumerate(document.read_text().splitlines(), 1):
        limit = LONGEST_ROW if line.startswith("|") else LONGEST_LINE
        assert len(line) <= limit or "https://" in line, f"line {number} has {len(line)} characters"


def test_the_index_of_decisions_lists_every_page() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")


def test_every_decision_has_a_question_figures_and_a_decision() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        for entry in page.read_text().split("\n## ")[1:]:
            positions = [entry.find(f"**{part}.**") for part in ("Question", "Figures", "Decision")]
            assert -1 < positions[0] < positions[1] < positions[2], f"{page.name}: {entry.splitlines()[0]}"


def test_every_verb_has_a_page() -> None:
    for verb in subcommands(parser()):
        assert verb == "demo" or (ROOT / "docs" / f"{verb}.md").exists(), verb


def written_at_root(line: str) -> Iterator[str]:
    """What a documented command writes below the folder that it runs in; placeholders are left out."""
    words = line.split()
    pairs = itertools.pairwise(words)
    outputs = [value for flag, value in pairs if flag in {"--output", "--report", "--json"}]
    outputs += words[2:3] if words[1] == "init" else []
    return (output for output in outputs if re.fullmatch(r"[a-z][\w./-]*", output))


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if "examples" not in path.relative_to(ROOT).parts], ids=name_of
)
def test_git_ignores_what_a_documented_command_writes(document: Path) -> None:
    outputs = sorted({output for line in commands(document, "raygene") for output in written_at_root(line)})
    command = ["git", "check-ignore", "--no-index", *outputs, *(f"{output}/x" for output in outputs)]
    ignored = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.split()
    assert [output for output in outputs if not {output, f"{output}/x"} & set(ignored)] == []


def test_git_ignores_no_file_of_the_project() -> None:
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout == ""
