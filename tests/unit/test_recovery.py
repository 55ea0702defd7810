"""Recovery after bursts, on timelines made by hand: what is metastable, and all that must not be called so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, NONE, REQUEST, TIMED_OUT
from sim.result import Result
from sim.result.bursts import bursts
from sim.result.recovery import LEAST_PER_LOOK, Looks, judged
from tests.made_logs import lives, log, scenario, target

Floats = NDArray[np.float64]

BIN_S = 10.0
BINS = 240
CAPACITY = 500.0  # requests that the made services answer in a bin
USUAL = 400.0
BURST = slice(60, 72)  # two minutes, at 10 min


def load(burst: float = 1000.0, bins: int = BINS, scatter: bool = True) -> Floats:
    """A steady load with a burst; as Poisson counts if it scatters."""
    offered = np.full(bins, USUAL)
    offered[BURST] = burst
    return np.random.default_rng(5).poisson(offered).astype(np.float64) if scatter else offered


def looks(offered: Floats, in_time: Floats, **more: Floats) -> Looks:
    given = {"answered": in_time, "sent": offered} | more
    return Looks(np.arange(len(offered) + 1) * BIN_S, offered, np.minimum(in_time, offered), **given)


def queue(offered: Floats, capacity: float = CAPACITY) -> Looks:
    """A queue without deadlines, and a promise that is kept only when nobody waits: what arrives is answered later."""
    waiting = 0.0
    answered, good = np.zeros(len(offered)), np.zeros(len(offered))
    for place, came in enumerate(offered.tolist()):
        there = waiting + came
        answered[place] = min(there, capacity)
        good[place] = came if waiting == 0 else 0.0
        waiting = there - answered[place]
    return looks(offered, good, answered=answered)


def collapsed(offered: Floats, share: float = 0.3, attempts: float = 3.4, until: int | None = None) -> Looks:
    """From the burst on (until a place) only this share is answered, and all is sent so many times."""
    good, sent = 0.99 * offered, offered.copy()
    down = slice(BURST.start, until)
    good[down] = share * offered[down]
    sent[down] = attempts * offered[down]
    return looks(offered, good, sent=sent)


def block(of: Looks) -> dict[str, Any]:
    found = judged(of)
    assert found is not None
    return found


def test_a_service_that_stays_down_is_metastable() -> None:
    found = block(collapsed(load()))
    assert found["state"] == "metastable"
    assert found["metastable"] is True
    assert found["recovered_after_s"] is None
    assert found["burst"]["from_s"] == 600.0
    assert found["burst"]["to_s"] == 720.0
    assert found["burst"]["offered_per_s"] == pytest.approx(100, rel=0.03)
    assert found["burst"]["usual_per_s"] == pytest.approx(40, rel=0.03)
    assert found["goodput_before_share"] == pytest.approx(0.99)
    assert found["goodput_after_share"] == pytest.approx(0.3)
    assert found["attempts_after"] == pytest.approx(3.4)
    assert 0.9 < found["load_after_share"] < 1.05
    assert found["watched_s"] == 1680.0


def test_answers_that_need_several_attempts_each_are_metastable_too() -> None:
    """Everybody is answered in the end, late, and the attempts keep the service full."""
    offered = load()
    made = collapsed(offered, share=0.1, attempts=2.0)
    late = Looks(made.edges_s, offered, made.in_time, answered=0.99 * offered, sent=made.sent)
    assert block(late)["metastable"]


def test_no_answers_without_any_retries_are_metastable_too() -> None:
    """Work for clients that have gone keeps a queue as long as it is."""
    assert block(collapsed(load(), share=0.4, attempts=1.0))["metastable"]


def test_a_service_that_comes_back_tells_when() -> None:
    found = block(collapsed(load(), until=90))
    assert found["state"] == "recovered"
    assert not found["metastable"]
    assert found["recovered_after_s"] == 180.0
    assert found["goodput_after_share"] == pytest.approx(0.99)


def test_a_moment_of_normal_service_is_no_recovery() -> None:
    made = collapsed(load())
    made.in_time[100:102] = made.offered[100:102]
    made.in_time[130:140] = made.offered[130:140]
    assert block(made)["metastable"]


def test_a_queue_that_drains_in_time_has_recovered() -> None:
    """(1000 - 500) * 12 requests wait at the end of the burst; 100 more than come are answered in a bin."""
    found = block(queue(load(scatter=False)))
    assert found["state"] == "recovered"
    assert found["recovered_after_s"] == pytest.approx(600.0, abs=2 * BIN_S)


@pytest.mark.parametrize("capacity", [450.0, 420.0, 405.0, USUAL])
def test_a_queue_that_still_drains_at_the_end_is_slow(capacity: float) -> None:
    """Or one that stays, because there is no room to work it off."""
    found = block(queue(load(2000.0, scatter=False), capacity))
    assert found["goodput_after_share"] < 0.01
    assert found["state"] == "slow"
    assert not found["metastable"]


def test_a_service_that_gets_better_to_the_end_is_slow() -> None:
    made = collapsed(load(), share=0.2)
    made.in_time[72:] = made.offered[72:] * np.linspace(0.2, 0.8, BINS - 72)
    assert block(made)["state"] == "slow"


def test_a_load_that_stays_above_what_was_carried_is_an_overload() -> None:
    offered = load()
    offered[72:] *= 1.3
    found = block(collapsed(offered))
    assert found["state"] == "overloaded"
    assert not found["metastable"]


def test_a_burst_that_the_run_ends_with_is_not_known_to_be_one() -> None:
    assert judged(collapsed(load()[: BURST.stop])) is None


@pytest.mark.parametrize("after", [1, 2, 5, 10, 20, 35])
def test_a_burst_near_the_end_leaves_it_unknown(after: int) -> None:
    found = block(collapsed(load()[: BURST.stop + after]))
    assert found["burst"]["to_s"] == 720.0
    assert found["state"] == "unknown"
    assert found["recovered_after_s"] is None
    assert not found["metastable"]


def test_no_burst_no_block() -> None:
    assert judged(collapsed(load(burst=USUAL))) is None
    assert judged(collapsed(load(burst=1.1 * USUAL))) is None
    assert judged(collapsed(load()[:8])) is None


def test_a_burst_at_the_start_has_nothing_to_be_compared_with() -> None:
    offered = np.roll(load(), -BURST.start)
    assert judged(looks(offered, 0.1 * offered)) is None


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("peak", [1.4, 1.8])
def test_the_rhythm_of_a_day_is_no_burst(days: int, peak: float) -> None:
    """A smooth wave, and a service that is overloaded at every peak."""
    edges_s = np.linspace(0, days * 86_400, 288 + 1)
    hour = edges_s[:-1] / 3600
    offered = np.random.default_rng(1).poisson(3000 * (1 + (peak - 1) * np.cos((hour - 15) / 12 * np.pi)))
    assert bursts(offered.astype(np.float64), edges_s) == []


def test_a_load_that_stays_higher_or_climbs_is_no_burst() -> None:
    edges_s = np.arange(BINS + 1) * BIN_S
    for shape in (np.repeat([1.0, 2.0], BINS // 2), np.linspace(1, 5, BINS), np.linspace(5, 1, BINS)):
        offered = np.random.default_rng(6).poisson(USUAL * shape).astype(np.float64)
        assert bursts(offered, edges_s) == []


def test_a_rate_that_drifts_by_chance_has_none() -> None:
    rate = USUAL * np.random.default_rng(3).lognormal(0, 0.4, BINS)
    offered = np.random.default_rng(2).poisson(rate).astype(np.float64)
    assert offered.max() > 2 * USUAL
    assert bursts(offered, np.arange(BINS + 1) * BIN_S) == []


def test_few_requests_make_no_burst_by_chance() -> None:
    offered = np.random.default_rng(4).poisson(LEAST_PER_LOOK, 3000).astype(np.float64)
    assert bursts(offered, np.arange(3001.0)) == []


def test_of_several_bursts_the_worst_is_told() -> None:
    offered = load()
    offered[150:158] = 1000.0
    made = collapsed(offered, until=90)
    made.in_time[150:170] = 0.0
    first = block(made)
    assert first["burst"]["from_s"] == 600.0
    assert first["recovered_after_s"] == 180.0
    made.in_time[158:] = made.answered[158:] = 0.0
    second = block(made)
    assert second["burst"]["from_s"] == 1500.0
    assert second["metastable"]


def test_what_is_known_of_one_burst_is_told_before_what_is_not_of_another() -> None:
    offered = load()
    offered[228:232] = 1000.0
    made = collapsed(offered, until=90)
    made.in_time[228:] = 0.0
    assert block(made)["recovered_after_s"] == 180.0


def test_bursts_before_the_service_is_back_are_one_trigger() -> None:
    offered = load()
    offered[150:158] = 1000.0
    found = block(collapsed(offered))
    assert found["burst"]["from_s"] == 600.0
    assert found["burst"]["to_s"] == 1580.0
    assert found["metastable"]


# -- from rows to the verdict ------------------------------------------------------------------------------------------


def rows(lost_from_s: float = 600.0, lost_until_s: float = 2400.0) -> np.ndarray:
    """Requests every 25 ms, two and a half times as many for two minutes; of the lost, two in three time out."""
    offered = load(scatter=False)
    at_s = np.concatenate([BIN_S * (place + np.arange(int(n)) / n) for place, n in enumerate(offered.tolist())])
    table = np.zeros(len(at_s), REQUEST)
    table["prefix0"] = NONE
    table["arrival_s"] = at_s
    table["output_tokens"] = 2
    table["start_s"] = at_s
    table["first_token_s"], table["finish_s"] = at_s + 0.2, at_s + 0.5
    table["outcome"] = COMPLETED
    lost = (at_s >= lost_from_s) & (at_s < lost_until_s) & (np.arange(len(at_s)) % 3 > 0)
    table["outcome"][lost] = TIMED_OUT
    for name in ("start_s", "first_token_s"):
        table[name][lost] = np.nan
    return table


EDGES_S = (np.arange(BINS + 1) * BIN_S).tolist()


def of_rows(table: np.ndarray, **changes: Any) -> Result:
    given = {"horizon_s": BINS * BIN_S, "slo": (target("ttft", 1.0, 0.9),)} | changes
    return Result(scenario(**given), log(table, EDGES_S, lives({"ready_s": 0.0})))


def test_the_verdict_names_the_failure() -> None:
    result = of_rows(rows())
    assert result.summary()["recovery"]["metastable"]
    assert (
        "After the burst at 10 min the service does not come back: 33.3% of requests are answered in time, though the "
        "load is 100% of what it carried before (a metastable failure). " in result.verdict()
    )


def test_late_answers_are_not_in_time_and_a_promise_of_gaps_needs_gaps() -> None:
    table = rows(lost_until_s=720.0)
    assert of_rows(table).summary()["recovery"]["recovered_after_s"] == 0.0
    late = table["arrival_s"] >= 720.0
    table["first_token_s"][late] += 5
    table["finish_s"][late] += 5
    # all of it is answered: late, and once
    assert of_rows(table).summary()["recovery"]["state"] == "slow"
    assert of_rows(table, slo=()).summary()["recovery"]["state"] == "recovered"
    # 300 ms between its two tokens, and answers of one token have none
    found = of_rows(table, slo=(target("tpot", 0.1, 0.9),)).summary()["recovery"]
    assert found is None
    table["output_tokens"] = 1
    assert of_rows(table, slo=(target("tpot", 0.1, 0.9),)).summary()["recovery"]["state"] == "recovered"


def test_the_warm_up_is_neither_before_nor_burst() -> None:
    assert of_rows(rows(), warmup_s=650.0).summary()["recovery"] is None
    found = of_rows(rows(), warmup_s=500.0).summary()["recovery"]
    assert found["burst"]["from_s"] == 600.0
    assert found["goodput_before_share"] == 1.0


def test_looks_are_as_long_as_it_takes_for_shares_to_mean_something() -> None:
    """A tenth of the requests: 40 in a bin, so two bins make a look."""
    table = rows()[::10]
    found = of_rows(table).summary()["recovery"]
    assert LEAST_PER_LOOK > USUAL / 10
    assert found["metastable"]
    assert found["burst"] == pytest.approx({"from_s": 600, "to_s": 720, "offered_per_s": 10, "usual_per_s": 4})
