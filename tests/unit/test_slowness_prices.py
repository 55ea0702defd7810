"""What slow and missing answers cost: every kind against numbers worked by hand, and what cannot be said of them."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from sim.config.errors import ConfigError
from sim.model.tables import OUTCOMES
from sim.pricing.slowness import AnySlowness, Seen
from sim.scenario import load
from tests.laws import chat

DAY_S = 86_400.0
MONTH_S = 30 * DAY_S
NAN = math.nan


def price(kind: str, **values: Any) -> Any:
    return TypeAdapter[Any](AnySlowness).validate_python({"kind": kind, **values})


def seen(*rows: tuple[float, float, str], metric: str = "ttft", window_s: float = DAY_S) -> Seen:
    """Requests: the wait (NaN: never), how long each stayed, and how it ended."""
    wait_s, stayed_s, ended = zip(*rows, strict=True) if rows else ((), (), ())
    outcome = np.array([OUTCOMES.index(name) for name in ended], np.uint8)
    return Seen({metric: np.array(wait_s, float)}, np.array(stayed_s, float), outcome, OUTCOMES, window_s)


# three are answered, after 1, 4 and 12 s; one leaves after 30 s without an answer, one is turned away at once
FIVE = (
    (1.0, 2.0, "completed"),
    (4.0, 6.0, "completed"),
    (12.0, 14.0, "completed"),
    (NAN, 30.0, "abandoned"),
    (NAN, 0.0, "rejected"),
)


def test_every_kind_says_what_it_is() -> None:
    kinds = get_args(get_args(AnySlowness)[0])
    assert [kind.model_fields["kind"].default for kind in kinds] == [
        "linear",
        "sla_credits",
        "lost_users",
        "lost_requests",
    ]
    for kind in kinds:
        assert kind.model_config["frozen"]
        assert kind.model_config["extra"] == "forbid"
        assert "USD = " in kind.__doc__


def test_linear_charges_the_hours_beyond() -> None:
    charge = price("linear", metric="ttft", beyond="3s", usd_per_hour="$36/h").charge(seen(*FIVE))
    # 4 - 3, 12 - 3, and 30 - 3 for the one that left: 37 s at a cent a second
    assert charge.usd == pytest.approx(0.37)
    assert charge.facts["slow_requests"] == 3
    assert charge.facts["waited_beyond_hours"] == pytest.approx(37 / 3600)
    assert charge.facts["unanswered_free"] == 1, "the one that was turned away has waited for nothing"


def test_linear_may_say_what_a_request_without_an_answer_has_waited() -> None:
    charge = price("linear", metric="ttft", beyond="3s", usd_per_hour=36, unanswered="20s").charge(seen(*FIVE))
    # the one that stayed for 30 s did wait longer than that; the rejected one counts as 20 s
    assert charge.usd == pytest.approx(0.01 * (1 + 9 + 27 + 17))
    assert charge.facts["unanswered_free"] == 0


def test_a_wait_in_the_queue_that_was_over_is_no_longer_than_it_was() -> None:
    # started after 5 s, timed out after 60 s: it waited 5 s in the queue
    charge = price("linear", metric="queue_wait", usd_per_hour=3600).charge(
        seen((5.0, 60.0, "timed_out"), metric="queue_wait")
    )
    assert charge.usd == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("slow", "credit"),
    [(0, 0.0), (10, 0.0), (11, 0.1), (50, 0.1), (51, 0.25), (100, 0.25), (101, 1.0), (1000, 1.0)],
)
def test_sla_credits_go_by_tiers_and_pro_rata(slow: int, credit: float) -> None:
    tiers = {"99%": "10%", "95%": "25%", "90%": "100%"}
    charge = price("sla_credits", metric="ttft", under="1s", monthly_usd="$90k", tiers=tiers).charge(
        seen(*[(1.0, 1.0, "completed")] * (1000 - slow), *[(1.5, 2.0, "completed")] * slow)
    )
    assert charge.facts == {"slow_requests": slow, "attained": (1000 - slow) / 1000, "credit_share": credit}
    assert charge.usd == pytest.approx(3000 * credit), "a thirtieth of the fee for a day"


def test_sla_credits_count_who_got_no_answer_as_late_and_nobody_as_nothing() -> None:
    sla = price("sla_credits", metric="ttft", under="15s", monthly_usd=300, tiers={0.9: 0.5})
    assert sla.charge(seen(*FIVE)).facts["attained"] == 3 / 5
    assert sla.usd(seen(*FIVE)) == pytest.approx(5.0)
    assert sla.charge(seen()).facts["attained"] is None
    assert sla.usd(seen()) == 0.0
    # started in time, never completed: late, whatever the metric
    late = price("sla_credits", metric="queue_wait", under="15s", monthly_usd=300, tiers={0.9: 0.5})
    assert late.usd(seen((1.0, 60.0, "timed_out"), metric="queue_wait")) == pytest.approx(5.0)


def test_lost_users_by_a_step() -> None:
    lost = price("lost_users", metric="ttft", beyond="4s", share="10%", lifetime_usd="$60")
    charge = lost.charge(seen(*FIVE))
    # 12 s, and the two without an answer; 4 s is not beyond
    assert charge.facts == {"slow_requests": 3, "users": None, "lost_users": pytest.approx(0.3)}
    assert charge.usd == pytest.approx(18.0)


def test_lost_users_by_a_curve() -> None:
    lost = price("lost_users", metric="ttft", curve={"2s": "0%", "10s": "8%"}, lifetime_usd=100)
    charge = lost.charge(seen(*FIVE))
    # 1 s: 0; 4 s: a quarter of the way; 12 s: flat; no answer: as slow as can be
    assert charge.facts["lost_users"] == pytest.approx(0.02 + 3 * 0.08)
    assert charge.facts["slow_requests"] == 4
    assert charge.usd == pytest.approx(26.0)


def test_no_more_users_are_lost_than_there_are() -> None:
    slow = [(9.0, 9.0, "completed")] * 2
    told = {"metric": "ttft", "beyond": "4s", "share": "50%", "lifetime_usd": 8}
    # two slow answers: the only user stays with 1/4; of two users each has asked either with 1/2, and stays with 9/16
    assert price("lost_users", **told, users=1).usd(seen(*slow)) == pytest.approx(8 * 3 / 4)
    assert price("lost_users", **told, users=2).usd(seen(*slow)) == pytest.approx(8 * 2 * 7 / 16)
    certain = {**told, "share": "100%"}
    assert price("lost_users", **certain, users=1).usd(seen(*slow)) == 8.0
    assert price("lost_users", **certain, users=10**6).usd(seen(*slow)) == pytest.approx(16, rel=1e-5)
    # forty requests in half a day, ten a user and day: eight users
    crowd = price("lost_users", **told, requests_per_user_per_day=10)
    charge = crowd.charge(seen(*slow * 20, window_s=DAY_S / 2))
    assert charge.facts["users"] == pytest.approx(8.0)
    assert charge.facts["lost_users"] == pytest.approx(8 * (1 - (1 - 0.5 / 8) ** 40))


def test_lost_requests_by_outcome() -> None:
    rows = [*FIVE, (NAN, 9.0, "timed_out"), (NAN, 9.0, "failed"), (NAN, 9.0, "unfinished")]
    assert price("lost_requests", usd="$0.5").usd(seen(*rows)) == 2.5
    only = price("lost_requests", usd=0.5, outcomes=["rejected", "failed"]).charge(seen(*rows))
    assert (only.usd, only.facts) == (1.0, {"lost_requests": 2})


LINEAR = {"kind": "linear", "metric": "ttft", "usd_per_hour": 20}
SLA = {"kind": "sla_credits", "metric": "ttft", "under": "1s", "monthly_usd": "100k", "tiers": {"99%": "10%"}}
USERS = {"kind": "lost_users", "metric": "ttft", "lifetime_usd": 60}
CURVE = {"2s": "0%", "10s": "5%"}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**LINEAR, "kind": "linea"}, "slowness.0.kind: 'linea' is not one of linear, sla_credits, lost_users"),
        ({**LINEAR, "metric": "tpot"}, "slowness.0.metric: 'tpot' is not one of ttft, e2e, queue_wait"),
        ({**LINEAR, "class": "gold"}, "slowness.0.class: no stream is of class 'gold'; there are: free, paid"),
        ({**LINEAR, "class": "pai"}, "slowness.0.class: no stream is of class 'pai'; did you mean 'paid'?"),
        ({**LINEAR, "class": "free", "tenant": "acme"}, "slowness.0: no stream of class 'free' is of tenant 'acme'"),
        ({**SLA, "tiers": {}}, "slowness.0.tiers: must hold at least one tier"),
        ({**SLA, "tiers": {"99%": "10%", "0.99": "20%"}}, "slowness.0.tiers: names the same share twice"),
        (
            {**SLA, "tiers": {"99%": "10%", "95%": "5%"}},
            "slowness.0.tiers: worse service must give back more: below 95% it is 5%, in the tier above 10%",
        ),
        (USERS, "slowness.0: needs 'beyond' and 'share'"),
        ({**USERS, "beyond": "4s", "curve": CURVE}, "slowness.0.beyond: says what 'curve' says already"),
        ({**USERS, "curve": {"2s": "1%"}}, "slowness.0.curve: needs at least two points"),
        ({**USERS, "curve": {"3s": "1%", "2s": "2%"}}, "slowness.0.curve: waits must rise, got 2 s after 3 s"),
        ({**USERS, "curve": {"2s": "2%", "3s": "1%"}}, "slowness.0.curve: shares must not fall"),
        ({**USERS, "curve": {"2s": 0, "3s": 0}}, "slowness.0.curve: must rise above 0"),
        (
            {**USERS, "curve": CURVE, "users": 5, "requests_per_user_per_day": 2},
            "slowness.0.requests_per_user_per_day: says what 'users' says already",
        ),
        ({"kind": "lost_requests", "usd": "4 EUR"}, "slowness.0.usd: must be an amount of USD"),
        (
            {"kind": "lost_requests", "usd": 1, "outcomes": ["completed"]},
            "slowness.0.outcomes.0: 'completed' is not one of rejected, abandoned",
        ),
        (
            {"kind": "lost_requests", "usd": 1, "outcomes": ["failed", "failed"]},
            "slowness.0.outcomes.1: 'failed' stands there twice",
        ),
    ],
)
def test_mistakes_are_said_at_their_place(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scenario([entry])
    assert [str(problem) for problem in caught.value.problems if str(problem).startswith(told)], caught.value


def test_prices_survive_being_written_down() -> None:
    entries = [
        LINEAR,
        {**SLA, "class": "paid"},
        {**USERS, "curve": CURVE, "users": 5},
        {"kind": "lost_requests", "usd": 1},
    ]
    made = scenario(entries)
    assert load(made.model_dump(mode="json", by_alias=True, exclude_none=True)) == made
    assert made.slowness[1].tiers == {0.99: 0.1}
    assert made.slowness[1].class_name == "paid"
    assert made.slowness[2].curve == {2.0: 0.0, 10.0: 0.05}


def scenario(entries: list[dict[str, Any]]) -> Any:
    streams = {"a": chat(**{"class": "paid"}, tenant="acme"), "b": chat(**{"class": "free"})}
    pool = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 1}}
    for stream in streams.values():
        stream["service"] = {"kind": "constant", "value": 1}
    return load(
        {"name": "x", "horizon": "1m", "workload": {"streams": streams}, "pools": {"p": pool}, "slowness": entries}
    )
