"""`fleetcast report`: what a report says, two of them in one page, its pictures as files; and what is no report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.report.drawing.figure import Figure
from sim.report.page.document import Page, Section, Tile
from sim.report.page.read import Report
from sim.report.page.render import render

LINE = {"type": "scatter", "mode": "lines", "name": "a", "x": [0, 1], "y": [0, 1], "line": {"color": "var(--blue)"}}


def page(name: str, verdict: str = "It holds.") -> Page:
    figures = tuple(Figure(key, f"Picture {key}", "So.", {"data": [LINE], "layout": {}}) for key in ("one", "two"))
    return Page(name, verdict, (Section("S", figures=figures[1:]),), hero=figures[0], tiles=(Tile("9 s", "wait"),))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "report.html").write_text(render(page(f"fleet {name}")), encoding="utf-8")


def report(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


def test_it_says_what_a_report_says_and_where_it_is() -> None:
    done = report("a")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["fleet a: It holds.", "  9 s  wait", "  in a/report.html, 2 pictures"]
    told = json.loads(report("a/report.html", "--json").stdout)
    assert told["reports"][0]["verdict"] == "It holds."
    assert told["reports"][0]["figures"]["one"]["title"] == "Picture one"


def test_two_are_laid_side_by_side_in_one_page() -> None:
    done = report("a", "b", "--out", "both.html")
    assert done.exit_code == 0, done.output
    both = Path("both.html").read_text()
    assert "fleet b" in both
    assert Report(Path("both.html")).data.title == "fleet a"
    assert report("a", "b", "--out", "both.html").exit_code == 2, "not over another file"
    assert report("both.html", "a", "--out", "again.html").exit_code == 0, "another may take the place"
    assert "fleet b" not in Path("again.html").read_text()


def test_pictures_are_written_as_files() -> None:
    done = report("a", "--pictures", "drawn")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["one.png", "one.svg", "two.png", "two.svg"]
    assert Path("drawn/one.png").read_bytes().startswith(b"\x89PNG")
    assert "Picture one" in Path("drawn/one.svg").read_text()
    assert report("a", "--pictures", "drawn").exit_code == 2, "not over other files"
    only = report("a", "--pictures", "svgs", "--format", "svg", "--json")
    assert json.loads(only.stdout)["pictures"] == ["svgs/one.svg", "svgs/two.svg"]


def test_hostile_words_stay_words() -> None:
    bad = "</script><script>alert(1)</script>"
    Path("a/report.html").write_text(render(page(bad, bad)), encoding="utf-8")
    assert Report(Path("a/report.html")).data.verdict == bad
    done = report("b", "a", "--out", "both.html")
    assert done.exit_code == 0, done.output
    assert "<script>alert(1)" not in Path("both.html").read_text()


def test_control_codes_are_shown_and_not_sent() -> None:
    Path("a/report.html").write_text(render(page("fleet", "\x1b[31mred\r\nA line.")), encoding="utf-8")
    assert report("a").stdout.splitlines()[0] == "fleet: \\x1b[31mred\\r\\nA line."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: "<html></html>", "is no report of fleetcast"),
        (
            lambda text: text.replace('"format":"fleetcast-report"', '"format":"mine"', 1),
            "are not those of a report (format",
        ),
        (lambda text: text.replace('"mood":"plain"', '"mood":7', 1), "are not those of a report"),
        (lambda text: text.replace('{"format"', '{"format', 1), "its data are damaged"),
        (lambda text: text[: text.index('id="report">') + 20], "ends too early"),
        (lambda text: text.replace('"type":"scatter"', '"type":"violin"', 1), "'one' is not one that fleetcast draws"),
        (lambda text: text.replace('"x":[0,1]', '"x":[0]', 1), "'one' is not one that fleetcast draws"),
        (lambda text: text.replace('"layout":{}', '"layout":{"xaxis":null}', 1), "'one' is not one that fleetcast"),
        (lambda text: text.replace('"x":[0,1]', '"x":[0,NaN]', 1), "its data are damaged"),
        (lambda text: text.replace('"x":[0,1]', '"x":[0,1e999]', 1), "its data are damaged"),
        (lambda text: text.replace('"x":[0,1]', '"x":' + "[" * 99_999, 1), "its data are damaged"),
        (lambda text: text.replace('"one":', '"../one":'), "are not those of a report (plots.../one"),
        (lambda text: text.replace('"one":', '"..":'), "are not those of a report (plots...."),
        (
            lambda text: text.replace('"Picture one"', f'"{"n" * 10_001}"', 1),
            "are not those of a report (figures.one.title",
        ),
    ],
)
def test_what_is_no_report_is_told_with_its_place(change: object, told: str) -> None:
    assert callable(change)
    Path("a/report.html").write_text(change(Path("a/report.html").read_text()), encoding="utf-8")
    done = report("a", "--pictures", "drawn")
    assert done.exit_code == 3, done.output
    assert "a/report.html" in done.stderr
    assert told in done.stderr
    assert not Path("drawn").exists(), "all or nothing"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["none"], 3, "there is no such file or folder"),
        (["."], 3, "there is no report.html in it"),
        (["a", "b"], 2, "give FOLDER2 and --out"),
        (["a", "--out", "x.html"], 2, "give FOLDER2 and --out"),
        (["a", "b", "--out", "x.txt"], 2, "ends in .html"),
        (["a", "--format", "png"], 2, "give both"),
        (["a", "--pictures", "no/such/place"], 2, "does not exist"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], code: int, told: str) -> None:
    done = report(*arguments)
    assert done.exit_code == code, done.output
    assert told in done.stderr
