"""What the page shows is what the command line says: same words, same numbers; jobs sharpen, and can be cancelled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sim.engine import simulate
from sim.scenario import load
from tests.e2e.ui.conftest import SIZE, TINY, Server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(TINY)
    return path


def test_charts_are_those_of_the_command_that_is_shown(server: Server, tiny: Any, file: Path) -> None:
    moved = {"load": 1.5, SIZE: 5, "workload.clients.patience": 20, "pools.desk.price.on_demand": 3.0}
    curve = server.post("/api/curve", source=tiny, moved=moved, number=3).json()
    answer = server.post("/api/look", source=tiny, moved=moved, number=4).json()
    assert (curve["number"], curve["points"], curve["plot"]) == (3, answer["points"], answer["plots"]["curve"])
    command = answer["command"].split(" --set ")
    assert command[0] == "fleetcast run scenario.yaml"
    sets = [text.strip("'") for text in command[1:]]
    assert sorted(sets) == [
        "pools.desk.autoscaler.replicas=5",
        "pools.desk.price.on_demand=$3.0/h",
        "workload.arrivals.rate=3.0",
        "workload.clients.patience=20s",
    ]
    result = simulate(load(file, sets))
    summary = result.summary(theory=False)
    assert answer["verdict"] == result.verdict()
    assert answer["number"] == 4
    points = {point["replicas"]: point for point in answer["points"]}
    assert len(points) == 12
    for replicas in (min(points), 5, max(points)):
        own = simulate(load(file, [*sets, f"{SIZE}={replicas}"])).summary(theory=False)
        point = points[replicas]
        assert point["usd_per_day"] == pytest.approx(own["cost"]["usd_per_day"], rel=1e-12)
        assert point["slowness_usd_per_day"] == own["slowness"]["usd_per_day"]
        assert point["wait_s_p99"] == own["latency"]["queue_wait_s"]["p99"]
        assert point["wait_s_mean"] == own["latency"]["queue_wait_s"]["mean"]
        assert point["met"] == [own["slo"][0]["met"]]
    shown = {tile["label"]: tile["value"] for tile in answer["tiles"]}
    assert shown["for the fleet a day"] == summary["cost"]["usd_per_day"]
    assert shown["mean wait"] == summary["latency"]["queue_wait_s"]["mean"]
    assert set(answer["plots"]) == {"curve", "tail", "timeline"}
    assert [trace["name"] for trace in answer["plots"]["curve"]["data"]] == [
        "fleet",
        "slowness",
        "together",
        "cheapest",
    ]


def test_a_saved_scenario_gives_the_same_numbers(server: Server, tiny: Any, tmp_path: Path) -> None:
    moved = {"load": 0.8, SIZE: 3}
    saved = server.post("/api/scenario", source=tiny, moved=moved)
    assert saved.headers["content-type"].startswith("application/yaml")
    path = tmp_path / "saved.yaml"
    path.write_text(saved.text)
    again = simulate(load(path)).verdict()
    assert again == server.post("/api/look", source=tiny, moved=moved).json()["verdict"]
    assert server.post("/api/look", source={"kind": "text", "value": saved.text}).json()["verdict"] == again


def test_a_stored_run_can_be_moved(server: Server) -> None:
    stored = next(each for each in server.client.get("/api/about").json()["stored"] if each["has_scenario"])
    opened = server.post("/api/open", source={"kind": "stored", "value": stored["id"]}).json()
    assert opened["name"] == "tiny"
    assert {knob["key"] for knob in opened["knobs"]} >= {"load", SIZE, "workload.clients.patience"}


def test_every_slider_of_shipped_scenarios_moves_them(server: Server) -> None:
    for name in ("autoscale-hpa", "chat-h100", "retry-storm"):
        source = {"kind": "name", "value": name}
        for knob in server.post("/api/open", source=source).json()["knobs"]:
            ends = knob["choices"] or [knob["low"], knob["high"]]
            end = next(value for value in (ends[0], ends[-1]) if value != knob["own"])
            answer = server.post("/api/scenario", source=source, moved={knob["key"]: end})
            assert answer.status_code == 200, (knob, answer.text[:300])
            assert answer.text != server.post("/api/scenario", source=source).text, knob["key"]


def watched(server: Server, job: dict[str, Any]) -> list[dict[str, Any]]:
    """All that a job tells until it is over."""
    news = [job]
    for _ in range(600):
        news.append(server.client.get(f"/api/jobs/{job['id']}").json())
        if news[-1]["state"] in ("done", "failed", "cancelled"):
            return news
        time.sleep(0.02)
    raise AssertionError("it never ends")


def test_a_comparison_sharpens_until_it_is_that_of_the_command_line(server: Server, tiny: Any, file: Path) -> None:
    from sim.study.compared.compare import compare

    states = {"baseline": {"source": tiny}, "other": {"source": tiny, "moved": {SIZE: 5}}}
    started = server.post("/api/jobs", kind="compare", replications=6, **states)
    assert started.status_code == 202
    *on_the_way, last = watched(server, started.json())
    assert last["state"] == "done"
    assert (last["done"], last["most"]) == (6, 6)
    _, (theirs,) = compare([("a", load(file)), ("b", load(file, [f"{SIZE}=5"]))], 6)
    cost = next(row for row in last["found"]["rows"] if row["path"] == "cost.usd_per_day")
    wait = next(row for row in last["found"]["rows"] if row["path"] == "latency.queue_wait_s.mean")
    exact = theirs.of("latency.queue_wait_s.mean")
    assert exact is not None
    assert cost["is_distinguishable"]
    assert wait["half_width"] >= exact.more.half_width, "all rows hold together"
    widths = {
        news["found"]["pairs"]: row["half_width"]
        for news in (*on_the_way, last)
        if news["found"]
        for row in news["found"]["rows"]
        if row["path"] == wait["path"]
    }
    assert widths[6] < widths[min(widths)] or len(widths) == 1
    assert "The present one" in last["found"]["sentence"]


def test_jobs_are_cancelled_and_do_not_pile_up(server: Server, tiny: Any) -> None:
    long = {"source": {"kind": "text", "value": TINY.replace("horizon: 2m", "horizon: 24h")}}
    body = {"kind": "compare", "baseline": long, "other": long, "replications": 1000}
    started = [server.post("/api/jobs", **body) for _ in range(12)]
    codes = [answer.status_code for answer in started]
    assert codes.count(202) == 8
    assert set(codes[8:]) == {429}
    jobs = [answer.json()["id"] for answer in started if answer.status_code == 202]
    began = time.monotonic()
    for job in reversed(jobs):
        assert server.post(f"/api/jobs/{job}/cancel").json()["state"] == "cancelled"
    short = {"kind": "look", "state": {"source": tiny}}
    done = watched(server, server.post("/api/jobs", **short).json())[-1]
    assert done["state"] == "done", done
    assert len(done["found"]["points"]) == 12
    assert time.monotonic() - began < 30, "the process that worked for nobody has been ended"


def test_a_job_says_what_is_wrong(server: Server, tiny: Any) -> None:
    wrong = {"source": tiny, "moved": {SIZE: 10_000}}
    last = watched(server, server.post("/api/jobs", kind="compare", baseline={"source": tiny}, other=wrong).json())[-1]
    assert last["state"] == "failed"
    assert last["problems"][0]["place"] == f"moved.{SIZE}"
    assert server.client.get("/api/jobs/0123456789abcdef").status_code == 404


def test_a_large_state_is_for_a_job(server: Server) -> None:
    answer = server.post("/api/look", source={"kind": "name", "value": "autoscale-hpa"})
    assert answer.status_code == 202
    assert answer.json()["long"]
    assert answer.json()["expected_requests"] > 1e6
