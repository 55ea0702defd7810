"""The `invoice` and `energy` blocks: the lines of a bill over the measured window."""

from __future__ import annotations

from typing import Any

from sim.result.money.bill import Bill, Line


def invoice_block(bill: Bill) -> list[dict[str, Any]] | None:
    """The lines that are not empty, pool by pool; their USD add up to `cost.total_usd`. None if a price is not known.

    `list_usd`: what the GPU-hours would cost on demand (on spot: at the spot price); None where that is not known, of
    GPUs that a contract covers and no price is given for.
    """
    if bill.unknown:
        return None
    found = []
    for line in bill.lines:
        usd, gpu_hours = float(line.usd(bill.window_s)[0]), float(line.gpu_hours(bill.window_s)[0])
        if usd == 0 and gpu_hours == 0:
            continue
        found.append(
            {
                "pool": line.pool,
                "what": line.what,
                "contract": line.contract,
                "offer": line.offer or None,
                "market": line.market or None,
                "region": line.region or None,
                "gpu": line.gpu or None,
                "gpu_hours": gpu_hours,
                "usd": usd,
                "list_usd": _list_usd(bill, line),
            }
        )
    return sorted(found, key=lambda entry: bill.pools.index(entry["pool"]))


def _list_usd(bill: Bill, line: Line) -> float | None:
    if line.what == "usage" and line.make is not None and not line.make.terms.priced:
        return None
    return float(line.list_usd(bill.window_s)[0])


def energy_block(bill: Bill) -> dict[str, Any] | None:
    """What owned hardware drew in the measured window; None without any. `co2_kg` is None where no grid is said."""
    drawn = [line.drawn for line in bill.lines if line.drawn is not None]
    if not drawn:
        return None

    def of(flows: list[Any]) -> float:
        return float(sum(flow.bins(bill.window_s)[0] for flow in flows))

    carbon = [each.co2_kg for each in drawn]
    return {
        "kwh": of([each.kwh for each in drawn]),
        "usd": of([each.usd for each in drawn]),
        "co2_kg": None if None in carbon else of(carbon),
    }
