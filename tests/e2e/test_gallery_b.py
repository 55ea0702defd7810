"""What the pages of the gallery's rows A5 to A10 claim; every break-even from both of its sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.result.money.bill import bill_of
from tests.shipped import told


def every_target_is_met(summary: dict[str, Any]) -> bool:
    return all(target["met"] for target in summary["slo"])


def test_one_price_list_pays_for_all_models_and_is_unfair_to_the_small_one() -> None:
    """A5: at the break-even share of a list nothing is left; below it money is lost."""
    listed = told("enterprise-api", "revenue=[{kind: per_token, prompt: 0.1, output: 0.4}]")
    at = listed["economics"]["break_even_price_share"]
    left = {}
    for times in (0.98, 1.0, 1.02):
        price = f"{{kind: per_token, prompt: {0.1 * at * times}, output: {0.4 * at * times}}}"
        left[times] = told("enterprise-api", f"revenue=[{price}]")["economics"]["gross_margin_usd"]
    assert left[0.98] < 0 < left[1.02]
    assert left[1.0] == pytest.approx(0, abs=1e-9)
    each = listed["tenants"]
    assert each["t02"]["gross_margin_usd"] < 0 < each["t16"]["gross_margin_usd"]
    assert each["t02"]["cost"]["usd_per_request"] > 30 * each["t16"]["cost"]["usd_per_request"]
    assert sum(one["cost"]["total_usd"] for one in each.values()) == pytest.approx(listed["cost"]["total_usd"])


def test_only_who_orders_before_nine_keeps_the_promise_on_mondays() -> None:
    """A6: the forecast by the week and the table with a row for Mondays; not the load of the moment."""
    reactive = "{kind: predictive, min_replicas: 1, max_replicas: 8, per_replica: 0.6/s, method: last}"
    shipped = told("office-copilot")
    late = told("office-copilot", f"pools.office.autoscaler={reactive}")
    assert every_target_is_met(shipped)
    assert not late["slo"][0]["met"]
    assert shipped["latency"]["ttft_s"]["max"] < 10
    assert late["latency"]["ttft_s"]["max"] > 120
    assert shipped["cost"]["total_usd"] == pytest.approx(late["cost"]["total_usd"], rel=0.03)


def test_a_second_cloud_pays_if_an_answer_is_worth_more_than_what_keeping_it_costs() -> None:
    """A7: fleet and lost answers together, on both sides of the break-even."""
    alone = ("pools.home.queue.spill=",)
    for usd, pays in ((0.18, False), (0.22, True)):
        price = f"slowness=[{{kind: lost_requests, usd: {usd}}}]"
        home, away = told("multi-cloud", *alone, price), told("multi-cloud", price)
        assert every_target_is_met(away)
        assert not every_target_is_met(home)
        assert home["requests"]["timed_out"] - away["requests"]["timed_out"] > 4_000
        both = [each["slowness"]["fleet_plus_slowness_usd"] for each in (home, away)]
        assert (both[1] < both[0]) == pays, usd


def test_the_commitment_that_was_right_and_the_one_that_is_worse_than_none() -> None:
    """A8: 11 GPUs are cheapest, 20 still beat paying by the hour, 21 do not."""
    name = "image-generation-decline"
    result = simulate(load(name))
    right = result.summary()["commitments"]["ladder"]["images"]["layers"][0]
    assert right["gpus"] == 11
    usd = {}
    for gpus in (10, 11, 12, 15, 20, 21):
        bill = bill_of(load(name, [f"contracts.year.gpus={gpus}"]), result.log)
        usd[gpus] = sum(float(line.usd(bill.window_s)[0]) for line in bill.lines)
    assert min(usd, key=lambda gpus: usd[gpus]) == 11
    assert usd[11] == pytest.approx(right["usd"])
    assert usd[15] == pytest.approx(result.summary()["cost"]["total_usd"])
    for gpus in (20, 21):
        assert usd[gpus] == pytest.approx(told(name, f"contracts.year.gpus={gpus}")["cost"]["total_usd"])
    assert usd[20] < told(name, "contracts={}")["cost"]["total_usd"] < usd[21]
    planned = told(name, "horizon=3d", "contracts.year.term=3d")["commitments"]["ladder"]["images"]["layers"][0]
    assert planned["gpus"] == 15


def test_twelve_gpus_make_the_night_and_eleven_do_not() -> None:
    """A9: every clip is there by six, from the rows; one GPU fewer, and some are not."""
    in_time = {}
    for gpus in (11, 12):
        rows = f"[{{from: '20:00', to: '06:00', replicas: {gpus}}}]"
        sets = [f"pools.video.autoscaler={{kind: scheduled, replicas: 0, rows: {rows}}}"]
        seen = simulate(load("video-batch", sets)).log.requests
        due_s = (np.floor(seen["arrival_s"] / 86_400) + 1) * 86_400 + 6 * 3600
        in_time[gpus] = float((seen["finish_s"] <= due_s).mean())
    assert in_time[11] < 0.99
    assert in_time[12] == 1.0
    assert every_target_is_met(told("video-batch"))


def test_spot_stops_paying_between_four_and_five_losses_an_hour() -> None:
    """A9: clips as they come, one price all day."""
    coming = "{kind: queue_length, min_replicas: 0, max_replicas: 40, count: in_system, target: 1, period: 2m}"
    day = ("horizon=1d", f"pools.video.autoscaler={coming}")
    on_demand = told("video-batch", *day, "pools.video.supply=[{name: on demand}]")["cost"]["total_usd"]
    spot = {}
    for losses in (4, 5):
        taken = ("pools.video.price.spot=6.326", f"pools.video.supply.0.spot.hazard={losses}/h")
        spot[losses] = told("video-batch", *day, *taken)["cost"]["total_usd"]
    assert spot[4] < on_demand < spot[5]


@pytest.mark.parametrize(
    ("most", "sets"),
    [
        (50, ()),
        (64, ("pools.chat.replica.max_num_seqs=256",)),
        (94, ("pools.chat.replica.max_num_seqs=256", "pools.chat.precision=fp8")),
        (106, ("pools.chat.replica.max_num_seqs=256", "workload.cached_share=50%")),
    ],
)
def test_the_same_gpus_carry_so_much_and_no_more(most: int, sets: tuple[str, ...]) -> None:
    """A10: the promise holds at one rate and not at two requests a second more, for the same money."""
    enough = told("fixed-capex", *sets, f"workload.arrivals.rate={most}")
    assert every_target_is_met(enough)
    assert not every_target_is_met(told("fixed-capex", *sets, f"workload.arrivals.rate={most + 2}"))
    energy_usd = enough["energy"]["usd"]
    rest_usd_per_gpu_h = (enough["cost"]["total_usd"] - energy_usd) / (32 / 6)
    assert rest_usd_per_gpu_h == pytest.approx(1.164, abs=0.001), "40,000 (0.7 / 4 + 0.08) / 8760"


def test_shedding_serves_most_of_those_it_lets_in() -> None:
    """A10: at twice the demand nobody is served in time; with CoDel and batches of 80 six in ten are."""
    assert told("fixed-capex")["throughput"]["goodput_per_s"] < 1
    shed = told("fixed-capex", "pools.chat.replica.max_num_seqs=80", "pools.chat.queue.shed={kind: codel}")
    answered = shed["requests"]["completed"] / shed["measured_s"]
    assert shed["throughput"]["goodput_per_s"] > 0.95 * answered > 58
