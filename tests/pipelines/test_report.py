from __future__ import annotations

import re
import tomllib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest

from pipelines import __version__, report
from pipelines.errors import ResourceError

VOID = {"meta", "br", "img", "link"}
OPTIONAL = {"td", "th", "tr", "p"}
HOSTILE = "<script>alert('x')</script> & \"quotes\""


class Outline(HTMLParser):
    """Collects tags, ids, references and text; fails on a tag closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag and self.open[-1] in OPTIONAL:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(text: str) -> Outline:
    parsed = Outline()
    parsed.feed(text)
    parsed.close()
    assert parsed.open == []
    return parsed


def page() -> report.Page:
    filled = report.Page(HOSTILE, HOSTILE)
    filled.heading(HOSTILE)
    filled.paragraph(HOSTILE, lead=True)
    filled.table(HOSTILE, ("name", HOSTILE), [(HOSTILE, 1), ("other", 2_000)], best=1)
    plots = []
    for end in (1, 2):
        figure, axes = report.new_figure(HOSTILE, HOSTILE)
        axes.plot([0, 1], [0, end], marker="o", label=HOSTILE)
        axes.legend()
        plots.append((HOSTILE, figure))
    filled.figures(*plots)
    return filled


@cache
def html() -> str:
    return page().html()


def test_whatever_the_text_is_it_stays_text() -> None:
    parsed = outline(html())
    assert "script" not in parsed.tags
    assert sum(HOSTILE in text for text in parsed.text) == 10
    assert [value for name, value in parsed.attributes if name == "aria-label"] == [HOSTILE] * 2


def test_the_page_has_a_title_a_language_captions_and_a_description_of_each_plot() -> None:
    parsed = outline(html())
    assert {tag: parsed.tags.count(tag) for tag in ("title", "h1", "h2", "caption", "figure", "figcaption", "svg")} == {
        "title": 1, "h1": 1, "h2": 1, "caption": 1, "figure": 2, "figcaption": 2, "svg": 2,
    }  # fmt: skip
    assert ("lang", "en") in parsed.attributes
    assert ("content", "width=device-width,initial-scale=1") in parsed.attributes
    assert parsed.attributes.count(("role", "img")) == 2
    assert parsed.attributes.count(("scope", "col")) == 2


def test_nothing_comes_from_outside() -> None:
    text = html()
    names = set(re.findall(r'(\S+)="https?:', text))
    assert names <= {"xmlns", "xmlns:xlink"}
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_no_two_plots_share_an_id_and_every_reference_has_its_target() -> None:
    text = html()
    parsed = outline(text)
    assert len(parsed.ids) == len(set(parsed.ids))
    targets = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    assert targets
    assert set(targets) <= set(parsed.ids)


def test_the_same_content_gives_the_same_bytes() -> None:
    assert page().html() == html()


def test_plots_leave_the_global_settings_as_they_were() -> None:
    before = dict(mpl.rcParams)
    page().html()
    assert dict(mpl.rcParams) == before


def test_columns_of_numbers_are_aligned_and_the_best_row_is_marked() -> None:
    small_page = report.Page("t")
    small_page.table("c", ("name", "score", "mixed"), [("a", 0.25, 1), ("b", None, "x")], best=1)
    text = small_page.html()
    assert '<th scope=col>name</th><th scope=col class="n">score</th>' in text
    assert '<td>a</td><td class="n">0.250</td><td>1</td>' in text
    assert '<tr class=best><td>b</td><td class="n"></td><td>x</td>' in text
    assert text.count("class=best") == 1


def test_a_folded_table_shows_its_caption_and_opens_without_a_script() -> None:
    small_page = report.Page("t")
    small_page.table(HOSTILE, ("n",), [(1,), (report.MISSING,)], folded=True)
    parsed = outline(small_page.html())
    assert {tag: parsed.tags.count(tag) for tag in ("details", "summary", "caption", "script")} == {
        "details": 1, "summary": 1, "caption": 0, "script": 0,
    }  # fmt: skip
    assert HOSTILE in parsed.text
    assert f'<td class="n">{report.MISSING}</td>' in small_page.html()


def test_a_plot_may_have_a_name_and_a_text_after_its_title() -> None:
    small_page = report.Page("t")
    figure, _ = report.new_figure("x", "y")
    small_page.figures(report.Plot("Title", figure, HOSTILE, "roc"))
    parsed = outline(small_page.html())
    assert "figure-roc" in parsed.ids
    assert any(HOSTILE in text for text in parsed.text)
    assert "<figcaption><b>Title.</b> " in small_page.html()


def test_a_row_of_another_width_than_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        report.Page("t").table("c", ("one",), [(1, 2)])


def test_numbers_written_as_text_are_aligned_and_names_are_not() -> None:
    rows = [
        (
            "300–999",
            "1",
            "6.21%",
            "0.809–0.833",
            "-0.0160",
            "0.23 ± 0.48",
            "828 MiB",
            "1.0 GiB",
            "5 (2.1%)",
            "512 bytes",
            "1e-05",
            "3-mers",
        )
    ]
    rows.append(
        (
            "1,000–2,999",
            "12",
            report.MISSING,
            "+0.022 to +0.058",
            "",
            "0.1",
            "1,003 MiB",
            "–",
            "3,787 (100%)",
            "2 KiB",
            "1 byte",
            "4",
        )
    )
    small_page = report.Page("t")
    small_page.table("c", [str(number) for number in range(len(rows[0]))], rows)
    kinds = [dict(attributes).get("class") for tag, attributes in cells(small_page.html()) if tag == "th"]
    assert kinds == [None, None, "n", "n", "n", "n", "n", "n", "n", "n", "n", None]


def cells(text: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Tags and attributes of the cells of a page."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, attrs))  # type: ignore[method-assign]
    parser.feed(text)
    return [(tag, attributes) for tag, attributes in found if tag in ("th", "td")]


@pytest.mark.parametrize(("columns", "size"), [(5, ""), (12, "wide"), (20, "wide crowded")])
def test_a_table_of_many_columns_has_a_smaller_font(columns: int, size: str) -> None:
    small_page = report.Page("t")
    small_page.table("c", ["learning"] * columns, [(0.5,) * columns])
    assert f'<table class="{size}">' in small_page.html() if size else "<table>" in small_page.html()


def test_a_page_says_what_it_was_made_from_and_leaves_out_what_is_not_known() -> None:
    small_page = report.Page("t")
    small_page.provenance([("dataset", "0123abcd"), ("command", ""), ("seed", 0), ("bundle", None)])
    text = " ".join(outline(small_page.html()).text)
    assert f"raygene {__version__} dataset 0123abcd seed 0" in " ".join(text.split())
    assert "command" not in text
    assert "bundle" not in text


def test_an_address_with_credentials_is_masked() -> None:
    small_page = report.Page("t")
    small_page.provenance([("command", "raygene evaluate https://user:hidden@example.org/bundle")])
    assert "hidden" not in small_page.html()


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (1_234_567, "1,234,567"), (0.12345, "0.123"), (True, "True"), ("3", "3")]
)
def test_cells_read_as_people_write_them(cell: object, text: str) -> None:
    assert report.format_cell(cell) == text


def test_the_page_is_written_whole_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    for _ in range(2):
        page().write(path)
    assert path.read_text(encoding="utf-8") == html()
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"page\.html"):
        page().write(tmp_path / "file" / "page.html")


def test_an_installation_holds_the_template() -> None:
    project = tomllib.loads((Path(report.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "report.html" in project["tool"]["setuptools"]["package-data"]["pipelines"]
    assert (Path(report.__file__).parent / "report.html").is_file()


def test_pages_follow_a_dark_scheme() -> None:
    text = html()
    assert "color-scheme:light dark" in text
    assert "@media(prefers-color-scheme:dark)" in text


def test_a_template_syntax_in_a_name_stays_text() -> None:
    small_page = report.Page("{{ 7 * 7 }}")
    small_page.paragraph("{% raw %}")
    assert "{{ 7 * 7 }}" in small_page.html()
    assert "{% raw %}" in small_page.html()


def test_a_plot_is_described_by_its_alternative_text_or_its_title() -> None:
    small_page = report.Page("t")
    plots = [report.new_figure("x", "y")[0] for _ in range(2)]
    small_page.figures(report.Plot("Title", plots[0], alt_text=HOSTILE), report.Plot("Other", plots[1]))
    labels = [value for name, value in outline(small_page.html()).attributes if name == "aria-label"]
    assert labels == [HOSTILE, "Other"]


def test_the_caption_of_a_plot_is_no_part_of_the_picture_and_can_be_read_aloud() -> None:
    small_page = report.Page("t")
    small_page.figures(report.Plot("Title", report.new_figure("x", "y")[0], "What it says."))
    picture, caption = small_page.html().split("</svg>")
    assert picture.rindex('<div role="img"') > picture.rindex("<figure")
    assert caption.split()[0] == "</div>"
