"""What a scenario asserts: how it is written, what is wrong with it, and what runs say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.config.errors import ConfigError
from sim.scenario import Scenario
from sim.scenario.assertions import assertions
from sim.scenario.numbers import FLEET, PARTY, POOL, kind_of
from sim.statistics.intervals import Interval, of_mean, one_sided
from sim.study.replicated.assertions import LOOKS, goals, judged, verdict_of
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Precision, Replicated, replicate
from tests.unit.test_replications import queue
from tests.validation.sequential import wrong_verdicts

WAIT = "mean queue_wait"
"""Of M/M/2 at 75 %: 1.286 s."""


def asserting(*sentences: str, horizon: str = "2000s", **changes: Any) -> Scenario:
    return queue(horizon, **{"assert": list(sentences), **changes})


PARTIES: dict[str, Any] = {
    "workload": {
        "streams": {
            name: {
                "arrivals": {"kind": "poisson", "rate": 0.7},
                "service": {"kind": "exponential", "mean": 1},
                "class": name,
                "tenant": "acme",
            }
            for name in ("paid", "free")
        }
    },
    "slo": [
        {"metric": "queue_wait", "under": "2s", "share": 0.8},
        {"metric": "e2e", "under": "5s", "share": 0.8, "class": "paid"},
        {"metric": "queue_wait", "under": "5s", "share": 0.9},
    ],
}


@pytest.mark.parametrize(
    ("sentence", "path", "operator", "limit", "confidence"),
    [
        ("p99 ttft < 1s with 95% confidence", "latency.ttft_s.p99", "<", 1.0, 0.95),
        ("mean  queue_wait<200ms", "latency.queue_wait_s.mean", "<", 0.2, None),
        ("usd_per_million_output_tokens < 2", "cost.usd_per_million_output_tokens", "<", 2.0, None),
        ("cost.usd_per_day <= $3k/day", "cost.usd_per_day", "<=", 3000.0, None),
        ("usd_per_day <= 3000", "cost.usd_per_day", "<=", 3000.0, None),
        ("pools.p.utilization.busy_share < 90%", "pools.p.utilization.busy_share", "<", 0.9, None),
        ("busy_share of pool p ≥ 0.5", "pools.p.utilization.busy_share", ">=", 0.5, None),
        ("p95 e2e of class paid < 10s", "classes.paid.latency.e2e_s.p95", "<", 10.0, None),
        ("tenants.acme.requests.rejected == 0", "tenants.acme.requests.rejected", "=", 0.0, None),
        ("rejected = 0", "requests.rejected", "=", 0.0, None),
        ("requests_per_s > 60/min", "throughput.requests_per_s", ">", 1.0, None),
        ("gross_margin_usd > -$5", "economics.gross_margin_usd", ">", -5.0, None),
        ("gpu_hours < 40h with 0.5 confidence", "replicas.gpu_hours", "<", 40.0, 0.5),
    ],
)
def test_sentences(sentence: str, path: str, operator: str, limit: float, confidence: float | None) -> None:
    (found,) = assertions(asserting(sentence, **PARTIES))
    assert (found.path, found.operator, found.limit, found.confidence) == (path, operator, limit, confidence)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("p99 tft < 1s", "no quantity is called 'p99 tft'; did you mean 'p99 ttft'?"),
        ("usd_per_milion_output_tokens < 2", "did you mean 'usd_per_million_output_tokens'?"),
        ("mean < 2", "'mean' may be any of latency.queue_wait_s.mean, "),
        ("p99 ttft 1s", "needs an operator, one of <=, >=, ==, <, >, ="),
        ("p99 ttft =< 1s", "no operator is written '=<'; did you mean '<='?"),
        ("1s < p99 ttft < 2s", "more than one operator"),
        ("p99 ttft <", "needs a quantity before '<' and a value after it"),
        ("p99 ttft < $1", "the limit of 'p99 ttft' must be a duration, such as"),
        ("usd_per_day < 3s", "the limit of 'usd_per_day' must be an amount of USD, such as"),
        ("busy_share < 95", "must be between 0 and 1, got '95'; did you mean '95%'?"),
        ("p99 ttft < 1s with 49% confidence", "the confidence must be between 50% and 99.99%; got '49%'"),
        ("p99 ttft < 1s with 99.995% confidence", "the confidence must be between 50% and 99.99%"),
        ("p99 ttft < 1s with great confidence", "the confidence must be between"),
        ("p99 ttft < 1s with confidence", "must end 'with N% confidence'"),
        ("p99 ttft < 1s, 95% confident", "must end 'with N% confidence'"),
        ("max ttft < 1s with 95% confidence", "is the extreme of what was seen"),
        ("rejected = 0 with 95% confidence", "an equality is never known with a confidence"),
        ("p95 e2e of class payed < 1s", "no class is called 'payed'; did you mean 'paid'?"),
        ("pools.q.requests.rejected = 0", "no pool is called 'q'; there are: p"),
        ("p95 e2e of klass paid < 1s", "must be of a pool, a class or a tenant; did you mean 'class'?"),
        ("busy_share of class paid < 1", "is not known of a class, only of the fleet or a pool"),
        ("attained tpot > 90%", "no such objective under 'slo'; there are: queue_wait under 2s, "),
        ("attained queue_wait > 90%", "may be 2 objectives: add its limit"),
        ("attained > 90%", "must be 'attained METRIC'"),
    ],
)
def test_what_is_wrong_is_said(sentence: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        asserting("rejected = 0", sentence, **PARTIES)
    (problem,) = error.value.problems
    assert problem.path == "assert.1"
    assert said in problem.message


def test_every_problem_has_its_place_in_the_file(tmp_path: Path) -> None:
    text = queue().to_yaml() + "assert:\n  - p99 tft < 1s\n  - rejected = 0\n  - p99 e2e < 1kg\n"
    line = text.splitlines().index("assert:") + 1
    (tmp_path / "q.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "q.yaml")
    assert [(problem.line, problem.column) for problem in error.value.problems] == [(line + 1, 5), (line + 3, 5)]


def test_sentences_stay_as_they_are_written() -> None:
    scenario = asserting("p99 e2e  <  1s", "rejected = 0")
    assert load_text(scenario.to_yaml()).assertions == ("p99 e2e  <  1s", "rejected = 0")
    assert "assert" not in queue().to_yaml(), "who asserts nothing says nothing"


def load_text(text: str) -> Scenario:
    import yaml

    return load(yaml.safe_load(text))


def test_objectives_are_found_by_metric_limit_and_whose_they_are() -> None:
    told = [
        "attained queue_wait under 2s",
        "attained e2e",
        "attained e2e of class paid",
        "attained queue_wait under 5s",
    ]
    told += ["attained queue_wait under 5s of class free", "attained queue_wait under 2s of pool p"]
    scenario = asserting(*(f"{each} > 1%" for each in told), horizon="300s", **PARTIES)
    done = replicate(scenario, 2)
    paths = [each.path for each in judged(done)]
    assert paths == [
        *("slo.0.attained", "slo.1.attained", "slo.1.attained", "slo.2.attained"),
        *("classes.free.slo.1.attained", "pools.p.slo.0.attained"),
    ]
    summary = done.summary()
    assert [entry["metric"] for entry in summary["classes"]["free"]["slo"]] == ["queue_wait", "queue_wait"]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {at: leaf for key, each in value.items() for at, leaf in leaves(each, f"{path}.{key}".strip(".")).items()}


def test_the_numbers_are_those_of_summaries() -> None:
    summary = simulate(queue("300s", **PARTIES)).summary()
    conditional = ("economics.", "slowness.", "recovery.", "energy.")
    fleet, party = leaves(summary), leaves(summary["classes"]["paid"])
    assert {path for path in FLEET if not path.startswith(conditional)} <= set(fleet)
    assert set(POOL) <= set(leaves(summary["pools"]["p"]))
    earned = {"revenue_usd", "gross_margin_usd", "gross_margin_share"}
    assert set(PARTY) - earned == {path for path, leaf in party.items() if not isinstance(leaf, list)}
    beside = ("pools.", "classes.", "tenants.", "run.", "seed", "schema_version", "simulated_s", "measured_s")
    numbers = {path for path, leaf in fleet.items() if isinstance(leaf, int | float) and not path.startswith(beside)}
    beside_prices = {path for path in numbers if not path.startswith("commitments.")}
    assert beside_prices <= set(FLEET), "a number that cannot be asserted"


def test_units_follow_from_names() -> None:
    kinds = {kind_of(path) for path in FLEET}
    assert kinds == {"duration", "usd", "share", "rate", "number"}
    assert kind_of("latency.ttft_s.p99") == kind_of("lives.boot_s.max") == "duration"
    assert kind_of("throughput.goodput_per_s") == "rate"
    assert kind_of("ledger.usd.floor") == kind_of("cost.usd_per_day") == "usd"
    assert kind_of("slo.0.attained") == "share"
    assert kind_of("ledger.gpu_hours.floor") == kind_of("replicas.mean") == "number"


# ------------------------------------------------------------------------------------------------- what runs say


@pytest.mark.parametrize(
    ("claim", "low", "high", "verdict"),
    [
        ("< 1s", 0.5, 0.9, "pass"),
        ("< 1s", 0.5, 1.1, "undecided"),
        ("< 1s", 1.0, 1.0, "fail"),
        ("<= 1s", 1.0, 1.0, "pass"),
        ("<= 1s", 1.1, 1.2, "fail"),
        ("> 1s", 1.1, 1.2, "pass"),
        ("> 1s", 0.9, 1.0, "fail"),
        (">= 1s", 1.0, 1.2, "pass"),
        (">= 1s", 0.9, 1.2, "undecided"),
    ],
)
def test_verdicts_of_intervals(claim: str, low: float, high: float, verdict: str) -> None:
    (found,) = assertions(asserting(f"p99 e2e {claim}"))
    assert verdict_of(found, Interval((low + high) / 2, (high - low) / 2)) == verdict


def test_rounding_decides_nothing() -> None:
    (most, below) = assertions(asserting("busy_share <= 100%", "busy_share < 100%"))
    assert most.holds(1 + 2e-16)
    assert not below.holds(1 - 2e-16)


def test_a_bound_is_an_end_of_a_wider_interval() -> None:
    values = [1.0, 2.0, 4.0]
    assert one_sided(0.975) == pytest.approx(0.95)
    assert of_mean(values, one_sided(0.95)).high == pytest.approx(7 / 3 + 2.919986 * np.std(values, ddof=1) / 3**0.5)


def test_with_a_confidence_the_bound_decides_else_the_estimate() -> None:
    done = replicate(
        asserting(*(f"{WAIT} < {limit}s{sure}" for sure in ("", " with 95% confidence") for limit in LIMITS)), 12
    )
    interval = done.intervals["latency.queue_wait_s.mean"]
    assert interval.low < 1.3 < interval.high
    plain, sure = judged(done)[:4], judged(done)[4:]
    assert [each.verdict for each in plain] == ["fail", "fail" if interval.estimate >= 1.3 else "pass", "pass", "pass"]
    assert [each.verdict for each in sure] == ["fail", "undecided", "pass", "pass"]
    assert plain[0].interval == interval
    # one look, for the number of runs was given: the two-sided interval of 90 %
    told = sure[1].told()
    low, high = told["interval"]
    assert interval.low < low < 1.3 < high < interval.high
    assert told["quantity"] == "latency.queue_wait_s.mean"
    assert told["value"] == interval.estimate
    assert told["runs"] == 12
    assert "--replications" in told["why"]


LIMITS = (0.9, 1.3, 2, 3)


def test_what_no_run_can_tell_is_undecided() -> None:
    done = replicate(
        asserting("p99 queue_wait < 30s", "gross_margin_usd > 0", "lives.boot_s.p99 < 1s", horizon="300s"), 4
    )
    tail, margin, boot = judged(done)
    assert (tail.verdict, tail.value) == ("undecided", None)
    lacking = done.summary()["refused"]["latency.queue_wait_s.p99"]
    assert f"{lacking:,} more requests" in tail.why
    assert (margin.verdict, boot.verdict) == ("undecided", "undecided")


def test_that_no_request_missed_says_little_of_few_requests() -> None:
    objective = [{"metric": "queue_wait", "under": "1h", "share": 0.9}]
    limits = ("attained queue_wait >= 99% with 95% confidence", "attained queue_wait >= 99.99% with 95% confidence")
    few = judged(replicate(asserting(*limits, slo=objective, horizon="400s"), 10))
    assert [(each.verdict, each.value) for each in few] == [("pass", 1.0), ("undecided", 1.0)]
    told = few[0].interval
    assert told is not None
    assert 1 - told.low == pytest.approx(3 / 4500, rel=0.05)  # the rule of three: 300 s of 1.5/s, ten times
    assert "--replications 67 would" in few[1].why or "--replications 66 would" in few[1].why
    alike = queue("400s", **{"assert": list(limits), "slo": objective, "workload": IN_STEP})
    assert [each.verdict for each in judged(replicate(alike, 3))] == ["pass", "pass"], "nothing is random"


IN_STEP = {
    "arrivals": {"kind": "renewal", "gap": {"kind": "constant", "value": 1}},
    "service": {"kind": "constant", "value": 1},
}


def test_one_run_has_an_estimate_and_no_confidence() -> None:
    done = replicate(asserting("p99 queue_wait < 1h", "p99 queue_wait < 1h with 95% confidence", horizon="300s"), 1)
    plain, sure = judged(done)
    assert plain.verdict == "pass"
    assert sure.verdict == "undecided"
    assert "one run says nothing of chance" in sure.why
    assert sure.told()["interval"] is None


def test_runs_go_on_until_what_is_asserted_is_decided() -> None:
    scenario = asserting(f"{WAIT} < 2.2s with 95% confidence", "rejected = 0", horizon="500s")
    wanted = goals(scenario)
    done = replicate(scenario, goals=wanted)
    assert done.stopped == "precision"
    assert len(done.records) in LOOKS
    looked = judged(done)[0]
    assert (looked.verdict, looked.runs) == ("pass", len(done.records))
    # whoever wants more runs for another reason does not take the verdict back
    precise = Precision(1e-9, ("latency.queue_wait_s.mean",))
    more = replicate(scenario, goals=[*wanted, precise], most=len(done.records) + 5)
    assert judged(more)[0].verdict == "pass"


def test_an_early_verdict_does_not_stand_against_all_runs_together() -> None:
    scenario = asserting("total_usd < 10 with 95% confidence")
    values = [*(9 + 0.01 * place for place in range(LOOKS[0])), *(14.0 + place % 3 for place in range(20))]
    records = [Record(place, {"cost": {"total_usd": value}}, {}) for place, value in enumerate(values)]
    early = judged(Replicated(scenario, tuple(records[: LOOKS[0]]), "precision"))[0]
    assert early.verdict == "pass"
    (late,) = judged(Replicated(scenario, tuple(records), "budget"))
    assert late.verdict in ("undecided", "fail")
    (between,) = judged(Replicated(scenario, tuple(records[: LOOKS[0] + 4]), "precision"))
    assert between.value is not None
    assert between.value > 10
    assert between.verdict == "undecided"
    assert between.why == "the first 10 runs alone would pass it, all 14 together say otherwise"


def test_nothing_is_waited_for_that_no_run_can_tell() -> None:
    assert goals(asserting("rejected = 0")) == (), "an estimate is known after any run"
    scenario = asserting("gross_margin_usd > 0 with 95% confidence", horizon="150s")
    assert len(replicate(scenario, goals=goals(scenario)).records) == LOOKS[0]


def test_looking_often_is_wrong_no_more_often_than_said() -> None:
    wrong_passes, wrong_failures = wrong_verdicts(lambda random: 10 + random.standard_normal(100), 250)
    assert 0 < wrong_passes < 0.05
    assert 0 < wrong_failures < 0.05
