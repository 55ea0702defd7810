"""`fleetcast plan` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.study.replicated.fresh import fresh_seed

# Five servers busy on average: 8 keep 96.3 % of the waits under half a second, 7 but 88.1 % (Erlang C).
SCENARIO = """
name: line
seed: 3
warmup: 40s
horizon: 240s
workload: {arrivals: {kind: poisson, rate: 5/s}, service: {kind: exponential, mean: 1s}}
pools:
  main:
    gpu: l4
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 3}
slo: [{metric: queue_wait, under: 500ms, share: 90%}]
"""
PLAN = "plan: {pools: {main: {gpu: [a10g, l4]}}, survive: {zones: 1, of: 3}}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.yaml").write_text(SCENARIO)
    Path("chosen.yaml").write_text(SCENARIO + PLAN)


def plan(file: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", file, "--workers", "1", *arguments])


def document(file: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = plan(file, "--json", "--quiet", *arguments)
    assert done.exit_code == code, done.output
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_smallest_fleet_and_its_certificates() -> None:
    said = document("line.yaml")
    assert said["feasible"] is True
    main = said["pools"]["main"]
    enough, fewer = said["certificates"][:2]
    assert main["replicas"] == enough["replicas"] == 8
    assert (main["gpu"], main["gpus"], main["gpus_per_replica"]) == ("l4", 8, 1)
    assert said["usd_per_hour"] == pytest.approx(main["list_usd_per_hour"])
    assert (enough["meets"], fewer["meets"], fewer["replicas"]) == (True, False, 7)
    assert enough["interval"][0] >= 0.9 > fewer["interval"][1]
    assert enough["interval"][0] < enough["attained"] < enough["interval"][1]
    assert enough["seed"] == said["fresh_seed"] == fresh_seed(3)


def test_anybody_gets_the_numbers_of_a_certificate_again() -> None:
    found = document("line.yaml")["certificates"][0]
    sets = ("--set", f"seed={found['seed']}", "--set", f"pools.main.autoscaler.replicas={found['replicas']}")
    number = ("--replications", str(found["runs"]), "--workers", "1")
    done = CliRunner().invoke(main, ["run", "line.yaml", "--json", "--quiet", *sets, *number])
    assert json.loads(done.stdout)["slo"][0]["attained"] == pytest.approx(found["attained"], rel=1e-12)


def test_the_cheaper_gpu_is_taken_and_a_zone_may_be_lost() -> None:
    said = document("chosen.yaml")
    main = said["pools"]["main"]
    assert main["gpu"] == "l4"
    assert (main["need"], main["spare"], main["replicas"]) == (8, 4, 12)  # 4 in each of 3 zones
    assert main["survive"]["left_after_loss"] == 8
    assert [one["design"] for one in said["considered"]] == ["1 x l4", "1 x a10g"]
    assert said["usd_per_hour"] == pytest.approx(12 * 0.707, rel=0.2)


def test_in_words() -> None:
    done = plan("chosen.yaml", "--quiet")
    assert done.exit_code == 0, done.output
    first, *rest = done.stdout.splitlines()
    assert first.startswith("8 replicas meet 90% of queue wait under 500 ms with 95% confidence on fresh seeds (")
    assert "; 7 replicas do not (" in first
    assert "pool main: 12 replicas, 12 GPUs (1 x l4)" in rest
    assert any(line.startswith("  to survive 1 zone of 3") for line in rest)


def test_no_plan_meets_it() -> None:
    said = document("line.yaml", "--set", "plan.pools.main.replicas.most=5", code=4)
    assert said["feasible"] is False
    assert said["pools"] == {}
    assert said["usd_per_hour"] is None
    assert [found["meets"] for found in said["certificates"]] == [False]
    assert said["reason"].startswith("even 5 replicas attain ")
    assert "no more replicas may be had (5 in pool 'main'" in said["reason"]
    done = plan("line.yaml", "--quiet", "--set", "plan.pools.main.replicas.most=5")
    assert done.exit_code == 4
    assert done.stdout.startswith("no plan meets it: even 5 replicas attain ")


def test_service_alone_takes_too_long() -> None:
    said = document("line.yaml", "--set", "slo=[{metric: e2e, under: 1s, share: 99%}]", code=4)
    assert "nobody waits in line" in said["reason"]
    assert "service alone takes that" in said["reason"]


def test_every_run_is_kept_and_a_plan_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    whole = document("line.yaml", "--study", str(folder))
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == whole["runs"]
    journal.write_bytes(b"".join(lines[:7]) + lines[7][:100])  # as if it had been killed there
    assert document("line.yaml", "--study", str(folder)) == whole
    assert len(journal.read_bytes().splitlines()) == len(lines)
    assert document("line.yaml") == whole
    other = plan("line.yaml", "--study", str(folder), "--set", "name=another")
    assert other.exit_code == 2
    assert "holds runs of another scenario (line); name another folder" in other.stderr


def test_the_document_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = plan("line.yaml", "--quiet", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert json.loads((out / "plan.json").read_text())["feasible"] is True
    again = plan("line.yaml", "--quiet", "--out", str(out))
    assert again.exit_code == 2
    assert "is already there" in again.stderr


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        ("slo=[]", "slo: is missing: a plan needs to know what is promised"),
        ("plan.pools.mian={}", "plan.pools.mian: no pool is called 'mian'; did you mean 'main'?"),
        ("plan.survive={zones: 1}", "plan.survive.zones: pool 'main' is in no more zones"),
        ("plan.survive={zones: 1, nodes: 1}", "one of replicas, nodes, zones, availability; got nodes and zones"),
        ("plan.survive={availability: 99%}", "plan.survive.unit_availability: is missing"),
        ("plan.pools.main.max_num_seqs=[8]", "max_num_seqs: says nothing for replicas of kind slots"),
        ("plan.pools.main.gpu=[l4, h999]", "h999"),
        ("plan.pools.main.replicas={least: 5, most: 4}", "must be at most 'most' (4), got 5"),
        ("plan.pools.main.fixed=true", "the pool has no autoscaler; remove it"),
    ],
)
def test_mistakes_are_told(sets: str, told: str) -> None:
    done = plan("line.yaml", "--set", sets)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert "Traceback" not in done.stderr


# -- several pools, autoscalers ---------------------------------------------------------------------------------------

TWO = """
name: two
seed: 1
warmup: 20s
horizon: 80s
workload:
  streams:
    chat: {arrivals: {kind: poisson, rate: 4/s}, service: {kind: exponential, mean: 1s}}
    code: {arrivals: {kind: poisson, rate: 1/s}, service: {kind: exponential, mean: 2s}}
pools:
  chat: {replica: {kind: slots}, queue: {kind: central}, autoscaler: {kind: fixed, replicas: 1}}
  code: {replica: {kind: slots}, queue: {kind: central}, autoscaler: {kind: fixed, replicas: 1}}
slo: [{metric: queue_wait, under: 1s, share: 90%}]
"""


def test_each_pool_is_as_small_as_it_may_be() -> None:
    Path("two.yaml").write_text(TWO)
    said = document("two.yaml", "--budget", "20000")
    planned = {name: pool["replicas"] for name, pool in said["pools"].items()}
    enough, *others = said["certificates"]
    assert enough["fleet"] == planned
    assert enough["meets"] is True
    lowered = {each["lowered"]: each for each in others if each["lowered"]}
    assert set(lowered) == {"chat", "code"}
    assert all(each["meets"] is not True for each in lowered.values())
    assert said["usd_per_hour"] is None  # no pool says what a GPU costs
    # what both need to be stable, and not much beyond it
    assert 5 <= planned["chat"] <= 8
    assert 3 <= planned["code"] <= 6


def test_of_an_autoscaled_pool_the_least_is_chosen() -> None:
    policy = "{kind: queue_length, min_replicas: 1, max_replicas: 20, target: 1}"
    said = document("line.yaml", "--set", f"pools.main.autoscaler={policy}", "--budget", "60000")
    main = said["pools"]["main"]
    assert main["chosen"] == "min_replicas"
    assert 1 <= main["replicas"] <= 8  # a fixed fleet takes 8
    assert said["usd_per_hour"] > 0
