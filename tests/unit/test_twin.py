"""What theory says of scenarios, before any run: which formula it takes, with which numbers, and what it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sim import load, theory
from sim.result.twin import Twin, compared, twin
from sim.result.twin.block import contradictions
from sim.result.twin.words import check_sentences, figure_rows, theory_notes, theory_sentence, warnings
from sim.scenario import Scenario
from tests.twins import batches, poisson, slots

GAMMA = {"kind": "gamma", "mean": 1, "cv": 2}
ROUTED = {"kind": "per_replica", "router": "round_robin"}
LOT = {"kind": "per_replica", "router": "random"}


def values(scenario: Scenario) -> dict[str, float]:
    return {each.path: each.value for each in twin(scenario).figures}


def methods(scenario: Scenario, path: str = "latency.queue_wait_s.mean") -> list[tuple[str, str]]:
    return [(each.method, each.kind) for each in twin(scenario).figures if each.path == path]


def only(found: Twin) -> Any:
    [pool] = found.pools.values()
    return pool


# -- which formula -----------------------------------------------------------------------------------------------------


def test_a_line_of_exponential_services_is_known_to_its_tails() -> None:
    scenario = slots(
        poisson(2.4),
        replicas=3,
        slo=[
            {"metric": "queue_wait", "under": "2s", "share": 0.9},
            {"metric": "e2e", "under": "4s", "share": 0.9},
        ],
    )
    told, line = values(scenario), theory.MMc(3, 2.4)
    assert told["utilization.busy_share"] == pytest.approx(0.8)
    assert told["time_average.running"] == pytest.approx(2.4)
    assert told["latency.queue_wait_s.mean"] == pytest.approx(line.mean_wait_s)
    assert told["latency.queue_wait_s.p99"] == pytest.approx(line.wait_quantile_s(0.99))
    assert told["latency.e2e_s.p95"] == pytest.approx(line.sojourn_quantile_s(0.95))
    assert told["time_average.in_system"] == pytest.approx(line.mean_in_system)
    assert told["slo.0.attained"] == pytest.approx(1 - line.wait_exceeds(2))
    assert told["slo.1.attained"] == pytest.approx(1 - line.sojourn_exceeds(4))
    assert {each.kind for each in twin(scenario).figures} == {"exact"}


RENEWAL: dict[str, Any] = {"kind": "renewal", "gap": {"kind": "erlang", "phases": 3, "mean": 1.25}}
BURSTS = {"kind": "mmpp", "rates": [0.4, 1.2], "leave": [0.1, 0.2]}
CASES = [
    (slots(poisson(0.8), GAMMA), "M/G/1 (Pollaczek-Khinchine)", "exact"),
    (slots(poisson(2.4), GAMMA, 3), "M/G/3 (Cosmetatos)", "approximation"),
    (slots(RENEWAL), "GI/M/1", "exact"),
    (slots(RENEWAL, GAMMA), "G/G/1 (Kingman)", "approximation"),
    (slots(RENEWAL, replicas=2), "G/G/2 (Allen-Cunneen)", "approximation"),
    (slots(BURSTS), "MMPP/M/1, matrix-geometric", "exact"),
    (slots(BURSTS, GAMMA), "G/G/1 (Kingman)", "approximation"),
    (slots({"kind": "batch", "rate": 0.2, "size": {"kind": "constant", "value": 4}}), "M[X]/G/1", "exact"),
    (slots(poisson(3.2), replicas=4, queue=LOT), "M/M/1", "exact"),
    (slots(poisson(3.2), replicas=4, queue=ROUTED), "GI/M/1", "exact"),
    (slots(poisson(0.8), {**GAMMA, "max": 9}), "M/G/1 (Pollaczek-Khinchine)", "approximation"),
    (slots({**RENEWAL, "gap": {**RENEWAL["gap"], "max": 9}}), "G/G/1 (Kingman)", "approximation"),
    (
        slots({"kind": "batch", "rate": 0.2, "size": {"kind": "uniform", "low": 1, "high": 4}}),
        "M[X]/G/1",
        "approximation",
    ),
    (slots(BURSTS, replicas=2, queue=LOT), "MMPP/M/1, matrix-geometric", "exact"),
    (slots(poisson(2.4), replicas=2, concurrency=2), "M/M/4", "exact"),
    (slots(poisson(1.8), queue={"kind": "central", "max_waiting": 4}, replicas=2), "M/M/2/6", "exact"),
    (slots(poisson(4), GAMMA, 5, queue={"kind": "central", "max_waiting": 0}), "M/G/5/5 (Erlang B)", "exact"),
]


@pytest.mark.parametrize(("scenario", "method", "kind"), CASES, ids=[case[1] for case in CASES])
def test_the_best_formula_is_taken(scenario: Scenario, method: str, kind: str) -> None:
    assert methods(scenario) == [(method, kind)]


DAY = {"kind": "diurnal", "rate": 5, "peak": 1.5, "trough": 0.5}
BY_PIECES = (slots(DAY, replicas=10, horizon="24h"), "M/G/10 by pieces of time (pointwise stationary)", "approximation")


@pytest.mark.parametrize("scenario", [case[0] for case in (*CASES, BY_PIECES)])
def test_the_way_to_the_user_is_added_to_answers_and_to_nothing_else(scenario: Scenario) -> None:
    near, far = values(scenario), values(load(yaml.safe_load(scenario.to_yaml()), ["pools.p.overhead=0.5s"]))
    assert any("e2e" in path for path in near)
    assert far == pytest.approx({path: value + 0.5 * ("e2e" in path or "ttft" in path) for path, value in near.items()})


def test_their_numbers() -> None:
    line = theory.mmck(2, 1.8, 1.0, 6)
    limited = values(slots(poisson(1.8), queue={"kind": "central", "max_waiting": 4}, replicas=2))
    assert limited["requests.rejected"] == pytest.approx(1.8 * 2800 * line.rejected_share)
    assert limited["latency.queue_wait_s.mean"] == pytest.approx(line.mean_wait_s)
    by_lot = values(slots(poisson(3.2), replicas=4, queue=LOT))
    assert by_lot["time_average.in_system"] == pytest.approx(16.0)  # reference: router_random4_rho0.8
    in_turn = values(slots(poisson(3.2), replicas=4, queue=ROUTED))
    assert in_turn["latency.queue_wait_s.mean"] == pytest.approx(2.2673836103192992)  # reference: gim1_RR4_rho0.8
    batch = values(slots({"kind": "batch", "rate": 0.2, "size": {"kind": "constant", "value": 4}}))
    assert batch["latency.e2e_s.mean"] == pytest.approx(12.5)  # reference: mx_m1_X4


def test_gaps_of_any_family_that_are_exponential_are_poisson_arrivals() -> None:
    plain = values(slots(poisson(0.8)))["latency.queue_wait_s.mean"]
    for gap in ({"kind": "exponential"}, {"kind": "gamma", "cv": 1}, {"kind": "erlang", "phases": 1}):
        arrivals = {"kind": "renewal", "gap": {"mean": 1.25, **gap}}
        assert values(slots(arrivals))["latency.queue_wait_s.mean"] == pytest.approx(plain)


def test_lines_by_lot_with_little_room_are_so_many_of_one() -> None:
    one = values(slots(poisson(0.9), queue={"kind": "central", "max_waiting": 3}))
    three = values(slots(poisson(2.7), replicas=3, queue=LOT | {"max_waiting": 3}))
    for path in ("time_average.waiting", "time_average.running", "time_average.in_system", "requests.rejected"):
        assert three[path] == pytest.approx(3 * one[path])
    assert three["latency.queue_wait_s.mean"] == pytest.approx(one["latency.queue_wait_s.mean"])


def test_impatience_is_erlang_a() -> None:
    clients = {"patience": {"kind": "exponential", "mean": 2}}
    found = only(twin(slots(poisson(5), replicas=5, clients=clients)))
    told = {each.path: each.value for each in found.figures}
    line = theory.erlang_a(5, 5.0, 1.0, 2.0)
    assert told["requests.abandoned"] == pytest.approx(5 * 2800 * line.abandoned_share)
    assert told["time_average.waiting"] == pytest.approx(line.mean_waiting)
    assert "latency.queue_wait_s.mean" not in told  # a run measures it of those who are served
    assert found.uncovered == ("no formula here for waits of such arrivals, services and queue",)
    other = {"patience": {"kind": "lognormal", "mean": 2, "cv": 1}}
    assert values(slots(poisson(4), replicas=5, clients=other)) == {}


def test_users_who_wait_for_answers() -> None:
    users = {"kind": "closed", "users": 10, "think": {"kind": "exponential", "mean": 4}}
    found = only(twin(slots(users, replicas=2)))
    told = {each.path: each.value for each in found.figures}
    assert told["throughput.requests_per_s"] == pytest.approx(theory.closed(10, 2, 4.0, 1.0).throughput_per_s)
    assert found.stable
    bounded = twin(slots({**users, "think": 4}, replicas=2)).figures
    assert [(each.path, each.value, each.kind) for each in bounded] == [
        ("throughput.requests_per_s", 2.0, "upper bound")
    ]


def test_a_router_that_balances_is_between_two_bounds() -> None:
    scenario = slots(poisson(1.8), replicas=2, queue={"kind": "per_replica"})
    bounds = {each.kind: each.value for each in twin(scenario).figures if each.path == "latency.e2e_s.mean"}
    exact = 5.2774  # between M/M/2 and M/M/1 by lot
    assert bounds["lower bound"] == pytest.approx(theory.MMc(2, 1.8).mean_sojourn_s)
    assert bounds["upper bound"] == pytest.approx(10.0)
    assert bounds["lower bound"] < exact < bounds["upper bound"]


def test_streams_together_mix_their_services() -> None:
    document = slots(poisson(1)).model_dump(mode="json", by_alias=True, exclude_none=True)
    document["workload"] = {
        "streams": {
            "short": {"arrivals": poisson(1.0), "service": {"kind": "constant", "value": 0.2}},
            "long": {"arrivals": poisson(0.1), "service": {"kind": "constant", "value": 5}},
        }
    }
    told = values(load(document))
    square = (1.0 * 0.04 + 0.1 * 25) / 1.1
    assert told["utilization.busy_share"] == pytest.approx(0.7)
    assert told["latency.queue_wait_s.mean"] == pytest.approx(1.1 * square / (2 * 0.3))


# -- rates that change -------------------------------------------------------------------------------------------------

SPIKE = {"kind": "spike", "rate": 4, "factor": 4, "at": 600, "duration": 300}


def test_an_overload_is_a_fluid() -> None:
    scenario = slots(SPIKE, replicas=10, warmup=0)
    found = only(twin(scenario))
    assert found.stable is False
    assert found.peak_load_share == pytest.approx(1.6)
    assert found.backlog.peak == pytest.approx(6 * 300, rel=2e-3)
    assert found.backlog.grows_from_s == pytest.approx(600, abs=1)
    assert found.backlog.worked_off_s == pytest.approx(900 + 1800 / 6, abs=2)
    told = values(scenario)
    # a triangle of 600 s and 1,800 requests, over all who come
    assert told["latency.queue_wait_s.mean"] == pytest.approx(0.5 * 600 * 1800 / (4 * 3000 + 12 * 300), rel=0.05)
    assert told["timeline.waiting.max"] == pytest.approx(1800, rel=2e-3)
    assert told["utilization.busy_share"] == pytest.approx((4 * 3000 + 12 * 300) / 3000 / 10, rel=2e-3)


def test_a_slow_curve_is_steady_by_pieces() -> None:
    scenario, method, kind = BY_PIECES
    assert methods(scenario) == [(method, kind)]
    calm, busy = theory.MMc(10, 5.0).mean_wait_s, theory.MMc(10, 7.5).mean_wait_s
    assert calm < values(scenario)["latency.queue_wait_s.mean"] < busy
    fast = slots({**DAY, "period": 10}, replicas=10)
    assert methods(fast) == []


def test_more_than_it_carries_is_told_and_is_no_error() -> None:
    found = twin(slots(poisson(3), replicas=2))
    pool = only(found)
    assert pool.load_share == pytest.approx(1.5)
    assert not pool.stable
    assert pool.backlog.peak == pytest.approx(3000, rel=1e-3)
    assert warnings(found) == ["pool p is overloaded: 3 requests/s come when most do, and it can serve 2 requests/s"]
    text = "\n".join(check_sentences(found))
    assert "OVERLOADED" in text
    assert "from 0 s on the queue grows, to 3,000 requests at 50 min: a wait of 25 min" in text
    assert "smallest fleet by theory: 4 replicas (it has 2)" in text


def test_what_comes_when_most_do_is_told_where_it_is_more() -> None:
    [found, _] = check_sentences(twin(BY_PIECES[0]))
    assert found.endswith(
        "5 requests/s come, 50.0% of that; 7.507 requests/s when most do, 75.1%; it could take 1.33 times the traffic"
    )


def test_figures_are_told_in_their_units() -> None:
    slo = [{"metric": "e2e", "under": "4s", "share": 0.9}]
    rows = {path: value for path, value, *_ in figure_rows(twin(slots(poisson(2.4), replicas=3, slo=slo)))}
    assert rows["utilization.busy_share"] == "80.0%"
    assert rows["latency.queue_wait_s.p50"] == "430 ms"
    assert rows["time_average.waiting"] == "2.59"
    assert rows["slo.0.attained"] == "86.5%"


# -- the smallest fleet ------------------------------------------------------------------------------------------------


def test_the_smallest_fleet_for_a_wait() -> None:
    slo = [{"metric": "queue_wait", "under": "0.5s", "share": 0.99}]
    pool = only(twin(slots(poisson(10), replicas=12, slo=slo)))
    assert pool.least_replicas == 15  # reference: staffing_wait_quantile_vectors
    assert only(twin(slots(poisson(10), replicas=12))).least_replicas == 11


def test_no_fleet_shortens_a_service() -> None:
    pool = only(twin(slots(poisson(1), replicas=3, slo=[{"metric": "e2e", "under": "1s", "share": 0.9}])))
    assert pool.least_replicas is None
    assert "services alone take too long for e2e under 1 s" in pool.least_why


def test_the_smallest_fleet_for_the_whole_answer() -> None:
    slo = [{"metric": "e2e", "under": "5s", "share": 0.95}]
    pool = only(twin(slots(poisson(8), replicas=9, slo=slo)))
    exact = theory.least_servers(8.0, lambda c: theory.MMc(c, 8.0).sojourn_exceeds(5.0) <= 0.05)
    assert pool.least_replicas == exact


# -- engines -----------------------------------------------------------------------------------------------------------


def test_one_engine_without_prompts_is_the_chain_of_its_batch() -> None:
    none = {"kind": "constant", "value": 0}
    pool = {
        "latency": {"base_s": 0.02, "prefill_s_per_token": 0, "decode_s_per_seq": 0.001, "attention_s_per_token": 0}
    }
    scenario = batches(1.0, prompt=none, output={"kind": "exponential", "mean": 500}, pool=pool)
    chain = theory.batching(1.0, 500.0, 0.02, 0.001, 32)
    told = values(scenario)
    assert told["utilization.batch_share"] == pytest.approx(chain.mean_running / 32)
    assert told["utilization.busy_share"] == pytest.approx(1 - chain.share[0])
    assert only(twin(scenario)).capacity_per_s == pytest.approx(32 / (0.052 * 500))


def test_users_of_an_engine_ask_again_once_it_has_answered_them_alone() -> None:
    none, length = ({"kind": "constant", "value": value} for value in (0, 500))
    law = {"base_s": 0.02, "prefill_s_per_token": 0, "decode_s_per_seq": 0.001, "attention_s_per_token": 0}
    users = {"kind": "closed", "users": 4, "think": {"kind": "exponential", "mean": 30}}
    pool = only(twin(batches(users, prompt=none, output=length, pool={"latency": law})))
    assert pool.offered_per_s == pytest.approx(4 / (30 + 500 * 0.021))


def test_what_limits_an_engine() -> None:
    def limit(**changes: Any) -> str:
        return str(only(twin(batches(1.0, **changes))).limited_by)

    assert limit() == "max_num_seqs: 32 sequences in a batch"
    # 600 of prompt and 150 of answer: a long answer is there longer, so as much as it is long
    assert limit(pool={"kv_capacity_tokens": 15_800}) == "KV memory, which holds 21 sequences of 750 tokens"
    long = {"kind": "constant", "value": 8000}
    assert limit(prompt=long, output={"kind": "constant", "value": 20}) == "prompts: 2048 tokens an iteration"


def test_more_prompt_is_less_capacity_and_cached_prompt_is_not() -> None:
    def capacity(**workload: Any) -> float:
        document = batches(1.0).model_dump(mode="json", by_alias=True, exclude_none=True)
        document["workload"] |= workload
        return float(only(twin(load(document))).capacity_per_s)

    plain = capacity()
    assert capacity(prompt_tokens={"kind": "lognormal", "mean": 1200, "cv": 1}) < plain
    assert capacity(cached_share=0.5) > plain


def test_turns_bring_what_was_said_before() -> None:
    """Three turns of 600 and 100 tokens: prompts of 600, 1,300 and 2,000, 1,300 on average."""
    sizes = {"prompt_tokens": {"kind": "constant", "value": 600}, "output_tokens": {"kind": "constant", "value": 100}}
    session = {"turns": {"kind": "constant", "value": 3}, "think": {"kind": "constant", "value": 5}}
    talks = {"workload": {"arrivals": poisson(0.1), **sizes, "session": {**session, "prefix_cache": False}}}
    long = {"prompt": {"kind": "constant", "value": 1300}, "output": sizes["output_tokens"]}
    told, as_long = only(twin(batches(0.1, **talks))), only(twin(batches(0.3, **long)))
    assert told.offered_per_s == pytest.approx(as_long.offered_per_s)
    assert told.capacity_per_s == pytest.approx(as_long.capacity_per_s, rel=0.02)


def test_prefill_and_decode_are_told_apart() -> None:
    found = twin(load("chat-h100-disaggregated"))
    prefill, decode = found.pools.values()
    assert prefill.limited_by.startswith("prompts")
    assert decode.limited_by.startswith("max_num_seqs")
    assert prefill.offered_per_s == decode.offered_per_s == 40


def test_several_pools_are_told_below_their_names() -> None:
    paths = {each.path for each in twin(load("chat-h100-disaggregated")).figures}
    assert all(path.startswith("pools.") for path in paths)


# -- what is left out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"clients": {"total_timeout": 5, "retry": {"kind": "fixed", "attempts": 3}}}, "clients send again"),
        ({"pool": {"faults": [{"kind": "crash", "mtbf": "1h", "repair": "5m"}]}}, "faults take replicas away"),
        ({"pool": {"autoscaler": {"kind": "queue_length", "target": 1, "max_replicas": 4}}}, "the autoscaler changes"),
    ],
)
def test_what_theory_leaves_out_keeps_its_numbers_away(changes: dict[str, Any], told: str) -> None:
    found = only(twin(slots(poisson(0.5), **changes)))
    assert any(each.startswith(told) for each in found.uncovered)
    assert found.figures == ()
    assert found.capacity_per_s is not None


def test_of_several_streams_it_is_said_which_one_is_no_law() -> None:
    drifts = {"kind": "curve", "points": [["0s", 0.1], ["1h", 0.3]], "drift": {"cv": 0.2, "correlation": "3m"}}
    work = {"service": {"kind": "exponential", "mean": 1}}
    streams = {"steady": {"arrivals": poisson(0.1), **work}, "moody": {"arrivals": drifts, **work}}
    alone, both = (only(twin(slots(drifts, **more))).uncovered for more in ({}, {"workload": {"streams": streams}}))
    [why] = [each for each in alone if each.startswith("its rate drifts")]
    assert f"{why} (stream moody)" in both


def test_a_queue_that_sheds_keeps_only_its_waits_away() -> None:
    queue = {"kind": "central", "shed": {"kind": "codel"}}
    found = only(twin(slots(poisson(0.5), queue=queue)))
    assert [each.path for each in found.figures] == [
        "utilization.batch_share",
        "utilization.busy_share",
        "time_average.running",
    ]


def test_a_trace_is_a_rate_over_time(tmp_path: Path) -> None:
    rows = [f"{second},{100},{20}" for second in range(100)]
    trace = tmp_path / "small.csv"
    trace.write_text("\n".join(["arrival_s,prompt_tokens,output_tokens", *rows]) + "\n")
    pool = only(twin(load("trace-replay", [f"workload.trace={trace}"])))
    assert pool.offered_per_s == pytest.approx(100 / 99)
    assert pool.stable
    assert any("a trace is no law" in each for each in pool.uncovered)


# -- beside a run ------------------------------------------------------------------------------------------------------


def test_theory_beside_a_summary() -> None:
    document = twin(slots(poisson(0.5))).as_document()
    assert document["schema_version"] == 1
    told = document["figures"]
    summary: dict[str, Any] = {
        "utilization": {"busy_share": 0.55, "batch_share": 0.55},
        "latency": {"queue_wait_s": {"mean": 1.1, "p50": 0.2, "p99": None}},
        "intervals": {"utilization.busy_share": [0.549, 0.551], "latency.queue_wait_s.mean": [0.9, 1.3]},
    }
    summary["theory"] = compared(told, summary)
    by_path = {each["path"]: each for each in summary["theory"]}
    assert by_path["utilization.busy_share"]["difference_share"] == pytest.approx(0.1)
    assert by_path["latency.queue_wait_s.p50"]["difference_share"] is None  # of a theory of 0
    assert by_path["latency.queue_wait_s.p99"]["simulated"] is None
    assert by_path["time_average.running"]["simulated"] is None
    assert [each["path"] for each in contradictions(summary)] == ["utilization.busy_share"]
    assert theory_sentence(summary) == "theory: busy 50.0% (simulated 55.0%), mean wait 1 s (simulated 1.1 s)"
    [note] = theory_notes(summary)
    assert "utilization.busy_share = 0.5 exactly" in note
    assert theory_sentence({"theory": []}) is None
    assert theory_notes({}) == []


def test_a_law_that_is_drawn_to_be_known_makes_no_number_exact() -> None:
    clamped, batches = (
        {**GAMMA, "max": 9},
        {"kind": "batch", "rate": 0.2, "size": {"kind": "uniform", "low": 1, "high": 4}},
    )
    for scenario in (slots(poisson(0.8), clamped), slots(batches)):
        assert {each.kind for each in twin(scenario).figures} == {"approximation"}


def test_where_nothing_is_random_the_ends_of_a_run_are_no_contradiction() -> None:
    in_step = {"kind": "renewal", "gap": {"kind": "constant", "value": "2s"}}
    told = [each.as_document() for each in twin(slots(in_step, {"kind": "constant", "value": 1})).figures]
    summary: dict[str, Any] = {
        "utilization": {"busy_share": 0.475},
        "intervals": {"utilization.busy_share": [0.475, 0.475]},
    }
    summary["theory"] = compared(told, summary)
    assert [each["kind"] for each in summary["theory"] if each["path"] == "utilization.busy_share"] == ["exact"]
    assert contradictions(summary) == []


def test_bounds_and_approximations_say_so() -> None:
    summary: dict[str, Any] = {"latency": {"queue_wait_s": {"mean": 1.0}}}
    told = [each.as_document() for each in twin(slots(poisson(1.8), GAMMA, 2)).figures]
    sentence = theory_sentence({"theory": compared(told, summary)})
    assert sentence is not None
    assert "mean wait about" in sentence


def test_an_infinite_capacity_is_not_divided_by() -> None:
    found = only(twin(slots(poisson(1), {"kind": "constant", "value": 0})))
    assert found.capacity_per_s is None
    assert found.stable is None
    assert found.uncovered == ("its requests take no time, so it carries any number",)
