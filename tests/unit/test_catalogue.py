"""What ships is found by name, whole, and cannot be escaped from."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.config import catalogue
from sim.config.errors import ConfigError
from sim.hardware import Calibration
from sim.scenario import load


@pytest.mark.parametrize("name", catalogue.names(catalogue.SCENARIOS))
def test_every_shipped_scenario_loads_and_asks_a_question(name: str) -> None:
    if name == "trace-replay":
        with pytest.raises(ConfigError, match=r"workload.trace: .*--set workload.trace=PATH"):
            load(name)
        return
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description.partition("\n")[0].endswith("?")


def test_trace_replay_takes_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0,10,5\n1.5,20,5\n")
    assert load("trace-replay", [f"workload.trace={trace}"]).workload.is_finite


@pytest.mark.parametrize("model", catalogue.names(catalogue.MODELS))
def test_every_shipped_model_runs_on_gpus_that_hold_it(model: str) -> None:
    base = {
        "name": "x",
        "horizon": 1,
        "workload": {
            "arrivals": {"kind": "poisson", "rate": 1},
            "prompt_tokens": {"kind": "constant", "value": 1},
            "output_tokens": {"kind": "constant", "value": 1},
        },
        "pools": {"p": {"model": model, "gpu": "gb200", "gpus_per_replica": 4, "autoscaler": {"replicas": 1}}},
    }
    pool = load(base, ["pools.p.gpus_per_replica=8"] if model == "llama-3-405b" else []).pools["p"]
    assert pool.law.source == "roofline"
    assert pool.kv_tokens > 10_000
    assert pool.law.iteration_s(0, 1) > 0
    assert pool.model is not None
    for row in (*pool.model.calibrations, *pool.model.operators):
        there = [f"pools.p.gpu={row.gpu}", f"pools.p.gpus_per_replica={row.gpus_per_replica}"]
        source = "calibrated" if row in pool.model.calibrations else "operators"
        there.append(f"pools.p.latency_source={source}")
        engine = [f"pools.p.engine={row.engine}"] if isinstance(row, Calibration) else []
        found = load(base, [*there, *engine]).pools["p"]
        assert found.law.about == row.source
        assert found.law.source == source
        assert found.kv_tokens > 10_000


@pytest.mark.parametrize("gpu", catalogue.names(catalogue.GPUS))
def test_every_shipped_gpu_serves_slots_at_its_list_price(gpu: str) -> None:
    slots = {
        "name": "x",
        "horizon": 1,
        "workload": {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": 1}},
        "pools": {"p": {"gpu": gpu, "replica": {"kind": "slots"}, "autoscaler": {"replicas": 1}}},
    }
    pool = load(slots).pools["p"]
    assert pool.priced
    assert pool.law_facts is None


def test_a_name_of_a_scenario_is_in_one_folder_only() -> None:
    names = catalogue.names(catalogue.SCENARIOS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "name", ["../pyproject", "..", ".", "", "gpus/h200", "gallery/chatgpt-2023", "mmc\0", "/etc/passwd", "MMC"]
)
def test_a_name_cannot_lead_out(name: str) -> None:
    assert catalogue.find(catalogue.SCENARIOS, name) is None


@pytest.mark.parametrize(
    ("word", "best"),
    [
        ("h100", "h100-sxm"),
        ("H200", "h200"),
        ("a100_80gb", "a100-80gb"),
        ("a100", "a100-80gb"),
        ("rtx", "rtx-pro-6000"),
        ("b20", "b200"),
        ("xyz", None),
        ("", None),
    ],
)
def test_nearest(word: str, best: str | None) -> None:
    assert catalogue.nearest(word, catalogue.names(catalogue.GPUS)) == best


def test_the_installed_catalogue_goes_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "configs").mkdir(parents=True)
    (tmp_path / "data" / "configs" / "mine.yaml").write_text("name: mine\n")
    monkeypatch.setattr(catalogue, "_PACKAGE", tmp_path)
    assert catalogue.names(catalogue.SCENARIOS) == ("mine",)
    (tmp_path / "data" / "configs" / "gallery").mkdir()
    (tmp_path / "data" / "configs" / "gallery" / "news.yaml").write_text("name: news\n")
    assert catalogue.names(catalogue.SCENARIOS) == ("mine", "news")
    assert catalogue.find(catalogue.SCENARIOS, "news") == tmp_path / "data/configs/gallery/news.yaml"
    assert catalogue.find(catalogue.SCENARIOS, "mine") == tmp_path / "data/configs/mine.yaml"
    monkeypatch.setattr(catalogue, "_PACKAGE", tmp_path / "data")
    assert catalogue.names(catalogue.SCENARIOS) == ()
