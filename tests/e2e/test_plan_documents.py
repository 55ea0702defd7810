"""The documents of a plan: all of them, in agreement with each other, whole or not at all; and what changed since."""

from __future__ import annotations

import csv
import html.parser
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.scenario import load

SCENARIO = """
name: line
description: How many <b>servers</b> | does *this* take?
seed: 3
warmup: 40s
horizon: 240s
workload: {arrivals: {kind: poisson, rate: 0.5/s}, service: {kind: exponential, mean: 4s}}
pools:
  main:
    gpu: l4
    boot: 20s
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 3}
slo: [{metric: queue_wait, under: 1s, share: 90%}]
plan: {survive: {zones: 1, of: 3}}
"""
FILES = {"report.html", "plan.md", "plan.json", "plan.csv", "planned.yaml", "sensitivity.svg"}
BUDGET = ("--budget", "12000")


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", "line.yaml", "--workers", "1", "--quiet", *BUDGET, *arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenario and, below `out`, its documents."""
    folder = tmp_path_factory.mktemp("plan")
    (folder / "line.yaml").write_text(SCENARIO)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        done = plan("--out", "out")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "plan.json").read_text())
    return found


def test_all_documents_are_there(folder: Path, document: dict[str, Any]) -> None:
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    assert document["schema_version"] == 1
    assert document["feasible"] is True
    assert [drill["name"] for drill in document["drills"]] == [
        "a node lost",
        "a zone lost",
        "spot reclaimed",
        "cold start",
        "retry storm",
    ]
    assert {swing["assumption"] for swing in document["sensitivity"]["swings"]} >= {"demand", "GPU price"}
    assert load(document["scenario"]).digest == document["config_sha256"]


def test_the_planned_scenario_runs_and_a_certificate_can_be_had_again(folder: Path, document: dict[str, Any]) -> None:
    planned = load(folder / "out" / "planned.yaml")
    assert planned.pools["main"].autoscaler.initial_replicas == document["pools"]["main"]["replicas"]
    found = document["certificates"][0]
    text = (folder / "out" / "plan.md").read_text()
    command = next(line for line in text.splitlines() if line.startswith("fleetcast run"))
    arguments = command.replace("planned.yaml", "out/planned.yaml").split()[1:]
    done = CliRunner().invoke(main, [*arguments, "--json", "--quiet", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["slo"][0]["attained"] == pytest.approx(found["attained"], rel=1e-12)


def test_the_table_of_csv_and_of_markdown_is_the_plans(folder: Path, document: dict[str, Any]) -> None:
    with (folder / "out" / "plan.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    main_pool = document["pools"]["main"]
    assert (row["gpu"], int(row["gpus"]), int(row["replicas"])) == ("l4", main_pool["gpus"], main_pool["replicas"])
    assert float(row["usd"]) == pytest.approx(main_pool["list_usd_per_hour"] * 720, abs=0.01)
    tables = markdown_tables((folder / "out" / "plan.md").read_text())
    headroom = tables["Headroom of main"]
    assert headroom[-1][:2] == ["fleet", str(main_pool["replicas"])]
    assert sum(int(line[1]) for line in headroom[:-1]) == main_pool["replicas"]
    assert [line[0] for line in tables["Drills"]] == [drill["name"] for drill in document["drills"]]
    assert [line[2] for line in tables["Drills"]] == [drill["verdict"] for drill in document["drills"]]
    swings = [each for each in document["sensitivity"]["swings"] if not each["why_not"]]
    assert sorted((line[0], line[1]) for line in tables["With one assumption otherwise"]) == sorted(
        (each["assumption"], each["change"]) for each in swings
    )


def markdown_tables(text: str) -> dict[str, list[list[str]]]:
    """By caption, the rows below the heading; every row must have as many cells as its heading."""
    found: dict[str, list[list[str]]] = {}
    caption, wide = "", 0
    for line in text.splitlines():
        if line.startswith("**") and line.endswith("**"):
            caption, wide = line.strip("*"), 0
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")]
            wide = wide or len(cells)
            assert len(cells) == wide, line
            found.setdefault(caption, []).append(cells)
    return {name: rows[2:] for name, rows in found.items()}


class Balanced(html.parser.HTMLParser):
    """Fails on an element that is closed out of order; collects words, addresses and anchors."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_well_formed_and_needs_nothing_else(folder: Path) -> None:
    text = (folder / "out" / "report.html").read_text()
    page = Balanced(text)
    assert {tag for tag, _ in page.found}.isdisjoint({"link", "iframe"})
    assert "How many <b>servers</b> | does *this* take?" in page.words  # a user's words stay words
    anchors = {told["id"] for _, told in page.found if "id" in told}
    links = [str(told["href"]) for tag, told in page.found if tag == "a"]
    assert len(links) > 10
    assert {link.removeprefix("#") for link in links} <= anchors
    drawn = [told["data-plot"] for _, told in page.found if "data-plot" in told]
    assert drawn == ["certificates", "sensitivity"]


def test_the_sections_stand_in_the_order_in_which_they_are_read(folder: Path) -> None:
    titles = [line for line in (folder / "out" / "plan.md").read_text().splitlines() if line.startswith("## ")]
    assert [title.split(". ", 1)[1] for title in titles] == [
        "Decision requested",
        "Scope, promises and redundancy",
        "Demand",
        "Performance model",
        "Capacity and headroom",
        "Certificates",
        "Failure drills",
        "Cost",
        "Sensitivity",
        "Risks and triggers",
        "Assumptions",
        "The same again",
    ]


def test_the_same_command_gives_the_same_bytes_for_any_number_of_workers(folder: Path) -> None:
    done = plan("--out", "again", "--workers", "2")
    assert done.exit_code == 0, done.output
    for name in FILES:
        one, other = (folder / place / name for place in ("out", "again"))
        assert one.read_bytes() == other.read_bytes(), name


def test_a_folder_is_replaced_only_where_it_is_ours_and_asked_for(folder: Path) -> None:
    assert "--force" in plan("--out", "out").output
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / "notes.txt").write_text("mine")
    refused = plan("--out", "mine", "--force")
    assert refused.exit_code == 2
    assert "not written by fleetcast" in refused.output
    assert (folder / "mine" / "notes.txt").read_text() == "mine"


def test_what_has_changed_since_and_why(folder: Path, document: dict[str, Any]) -> None:
    quick = ("--no-drills", "--no-sensitivity", "--out", "later")
    sets = ("--set", "workload.arrivals.rate=1/s", "--set", "pools.main.gpu=a10g")
    done = plan("--diff", "out/plan.json", *sets, *quick)
    assert done.exit_code == 0, done.output
    later = json.loads((folder / "later" / "plan.json").read_text())
    diff = later["diff"]
    numbers = {each["what"]: (each["before"], each["after"]) for each in diff["numbers"]}
    replicas = (document["pools"]["main"]["replicas"], later["pools"]["main"]["replicas"])
    assert numbers["main: replicas"] == replicas
    assert replicas[1] > replicas[0]
    assert numbers["main: GPU"] == ("l4", "a10g")
    assert {each["key"] for each in diff["inputs"]} == {"workload.arrivals.rate", "pools.main.gpu"}
    first, rate, gpu = diff["walk"]
    assert first["replicas"] == {"main": replicas[0]}
    assert rate["replicas"] == gpu["replicas"] == {"main": replicas[1]}  # the GPU changes the price only
    assert gpu["usd_per_hour"] == later["usd_per_hour"] != rate["usd_per_hour"]
    assert "What has changed" in (folder / "later" / "plan.md").read_text()
    assert "workload.arrivals.rate: 0.5 → 1" in done.output


def test_the_same_plan_is_told_so(folder: Path) -> None:
    assert "the same plan" in plan("--diff", "out/plan.json").output


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (None, 2, "there is no such file"),
        ("name: x", 3, "is no JSON"),
        ('{"pools": {}}', 3, "is no plan.json"),
        ('{"format": "fleetcast-plan-document", "schema_version": 7}', 3, "schema version 7"),
        ('{"format": "fleetcast-plan-document", "schema_version": 1, "pools": {}}', 3, "lacks what a plan has"),
    ],
)
def test_a_file_that_is_no_plan_is_told_by_name(folder: Path, text: str | None, code: int, told: str) -> None:
    if text is not None:
        (folder / "old.json").write_text(text)
    else:
        (folder / "old.json").unlink(missing_ok=True)
    done = plan("--diff", "old.json")
    assert done.exit_code == code, done.output
    assert told in done.output
    assert "old.json" in done.output


def test_documents_of_no_plan_say_why(folder: Path) -> None:
    done = plan("--set", "plan.pools.main.replicas.most=2", "--out", "none")
    assert done.exit_code == 4, done.output
    assert {path.name for path in (folder / "none").iterdir()} == {"report.html", "plan.md", "plan.json", "plan.csv"}
    said = json.loads((folder / "none" / "plan.json").read_text())
    assert said["feasible"] is False
    assert said["reason"]
    assert "no plan keeps what is promised" in (folder / "none" / "plan.md").read_text()
