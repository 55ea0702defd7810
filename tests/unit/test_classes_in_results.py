"""Classes and tenants in results: who was served how, what each has cost, and objectives of some of them only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim.model.work import WorkLaw
from sim.report import render
from sim.report.run.clients import client_figures
from sim.report.tables.clients import party_tables
from sim.report.tables.run import slo_table
from sim.result import Result, RunLog
from sim.result.parties import fairness
from tests.made_logs import calls, log, requests, scenario, target

EDGES = [0.0, 5.0, 10.0]
STREAMS = ("chat", "code", "bulk")
PARTIES: dict[str, Any] = {
    "streams": STREAMS,
    "classes": ("paid", "free"),
    "tenants": ("acme", "globex"),
    "stream_class": (0, 0, 1),
    "stream_tenant": (0, 1, 1),
}


def served(stream: int, arrival_s: float, first_s: float, work_s: float, **more: Any) -> dict[str, Any]:
    start_s = arrival_s + first_s / 2
    return {
        "stream": stream, "arrival_s": arrival_s, "start_s": start_s, "first_token_s": arrival_s + first_s,
        "finish_s": start_s + work_s, "service_s": work_s, "output_tokens": 10, **more,
    }  # fmt: skip


TABLE = requests(
    served(0, 0.0, 0.5, 1.0),
    served(1, 1.0, 1.5, 2.0),
    served(2, 2.0, 3.0, 3.0),
    {"stream": 2, "arrival_s": 3.0, "outcome": "rejected"},
    served(0, 4.0, 0.2, 2.0),
)


def limited(metric: str, under_s: float, share: float, class_name: str | None = None, tenant: str | None = None) -> Any:
    made = target(metric, under_s, share)
    made.class_name, made.tenant = class_name, tenant
    return made


def made(**changes: Any) -> RunLog:
    table = changes.pop("table", TABLE)
    return log(table.copy(), EDGES, changes.pop("spans", [(0, 0, 0.0, math.inf)]), **(PARTIES | changes))


def result(slo: tuple[Any, ...] = (), usd: float | None = 3600.0, **changes: Any) -> Result:
    pools = changes.pop("pools_of", {"main": {"usd_per_replica_hour": usd}})
    return Result(scenario(pools, slo=slo), made(pools=tuple(pools), **changes))


def test_each_class_and_tenant_has_its_own_numbers() -> None:
    found = result().summary()
    assert [block["requests"]["arrived"] for block in found["classes"].values()] == [3, 2]
    assert [block["requests"]["rejected"] for block in found["tenants"].values()] == [0, 1]
    assert found["classes"]["paid"]["latency"]["ttft_s"]["mean"] == pytest.approx((0.5 + 1.5 + 0.2) / 3)
    assert found["tenants"]["globex"]["latency"]["ttft_s"]["max"] == 3.0
    assert found["classes"]["free"]["throughput"]["requests_per_s"] == 0.1
    assert found["classes"]["free"]["attempts"]["sent"] == 2
    assert list(found["classes"]["paid"]) == [
        "requests", "latency", "slo", "throughput", "attempts", "cost_share", "cost",
    ]  # fmt: skip


def test_without_classes_there_are_no_blocks_of_them() -> None:
    found = Result(scenario(), log(TABLE.copy(), EDGES, [(0, 0, 0.0, math.inf)], streams=STREAMS)).summary()
    assert not {"classes", "tenants", "tenants_fairness"} & set(found)


def test_the_cost_is_shared_by_work_down_to_what_nobody_used() -> None:
    found = result().summary()
    assert found["cost"]["total_usd"] == pytest.approx(10.0)
    shares = {name: block["cost_share"] for name, block in found["classes"].items()}
    assert shares == {"paid": pytest.approx(5 / 8), "free": pytest.approx(3 / 8)}
    assert found["tenants"]["acme"]["cost"] == {
        "total_usd": pytest.approx(10 * 3 / 8),
        "usd_per_request": pytest.approx(10 * 3 / 8 / 2),
        "usd_per_million_output_tokens": pytest.approx(10 * 3 / 8 / 20 * 1e6),
        # slots have no phases
        **dict.fromkeys(("prompt_usd", "output_usd")),
        **dict.fromkeys(("prompt_usd_per_million_tokens", "output_usd_per_million_tokens")),
    }
    for kind in ("classes", "tenants"):
        assert math.fsum(block["cost"]["total_usd"] for block in found[kind].values()) == pytest.approx(10.0)


def test_each_pool_is_paid_by_those_who_use_it_and_an_idle_one_by_all() -> None:
    table = TABLE.copy()
    table["pool"] = [0, 0, 1, 1, 0]  # the first pool serves the paid, the second the free, the third nobody
    pools = {name: {"usd_per_replica_hour": usd} for name, usd in (("a", 3600.0), ("b", 7200.0), ("c", 3600.0))}
    spans = [(pool, 0, 0.0, math.inf) for pool in range(3)]
    work = tuple(WorkLaw(pool, s_per_service_s=1.0) for pool in range(3))
    found = result(pools_of=pools, table=table, spans=spans, work=work).summary()
    assert found["cost"]["total_usd"] == pytest.approx(40.0)
    assert found["classes"]["paid"]["cost"]["total_usd"] == pytest.approx(10 / 30 * 40)
    assert found["classes"]["free"]["cost"]["total_usd"] == pytest.approx(20 / 30 * 40)


def test_without_a_price_there_is_a_share_and_no_cost() -> None:
    found = result(usd=None).summary()
    assert found["classes"]["paid"]["cost_share"] == pytest.approx(5 / 8)
    assert set(found["classes"]["paid"]["cost"].values()) == {None}


def test_what_is_of_no_tenant_has_a_row_of_its_own() -> None:
    found = result(stream_tenant=(0, -1, 1)).summary()
    shares = {name: block["cost_share"] for name, block in found["tenants"].items()}
    assert shares == {"acme": pytest.approx(3 / 8), "globex": pytest.approx(3 / 8), "(none)": pytest.approx(2 / 8)}
    assert found["tenants"]["(none)"]["requests"]["arrived"] == 1
    assert (
        found["tenants_fairness"]
        == result(stream_tenant=(0, 1, 1), table=TABLE[[0, 2, 3, 4]]).summary()["tenants_fairness"]
    ), "nobody is no tenant to be fair to"


def test_nobody_served_nobody_to_charge() -> None:
    found = result(table=TABLE[3:4]).summary()
    assert {block["cost_share"] for block in found["classes"].values()} == {None}
    assert found["tenants_fairness"] == 1.0, "all got the same: nothing"
    assert found["tenants"]["acme"]["latency"]["e2e_s"]["p99"] is None


def test_attempts_that_came_to_nothing_are_charged_too() -> None:
    # the free one holds a slot for 2 s, gives up and is rejected later
    table = TABLE.copy()
    table["start_s"][2], table["first_token_s"][2], table["finish_s"][2] = 2.0, np.nan, 3.0
    table["outcome"][2] = 4
    links = calls(table, {}, {}, {"left_s": 4.0}, {"first": 2, "attempt": 2})
    found = result(table=table, calls=links).summary()
    free = found["classes"]["free"]
    assert free["requests"]["arrived"] == free["requests"]["rejected"] == 1
    assert free["attempts"]["sent"] == 2
    assert free["cost_share"] == pytest.approx(2 / 7)


def test_an_objective_of_a_class_counts_its_requests_only() -> None:
    slo = (limited("ttft", 1.0, 0.6, "paid"), limited("ttft", 3.0, 0.5, None, "globex"), limited("e2e", 9.0, 0.8))
    found = result(slo).summary()
    assert [entry["attained"] for entry in found["slo"]] == [pytest.approx(2 / 3), pytest.approx(2 / 3), 4 / 5]
    assert [entry.get("class") for entry in found["slo"]] == ["paid", None, None]
    assert list(found["slo"][1]) == ["metric", "tenant", "under_s", "share", "attained", "met"]
    free = found["classes"]["free"]["slo"]
    assert [(entry["metric"], entry["attained"]) for entry in free] == [("ttft", 1 / 2), ("e2e", 1 / 2)]
    acme = found["tenants"]["acme"]["slo"]
    assert [(entry.get("class"), entry["attained"]) for entry in acme] == [("paid", 1.0), (None, 1.0)]
    # all of acme's, and of globex's one of three: the code request has its first token too late for a paid one
    assert found["throughput"]["goodput_per_s"] == pytest.approx(3 / 10)
    assert found["tenants_fairness"] == pytest.approx((1 + 1 / 3) ** 2 / (2 * (1 + 1 / 9)))


def test_an_objective_may_be_of_a_class_of_a_tenant() -> None:
    found = result((limited("ttft", 1.0, 0.6, "paid", "globex"),)).summary()
    assert found["slo"][0]["attained"] == 0.0
    assert found["classes"]["free"]["slo"] == []
    said = result((limited("ttft", 1.0, 0.6, "paid", "globex"),))
    assert "no paid request of globex gets its first token within 1 s (target 60%)" in said.verdict()
    assert slo_table(said.summary()).rows[0][0] == "first token (TTFT) ≤ 1 s, paid requests of globex"


def test_jains_index() -> None:
    assert fairness([0.5, 0.5, 0.5]) == pytest.approx(1.0)
    assert fairness([0.9, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert fairness([None, 0.3]) == pytest.approx(1.0), "who asked for nothing does not count"
    assert fairness([None]) is None


def test_rows_carry_class_and_tenant(tmp_path: Any) -> None:
    import pandas as pd

    run = result(stream_tenant=(0, -1, 1))
    rows = run.requests
    assert rows["class"].tolist() == ["paid", "paid", "free", "free", "paid"]
    assert rows["tenant"].isna().tolist() == [False, True, False, False, False]
    kept = pd.read_parquet(run.save(tmp_path / "run") / "requests.parquet")
    assert kept["class"].tolist() == rows["class"].tolist()
    assert kept["tenant"].isna().tolist() == rows["tenant"].isna().tolist()


def test_the_report_shows_them() -> None:
    run = result((limited("ttft", 1.0, 0.6, "paid"),), calls=calls(TABLE))
    classes, tenants = party_tables(run.summary())
    assert [row[0] for row in classes.rows] == ["paid", "free"]
    assert dict(zip(classes.heading, classes.rows[0], strict=True))["of the cost"] == "62.5%"
    assert dict(zip(tenants.heading, tenants.rows[0], strict=True))["SLO"] == "met"
    assert [figure.key for figure in client_figures(run)] == ["goodput", "classes", "tenants"]
    page = render(result(tenants=("<b>", "globex")))
    assert '<th scope="row"><b>' not in page
    assert '<th scope="row">&lt;b&gt;' in page
