"""`fleetcast plan` with `plan.over_time`: the orders, the months, exit codes, and a study that is gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main

# Two servers busy on average: four keep 93.6 % of the waits under half a second, three but 73 % (Erlang C).
SCENARIO = """
name: line
seed: 3
starts: 2026-12-01
warmup: 20s
horizon: 140s
workload: {arrivals: {kind: poisson, rate: 2/s}, service: {kind: exponential, mean: 1s}}
pools:
  main:
    gpu: l4
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 3}
    price: {on_demand: $0.8/h, reserved_1y: $0.5/h}
slo: [{metric: queue_wait, under: 500ms, share: 90%}]
plan:
  over_time: {months: 2, growth: 20%/month, node: {l4: 4}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.yaml").write_text(SCENARIO)


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", "line.yaml", "--workers", "1", "--quiet", *arguments])


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = plan("--json", *arguments)
    assert done.exit_code == code, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_orders_and_months_stand_beside_the_certificate_and_are_the_same_again(tmp_path: Path) -> None:
    folder = str(tmp_path / "study")
    said = document("--study", folder)
    over = said["over_time"]
    assert said["pools"]["main"]["replicas"] == 4
    assert [month["month"] for month in over["months"]] == ["2026-12", "2027-01"]
    assert over["months"][0]["replicas"]["main"]["p50"] == 4  # as it is certified
    assert over["months"][1]["replicas"]["main"]["p50"] in (4, 5)
    (order,) = over["orders"]
    assert (order["gpu"], order["gpus"], order["order_by"]) == ("l4", 4, "2026-12-18")
    assert over["usd_expected"] < over["usd_without_commitments"]
    assert over["feasible"] is True
    before = (tmp_path / "study" / "journal.jsonl").read_bytes()
    assert document("--study", folder) == said
    assert (tmp_path / "study" / "journal.jsonl").read_bytes() == before


def test_it_is_told_in_words() -> None:
    said = plan().stdout
    assert "order 4 l4 (reserved 1y) by 2026-12-18" in said
    assert "all keep the promises" in said


def test_a_quota_that_demand_outgrows_is_no_plan() -> None:
    said = document("--set", "plan.over_time.quotas={l4: 4}", "--set", "plan.over_time.growth=40%", code=4)
    over = said["over_time"]
    assert [month["probability_short"] for month in over["months"]] == [0, 1]
    assert over["feasible"] is False


def test_a_mistake_is_told_with_its_place() -> None:
    done = plan("--set", "plan.over_time.growth=fast")
    assert done.exit_code == 2
    assert "plan.over_time.growth: must be a change a month, such as 5%/month" in done.output
