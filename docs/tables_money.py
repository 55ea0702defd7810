"""The blocks of a result that tell of money: what each number of them is."""

from __future__ import annotations

TIME = "time of the window"
MONEY: dict[str, tuple[str, str, str]] = {
    "invoice": (
        "USD",
        TIME,
        "The lines of the bill, which add up to `cost.total_usd`; null where a price is not known. Of each: `pool`; "
        "`what`: `usage` (GPUs that replicas had), `unused` (paid under a contract, for nobody), `energy` (of owned "
        "hardware), `egress`, `discount` (negative) or `shortfall` (of committed spending); `contract`, null where "
        "the price is that of the market; `offer`, `market`, `region` and `gpu` of the replicas, null where the line "
        "is of the whole pool; `gpu_hours`; `usd`; and `list_usd`, what the GPU-hours would cost without a contract "
        "(on spot: what they cost; null where no price is given).",
    ),
    "commitments": (
        "",
        TIME,
        "Null where a pool has no price and there is no contract. `contracts`, by name: `kind`, `pools` that it "
        "covers, `gpus`, `usd_per_gpu_h`; `used_gpu_hours` and `unused_gpu_hours`; `usd`, all that it cost, and "
        "`unused_usd` of that for nothing; `used_share`, of what was paid for, in money, and `break_even_share`, from "
        "which on it is worth it (null where nothing was used); `saved_usd`: list price of what it covered, less "
        "`usd` (null where that is not known); `upfront_usd`, paid "
        "on signing, and after the run's end `remaining_s` and `remaining_usd` (of owned hardware: what is not written "
        "off). `ladder`, by pool with a price: `usd_per_gpu_h` on demand; `load_duration`, points [GPUs, share of the "
        "time with at least so many]; and `layers`, one a reserved price that is known (`name`: `reserved_1y`, "
        "`reserved_3y` or a contract): `usd_per_gpu_h`, `break_even_share` and `break_even_hours_per_year`, the "
        "`gpus` that are worth reserving at it, `used_gpu_hours`, `unused_gpu_hours`, `spot_gpu_hours` and "
        "`on_demand_gpu_hours` with so many, what that costs (`usd`), all of it on demand (`all_on_demand_usd`), and "
        "the difference (`saved_usd`).",
    ),
    "energy": (
        "",
        TIME,
        "Of hardware that is owned, cooling included: `kwh`, `usd`, which is part of the cost, and `co2_kg` (null "
        "where the scenario says nothing of the grid). Null where none is owned.",
    ),
}
"""The blocks of a summary that tell of the bill: unit, over what, what it is."""

WHERE_PRICED = {
    "slowness": "What slow and missing answers cost, of a scenario that gives them prices (`slowness`). `entries`, "
    "one a price, in its order: `kind`, `metric`, `beyond_s`, `under_s`, `class`, `tenant` where it has "
    "them; the `requests` it is about; `usd` and `usd_per_day`; and what these rest on: `slow_requests`, "
    "`waited_beyond_hours` and `unanswered_free` (requests that left without an answer before a wait "
    "costs anything) of `linear`; `slow_requests`, `attained` and `credit_share` of `sla_credits`; "
    "`slow_requests`, `users` and `lost_users` of `lost_users`; `lost_requests` of `lost_requests`. "
    "`total_usd` and `usd_per_day` of all of them; `fleet_usd`, the fleet's cost in the same time; "
    "`fleet_plus_slowness_usd` and `fleet_plus_slowness_usd_per_day`, null where the fleet has no price.",
    "economics": "What the service earns and what is left, of a scenario with `revenue`. `revenue`, one an entry, in "
    "its order: `kind`, `class`, `tenant` where it has them; the `requests` completed; `usd` and `usd_per_month`; "
    "`prices`, and `break_even_prices`, at which nothing is left, all else as it is; of a subscription also `users`, "
    "`requests_per_user_per_day` and `measured_requests_per_user_per_day`. `revenue_usd`, `cost_usd`, "
    "`gross_margin_usd` and `gross_margin_share` of the window; the first three a month (30 days of the measured pace) "
    "as `..._usd_per_month`, with `fixed_usd_per_month` and `variable_usd_per_month` (egress) of the cost. `users`, "
    "`usd_per_user_month` (`revenue`, `cost`, `variable_cost`) and `break_even_users`, null without a subscription. "
    "`break_even_price_share`: cost over revenue. `usd_per_gpu_hour`, `tokens_per_gpu_s_at_full`, "
    "`revenue_usd_per_million_output_tokens`, `utilization_share` (useful of the paid GPU-hours) and "
    "`break_even_utilization_share` (above 1: none is enough). `payback` of hardware that is owned, null without any: "
    "`capex_usd`, `saved_usd_per_month` against renting, `kept_usd_per_month` of the margin, "
    "`against_renting_months` and `by_margin_months`.",
}
"""Those that a summary has only where the scenario has `slowness` or `revenue`."""
