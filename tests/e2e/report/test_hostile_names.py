"""Names that are programs are words: in a browser, in Markdown, in pictures, in tables, on a terminal."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from sim.cli import main
from sim.cli.sweep.tables import csv_text
from sim.config.errors import ConfigError
from sim.engine import simulate
from sim.report.drawing.figure import Figure
from sim.report.drawing.paint.files import svg
from sim.report.page.document import Page, Section, Tile
from sim.report.page.render import embedded, render
from sim.report.plan.document import _plain, _row
from sim.report.run.page import page_of
from sim.report.tables.table import Table
from sim.scenario import load
from tests.e2e.report.opened import Opened
from tests.fuzz.sites import SOURCES

NAMES = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</script><script>window.hacked = 3</script>",
    "<!--<script>",
    "javascript:window.hacked=4",
    "{{ 7 * 7 }}{% raw %}",
    "<a href='javascript:window.hacked=5'>a</a><b>b</b>",
    "\u202egnp.exe",
    "[red]r[/red]",
    "&lt;b&gt; &amp;",
)
ALL = " ".join(NAMES)


def _scenario() -> dict[str, Any]:
    """A small run with such words wherever a scenario takes any."""
    gpu = {
        "name": ALL,
        "description": ALL,
        "memory": "80GiB",
        "memory_bandwidth": "3TB/s",
        "price": {"on_demand": "$2/h", "source": ALL, "as_of": "2026-08-01"},
        "source": ALL,
    }
    pool = {
        "gpu": gpu,
        "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-5, "decode_s_per_seq": 1e-4, "attention_s_per_token": 0},
        "kv_capacity_tokens": 100_000,
        "replica": {"kind": "batching", "max_num_seqs": 8},
        "autoscaler": {"kind": "fixed", "replicas": 2},
        "supply": [{"name": ALL, "market": "on_demand"}, {"name": NAMES[1], "market": "on_demand"}],
    }
    lengths = {"prompt_tokens": {"kind": "constant", "value": 100}, "output_tokens": {"kind": "constant", "value": 9}}
    stream = {"arrivals": {"kind": "poisson", "rate": 2}, **lengths, "class": "-c", "tenant": "-t"}
    return {
        "name": "hostile",
        "description": ALL,
        "horizon": "1m",
        "starts": "2026-09-01",
        "workload": {"streams": {"-s": stream}},
        "pools": {"-p": pool},
        "slo": [{"metric": "ttft", "under": "1s", "share": 0.9}],
    }


def _page() -> Page:
    """Every place of a page, and of a picture on it."""
    plot = {
        "data": [{"type": "bar", "x": [1, 2], "y": [1, 2], "name": "a", "text": ["a", "b"]}],
        "layout": {"xaxis": {"title": {"text": "x"}}, "yaxis": {"title": {"text": "y"}}},
    }
    figure = Figure("figure", ALL, ALL, plot)
    table = Table(ALL, (ALL, "b"), ((ALL, ALL), ("1", "2")))
    section = Section(ALL, (ALL,), (ALL,), (), (table,), (ALL,), (ALL,))
    sections = (section, Section("b", (ALL,)), Section("c", (ALL,)), Section("d", (ALL,)))
    tile = Tile(ALL, ALL, "plain", ALL)
    return Page(ALL, ALL, sections, "plain", ALL, ALL, (ALL,), (tile,), figure, ((ALL, ALL),), ALL, ((ALL, ALL),))


def _beside(page: Page) -> str:
    return render(page, embedded(page))


VERBS = {
    "compare": ["--with", "pools.-p.autoscaler.replicas=3", "--replications", "3"],
    "sweep": ["--over", "pools.-p.autoscaler.replicas=2,3", "--replications", "1"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_reports_of_several_runs_run_no_names(verb: str, tmp_path: Path, opens: Callable[..., Opened]) -> None:
    file, out = tmp_path / "<b onclick=x><img src=x onerror=window.hacked=6>[red]&lt;.json", tmp_path / "out"
    file.write_text(json.dumps(_scenario()))
    done = CliRunner().invoke(main, [verb, str(file), *VERBS[verb], "--quiet", "--out", str(out)])
    assert done.exit_code == 0, done.output
    opened = opens(out / "report.html")
    for closed in opened.page.query_selector_all("details:not([open]) > summary"):
        closed.click()
    assert opened.page.evaluate("() => window.hacked === undefined")
    assert [asked for asked in opened.asked if not asked.startswith(("file:", "data:", "blob:"))] == []
    assert opened.page.query_selector_all("img[src=x], b[onclick], a[href^='javascript']") == []
    assert "<b onclick=x>" in opened.page.evaluate("() => document.body.textContent")


@pytest.mark.parametrize(
    "made",
    [lambda: render(_page()), lambda: _beside(_page()), lambda: render(page_of(simulate(load(_scenario()))))],
    ids=["every place", "one beside another", "a run"],
)
def test_a_report_shows_names_as_they_are_typed(
    made: Callable[[], str], tmp_path: Path, opens: Callable[..., Opened]
) -> None:
    path = tmp_path / "report.html"
    path.write_text(made(), encoding="utf-8")
    opened = opens(path)
    dialogs: list[str] = []
    opened.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for closed in opened.page.query_selector_all("details:not([open]) > summary"):
        closed.click()
    assert opened.page.evaluate("() => window.hacked === undefined")
    assert dialogs == []
    assert [asked for asked in opened.asked if not asked.startswith(("file:", "data:", "blob:"))] == []
    assert opened.page.query_selector_all("img[src=x], a[href^='javascript']") == []
    shown = opened.page.evaluate("() => document.body.textContent")
    for name in NAMES:
        assert " ".join(name.split()) in " ".join(shown.split()), name


def test_a_picture_is_sound_and_shows_names_as_they_are_typed() -> None:
    from html import escape

    data = [{"type": "bar", "x": [1, 2], "y": [1, 2], "name": escape(ALL), "text": [escape(ALL), "b"]}]
    layout = {"xaxis": {"title": {"text": escape(ALL)}}, "yaxis": {"title": {"text": "y"}}}
    root = ElementTree.fromstring(svg(Figure("k", ALL, ALL, {"data": data, "layout": layout})))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "img", "a", "foreignObject", "image"}
    assert not [key for element in root.iter() for key in element.attrib if key.lower().startswith("on")]


@pytest.mark.parametrize("name", NAMES)
def test_markdown_takes_no_name_for_its_own(name: str) -> None:
    for text in (_plain(name), _row([name])):
        assert re.search(r"(?<!\\)(?:\\\\)*<", text) is None, "no HTML"
        assert re.search(r"(?<!\\)(?:\\\\)*\]\(", text) is None, "no link"


def test_a_terminal_shows_names_as_they_are_typed(tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps(_scenario()))
    done = CliRunner().invoke(main, ["run", str(file), "--replications", "1", "--no-save"])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "[red]r[/red]" in done.output, "brackets are no colours"


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\x00b", "bell\x07", "\x9b31m", "back\x08space", "\x7f"])
@pytest.mark.parametrize("change", ["description={}", 'description="{}"', "pools.-p.gpu.name={}", "{}=1"])
def test_control_characters_are_refused(text: str, change: str) -> None:
    with pytest.raises(ConfigError, match=r"control character U\+00|not allowed in YAML|no such key"):
        load(_scenario(), [change.format(text)])


def test_control_characters_of_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('name: a\ndescription: "a\\e[31mb"\n')
    with pytest.raises(ConfigError, match=r"a\.yaml:2:14: holds the control character U\+001B; leave it out"):
        load(tmp_path / "a.yaml")


@pytest.mark.parametrize("words", [["export", "focus"], ["export", "metrics"], ["export", "trace"]])
def test_exports_keep_names_as_words(words: list[str], tmp_path: Path) -> None:
    file, out = tmp_path / "hostile.json", tmp_path / "out.csv"
    file.write_text(json.dumps(_scenario()))
    done = CliRunner().invoke(main, [*words, str(file), "--out", str(out), "--quiet"])
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    if words[1] == "trace":
        assert json.loads(text)["otherData"]["scenario"] == "hostile"
    elif words[1] == "focus":
        _check_cells(text)
        assert any(ALL in cell for row in csv.reader(io.StringIO(text)) for cell in row)
    else:
        label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
        pattern = rf"[a-zA-Z_:][\w:]*(?:\{{{label}(?:,{label})*\}})? \S+(?: [0-9.]+)?(?: # .*)?"
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert [line for line in lines if not re.fullmatch(pattern, line)] == []


def _check_cells(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            number = re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", cell)
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def test_tables_of_a_sweep_start_no_formula_and_keep_numbers() -> None:
    metrics = {"attained": [0.5], "-x": -1.5}
    run = {
        "set": {"name": "=1+1", "key": "-5", "@a": "+x"},
        "metrics": metrics,
        "summary": {"slo": [{"metric": "ttft"}]},
        "error": '=HYPERLINK("http://x")',
    }
    text = csv_text([run])
    _check_cells(text)
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {
        "name": "'=1+1",
        "key": "-5",
        "'@a": "'+x",
        "attained.ttft": "0.5",
        "'-x": "-1.5",
        "error": '\'=HYPERLINK("http://x")',
    }


PLAIN_TABLES = {"sim/study/replicated/answer.py": "numbers, below paths of the summary"}


def test_every_table_that_is_written_goes_through_the_same_door() -> None:
    writers, doors = set(), set()
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        name = path.relative_to(SOURCES.parent).as_posix()
        writers |= {name} if calls & {"csv.writer", "csv.DictWriter"} else set()
        doors |= {name} if "cell" in names else set()
    assert writers - doors - PLAIN_TABLES.keys() == {"sim/exchange/focus/rows.py"}, "whose cells are made in columns.py"
    assert "sim/exchange/focus/columns.py" in doors
