"""What users are told at places that no other test comes to. Golden messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import grid, load
from sim.config.errors import ConfigError, DataError
from sim.study.swept.sweep import listed

REPLICAS = "pools.servers.autoscaler.replicas"


def told(*sets: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load("mmc", sets)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (".".join("a" * 41) + "=1", f"--set: leads more than 40 levels deep; got '{'a.' * 25}...'"),
        ("slo.7.share=90%", "--set: slo.7: there is no entry 7 in this list of 1"),
        (
            "pools.servers.autoscaler={kind: scheduled, replicas: 2, "
            "rows: [{days: mi, from: '08:00', to: '09:00', replicas: 3}]}",
            "--set: pools.servers.autoscaler.rows.0.days: must be days of the week, such as 'mon-fri', 'sat, sun' or "
            "'daily'; got 'mi'",
        ),
        (
            "pools.servers.autoscaler={kind: aws_step_scaling, max_replicas: 9, policies: [{metric: busy_share, "
            "threshold: 60%, comparison: GreaterThanOrEqualToThreshold, "
            "steps: [{lower: 10, upper: 5, adjustment: 1}]}]}",
            "--set: pools.servers.autoscaler.policies.0.steps.0.lower: must have a lower bound below the upper one (5)",
        ),
        (
            "pools.servers.autoscaler={kind: aws_step_scaling, max_replicas: 9, policies: [{metric: busy_share, "
            "threshold: 60%, comparison: GreaterThanOrEqualToThreshold, steps: [{lower: 0, upper: 5, adjustment: 1}, "
            "{lower: 7, adjustment: 2}]}]}",
            "--set: pools.servers.autoscaler.policies.0.steps: must follow each other: those around 7 leave a gap",
        ),
        (
            "pools.servers.autoscaler={kind: aws_step_scaling, max_replicas: 9, policies: []}",
            "--set: pools.servers.autoscaler.policies: must have at least 1 item, got none",
        ),
    ],
)
def test_changes(change: str, message: str) -> None:
    assert told(change) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: &a x\n*a : y\n", "s.yaml:2:1: a key cannot be an alias"),
        ("name: x\n---\nname: y\n", "s.yaml:2:1: a second YAML document ('---'); a file holds one"),
    ],
)
def test_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load("s.yaml")
    assert [str(problem) for problem in caught.value.problems] == [message]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([f"{REPLICAS}=1..9000000"], "--over: '1..9000000' has 9,000,000 values; a sweep makes at most 10,000 runs"),
        (["warmup=0.5..2.5"], "--over: needs a step behind ':', as in 0.5..2.5:0.5; got '0.5..2.5'"),
        ([f"{REPLICAS}=1..1000", "seed=1..1000"], "--over: 1,000,000 runs; a sweep makes at most 10,000"),
    ],
)
def test_axes(axes: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        grid("mmc", axes=axes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "points.csv: must be CSV: a line of keys, then a line for each point"),
        ('seed\n"1\n', "points.csv: must be CSV: a line of keys, then a line for each point"),
        ("seed,seed\n1,2\n", "points.csv: must have a line of keys, each once, then a line for each point"),
        ("seed\n", "points.csv: must have a line of keys, each once, then a line for each point"),
        ("seed\n" + "1\n" * 200_000, "points.csv: 200,000 points; a sweep makes at most 10,000"),
    ],
)
def test_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        listed("mmc", (), Path("points.csv"))
    assert str(caught.value) == message
