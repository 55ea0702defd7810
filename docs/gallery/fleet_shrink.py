"""What `fleet-shrink.md` quotes: half a year after the peak, under three kinds of contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gallery_runs import Told, share, table, told, usd
from palette import AMBER, BLUE, INK, RED

NAME = "fleet-shrink"
MONTH_S = 30 * 86_400
STAGGERED = (
    "contracts={"
    + ", ".join(
        f"months_{months}: {{kind: reserved, gpus: 12, discount: 30%, term: {months * 30}d}}"
        for months in (2, 4, 8, 12)
    )
    + "}"
)
"""The same 48 GPUs in four contracts, of which one ends every few months."""
CASES: dict[str, tuple[str, ...]] = {
    "48 for a year": (),
    "four times 12, for 2, 4, 8 and 12 months": (STAGGERED,),
    "all on demand": ("contracts={}",),
}


def _by_day(result: Any) -> dict[str, list[float]]:
    """By day: GPUs used under contract, used on demand, and paid for without use; and USD by month."""
    from sim.result.money.bill import bill_of

    bill = bill_of(result.scenario, result.log)
    days = np.arange(181) * 86_400.0
    kinds = {
        "reserved": [line for line in bill.lines if line.what == "usage" and line.contract],
        "on_demand": [line for line in bill.lines if line.what == "usage" and not line.contract],
        "unused": [line for line in bill.lines if line.what == "unused"],
    }
    found = {name: sum((line.gpu_hours(days) for line in lines), np.zeros(180)) / 24 for name, lines in kinds.items()}
    months = np.arange(7) * float(MONTH_S)
    for name, lines in kinds.items():
        found[f"{name}_usd"] = sum((line.usd(months) for line in lines), np.zeros(6))
    return {name: values.tolist() for name, values in found.items()}


def run(case: str = "48 for a year") -> Told:
    """Half a year under these contracts."""
    return told(NAME, *CASES[case], keep=_by_day)


def used(day: int) -> float:
    """GPUs in use on a day."""
    return float(run().kept["reserved"][day] + run().kept["on_demand"][day])


def remaining_usd(case: str = "48 for a year") -> float:
    """What is to be paid after the half year, whatever happens."""
    return float(sum(one["remaining_usd"] for one in run(case)["commitments.contracts"].values()))


def unused_usd(case: str = "48 for a year") -> float:
    return float(sum(one["unused_usd"] for one in run(case)["commitments.contracts"].values()))


def idle_ahead_usd() -> float:
    """Of what remains to be paid, what will be for nothing if the load stays as it is in the last month."""
    month = run().kept
    wasted = month["unused_usd"][-1] / (month["unused_usd"][-1] + month["reserved_usd"][-1])
    return remaining_usd() * wasted


def months_table() -> str:
    """Month by month: what was needed, what was paid."""
    kept = run().kept
    rows = []
    for month in range(6):
        days = slice(30 * month, 30 * month + 30)
        reserved, on_demand, unused = (float(np.mean(kept[name][days])) for name in ("reserved", "on_demand", "unused"))
        paid = sum(kept[f"{name}_usd"][month] for name in ("reserved", "on_demand", "unused"))
        need = reserved + on_demand
        rows.append(
            (month + 1, f"{need:.1f}", f"{on_demand:.1f}", f"{unused:.1f}", usd(paid), f"${paid / need / 720:.2f}")
        )
    heads = "month | GPUs in use: | of them on demand: | paid, not used: | bill: | a GPU-hour used:"
    return table(heads, *rows)


def cases_table() -> str:
    """The three kinds of contracts, side by side."""
    rows = [
        (
            case,
            usd(run(case)["cost.total_usd"]),
            usd(sum(run(case).kept[f"{name}_usd"][-1] for name in ("reserved", "on_demand", "unused"))),
            usd(unused_usd(case)),
            usd(remaining_usd(case)),
        )
        for case in CASES
    ]
    return table("contracts | half a year: | its last month: | for GPUs not used: | still to be paid:", *rows)


def shed_share() -> float:
    """How much smaller the bill of the last month is than that of the first."""
    kept = run().kept
    bills = [sum(kept[f"{name}_usd"][month] for name in ("reserved", "on_demand", "unused")) for month in (0, 5)]
    return 1 - bills[1] / bills[0]


def used_less_share() -> float:
    """How many fewer GPUs are in use in the last month than in the first."""
    kept = run().kept
    first, last = (
        sum(np.mean(kept[name][days]) for name in ("reserved", "on_demand")) for days in (slice(0, 30), slice(150, 180))
    )
    return float(1 - last / first)


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """GPUs by day, by how they are paid, for a year's contract and for staggered ones."""
    cases = list(CASES)[:2]
    shown = {
        case: {name: [round(one, 3) for one in run(case).kept[name]] for name in ("reserved", "on_demand", "unused")}
        for case in cases
    }

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 3.4)
        for axes, case in zip(figure.subplots(1, 2, sharey=True), cases, strict=True):
            kept, days = shown[case], range(180)
            parts = [kept["reserved"], kept["on_demand"], kept["unused"]]
            labels = ("reserved, used", "on demand", "reserved, not used")
            axes.stackplot(days, *parts, labels=labels, colors=(BLUE, AMBER, RED), alpha=0.75, linewidth=0)
            in_use = [one + other for one, other in zip(*parts[:2], strict=True)]
            axes.plot(days, in_use, color=INK, linewidth=1.2, label="in use")
            axes.set_title(case)
            axes.set_xlabel("days after the peak")
            axes.set_xlim(0, 179)
        axes.legend(loc="upper right", fontsize=8.5)
        figure.axes[0].set_ylabel("GPUs")
        figure.tight_layout()

    return shown, paint


def attained() -> str:
    return share(run()["slo.0.attained"])


PICTURES = {"fleet-shrink.png": the_picture}
