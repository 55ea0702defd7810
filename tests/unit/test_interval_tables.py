"""What several replications say together, in words: intervals, what is undecided, what is not told, why no more."""

from __future__ import annotations

from typing import Any

import pytest

from sim.report.tables.intervals import interval, interval_table, replication_notes, steady_note, told
from sim.report.tables.run import latency_table, slo_table
from sim.result import words
from sim.result.verdict import recovery_sentence, service_sentence, undecided

STATISTICS = {"mean": 0.2, "p50": 0.1, "p90": 0.3, "p95": 0.4, "p99": 0.567, "max": 2.0}


def summary(around: tuple[float, float] = (0.989, 0.993), **changes: Any) -> dict[str, Any]:
    """Of ten replications with one objective; `around`: the interval of what it attains."""
    attained = sum(around) / 2
    return {
        "requests": {"arrived": 1000.4, "completed": 1000.4, "rejected": 0, "abandoned": 0, "timed_out": 0}
        | {"failed": 0, "unfinished": 0},
        "latency": {name: dict(STATISTICS) for name in ("queue_wait_s", "ttft_s", "tpot_s")}
        | {"e2e_s": {**STATISTICS, "p99": 9.0}},
        "slo": [{"metric": "ttft", "under_s": 1.0, "share": 0.99, "attained": attained, "met": attained >= 0.99}],
        "utilization": {"busy_share": 0.5},
        "replicas": {"mean": 2.0},
        "cost": {"usd_per_day": 96.0, "usd_per_request": 0.001, "usd_per_million_output_tokens": None},
        "replications": {
            "number": 10,
            "stopped": "budget",
            "requests": 1000.4,
            "precision": 0.05,
            "budget": {"replications": 100, "requests": 2_000_000},
            "least_known": {"path": "latency.ttft_s.p99", "within_share": 0.08, "replications": 60}
            | {"single": [0.5, 0.6]},
        },
        "intervals": {
            "latency.ttft_s.p99": [0.551, 0.583],
            "slo.0.attained": list(around),
            "cost.usd_per_day": [96.0, 96.0],
            "cost.usd_per_request": [-0.0001, 0.0021],
        },
        "refused": {},
        **changes,
    }


@pytest.mark.parametrize(
    ("around", "begins"),
    [
        ((0.989, 0.993), "Meets or misses the SLO, 10 replications cannot tell: 98.9% to 99.30% of requests get"),
        ((0.991, 0.993), "Meets the SLO: 99.20% of requests"),
        ((0.990, 0.994), "Meets the SLO: "),
        ((0.986, 0.990), "Meets or misses the SLO, "),
        ((0.986, 0.9899), "Misses the SLO: only 98.8% of requests"),
        ((0.985, 1.004), "Meets or misses the SLO, 10 replications cannot tell: 98.5% to 100% of requests"),
    ],
)
def test_a_verdict_is_given_only_where_the_interval_leaves_the_target_out(
    around: tuple[float, float], begins: str
) -> None:
    said = service_sentence(summary(around))
    assert said.startswith(begins), said
    assert "(target 99%)" in said
    assert (undecided(summary(around), 0) is None) == ("cannot tell" not in said)
    assert slo_table(summary(around)).rows[0][-1] == (
        "undecided" if "cannot tell" in said else "met" if said.startswith("Meets") else "missed"
    )


def test_a_miss_that_is_sure_is_told_alone() -> None:
    found = summary()
    found["slo"].append({"metric": "e2e", "under_s": 5.0, "share": 0.95, "attained": 0.5, "met": False})
    found["intervals"]["slo.1.attained"] = [0.49, 0.51]
    said = service_sentence(found)
    assert said.startswith("Misses the SLO: only 50.0% of requests are answered within 5 s")
    assert "first token" not in said


def test_the_table_has_what_varies_with_what_it_is_known_to() -> None:
    rows = {row[0]: row[1:] for row in interval_table(summary()).rows}
    assert rows["p99 TTFT"] == ("567 ms", "551 to 583 ms", "2.8%")
    assert rows["get their first token within 1 s"][1] == "98.9% to 99.30%"
    assert rows["cost a request"][1] == "$0.00 to $0.0021", "no number of money is below 0 here"
    assert "cost a day" not in rows, "it is the same in every run"
    assert interval(summary(), "cost.usd_per_day") is None
    assert interval_table({**summary(), "intervals": {}}).rows == ()


def test_a_quantile_without_enough_requests_says_how_many_more() -> None:
    found = summary(refused={"latency.ttft_s.p99": 4_200})
    found["latency"]["ttft_s"]["p99"] = None
    assert told(found, "latency.ttft_s.p99") == "needs 4,200 more"
    assert latency_table(found).rows[1][-2:] == ("needs 4,200 more", "2 s")
    assert ("p99 TTFT", "needs 4,200 more", "", "") in interval_table(found).rows
    # 1,000.4 requests a replication: 4.2 more of them
    assert replication_notes(found)[1].endswith("fewer than 100 lie beyond it. --replications 15 would do.")


def test_why_no_more_replications_were_made() -> None:
    (budget,) = replication_notes(summary())
    assert budget == (
        "10 replications of 1,000 requests each, with 95% intervals. Stopped at the budget of 2 million requests: "
        "p99 TTFT is known to 8.0% (at once with attainment and cost); 5% takes about 60 (--replications 60)."
    )
    block = summary()["replications"]
    (reached,) = replication_notes(summary(replications=block | {"stopped": "precision"}))
    assert reached.endswith("95% intervals. Enough: p99 TTFT, attainment and cost are known to 5%.")
    hundred = block | {"number": 100}
    assert "the budget of 100 replications:" in replication_notes(summary(replications=hundred))[0]
    least = block["least_known"]
    far = block | {"least_known": least | {"within_share": 2.0, "replications": 48_257}}
    (beyond,) = replication_notes(summary(replications=far))
    assert beyond.endswith("(at once with attainment and cost); 5% would take some 50,000.")
    vague = block | {"least_known": least | {"within_share": None, "replications": None, "single": [0.509, 8.63]}}
    (unknown,) = replication_notes(summary(replications=vague))
    assert unknown.endswith("p99 TTFT is not known yet, single replications have 509 ms to 8.63 s.")
    plain = block | {"stopped": "number", "precision": None}
    assert replication_notes(summary(replications=plain))[0].endswith(
        "95% intervals. p99 TTFT is known to 8.0% (at once with attainment and cost)."
    )
    still = block | {"stopped": "precision", "least_known": None}
    assert "Nothing that a precision is about varies" in replication_notes(summary(replications=still))[0]
    one = block | {"number": 1, "requests": 2_300_000.0, "least_known": None}
    (alone,) = replication_notes(summary(replications=one))
    assert alone.startswith(
        "1 replication of 2.3 million requests: no intervals, as a second would be beyond the budget of 2 million"
    )
    asked = one | {"requests": 5_700.0, "budget": {"replications": 1, "requests": None}}
    assert "no intervals. For some" in replication_notes(summary(replications=asked))[0], "it was asked for"
    assert "--replications 5" in alone
    assert replication_notes({}) == []


def test_what_the_search_for_the_warm_up_chose() -> None:
    block = {"warmup_s": 180.0, "horizon_s": 3600.0, "extended": 0, "slowest": "in_system"}
    assert steady_note({"steady": block}) == "Warm-up 3 min of 1 h: the number in the system settles last."
    longer = steady_note({"steady": block | {"extended": 2}})
    assert longer == "Warm-up 3 min of 1 h (made longer from 15 min): the number in the system settles last."
    assert "No warm-up needed in 1 h" in str(steady_note({"steady": block | {"warmup_s": 0.0}}))
    assert steady_note({}) is None


def test_how_often_a_failure_is_metastable() -> None:
    found = {
        "burst": {"from_s": 60.0},
        "goodput_after_share": 0.2,
        "load_after_share": 1.0,
        "attempts_after": 1.0,
        "metastable": True,
    }
    sent = {"attempts": {"amplification": 1.05}}
    of = {"replications": {"number": 10}, **sent}
    assert recovery_sentence({"recovery": found, **sent}).endswith(" (a metastable failure).")
    seven = recovery_sentence({"recovery": found | {"metastable_replications": 7}, **of})
    assert seven.endswith(" (a metastable failure, in 7 of 10 replications).")
    others = found | {"metastable": False, "metastable_replications": 2}
    assert recovery_sentence({"recovery": others, **of}).startswith("In 2 of 10 replications the service does not")
    assert recovery_sentence({"recovery": others | {"metastable_replications": 0}, **of}) == ""


def test_a_service_that_comes_back_is_told_with_how_soon() -> None:
    found = {"burst": {"from_s": 600.0}, "metastable": False, "state": "recovered", "recovered_after_s": 30.0}
    sent = {"attempts": {"amplification": 1.05}}
    assert recovery_sentence({"recovery": found, **sent}) == (
        "The service recovers from the burst at 10 min: it is back to normal 30 s after its end."
    )
    assert recovery_sentence({"recovery": found | {"recovered_after_s": 0.0}, **sent}) == (
        "The burst at 10 min leaves nothing behind: as soon as it ends, requests are answered in time as before."
    )
    ten = {"recovery": found | {"metastable_replications": 0}, "replications": {"number": 10}, **sent}
    all_ten = ten | {"intervals": {"recovery.recovered_after_s": [20.0, 40.0]}}
    assert recovery_sentence(all_ten).endswith("back to normal 30 s after its end on average.")
    assert recovery_sentence(ten).startswith("In the first replication the service recovers from the burst at 10 min")
    assert recovery_sentence({"recovery": found | {"state": "slow", "recovered_after_s": None}, **sent}) == ""
    nobody = {"recovery": found, "attempts": {"amplification": 1.0}}
    assert recovery_sentence(nobody) == "", "clients that do not try again need no recovery"


def test_of_none_it_says_no_request_and_of_next_to_none_fewer() -> None:
    promise = {"metric": "ttft", "under_s": 1.0, "share": 0.99, "met": False, "class": "paid", "tenant": "acme"}
    requests = dict.fromkeys(("rejected", "abandoned", "timed_out", "failed", "unfinished"), 0) | {"arrived": 100_000}
    of = {"requests": requests, "slo": [promise | {"attained": 0.0}]}
    assert service_sentence(of) == (
        "Misses the SLO: no paid request of acme gets its first token within 1 s (target 99%)."
    )
    few = of | {"slo": [promise | {"attained": 1e-5, "metric": "queue_wait", "tenant": None}]}
    assert service_sentence(few) == (
        "Misses the SLO: fewer than 0.01% of paid requests wait at most 1 s in the queue (target 99%)."
    )


def test_two_numbers_have_their_unit_once() -> None:
    assert words.between(0.551, 0.583, words.duration) == "551 to 583 ms"
    assert words.between(0.987, 1.02, words.duration) == "987 ms to 1.02 s"
    assert words.between(65.0, 70.0, words.duration) == "1 min 5 s to 1 min 10 s"
    assert words.between(1.2e6, 1.25e6, words.usd) == "$1.20 to $1.25 million"
    assert words.between(96.0, 96.001, words.usd) == "$96.00"
