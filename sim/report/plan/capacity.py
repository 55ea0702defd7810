"""What to have: the capacity table by month, region, GPU and layer, and why so many; and the dates to buy by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.report.page.document import Section
from sim.report.plan.said import MONTH_H
from sim.report.tables.table import Table
from sim.result import words
from sim.study.planned.dossier import Dossier
from sim.study.planned.headroom import headroom
from sim.study.planned.result import PlannedPool
from sim.study.purchased.purchases import Purchases

CSV_HEADING = ("month", "region", "pool", "gpu", "layer", "gpus", "peak_gpus", "replicas", "usd")
_HEADING = ("month", "region", "pool", "GPU", "layer", "GPUs", "at most", "replicas", "USD a month")


@dataclass(frozen=True)
class Row:
    """GPUs of one kind, in one month, region and layer."""

    month: str
    region: str
    pool: str
    gpu: str
    layer: str
    gpus: float
    peak_gpus: float
    replicas: int | None
    usd: float | None

    @property
    def cells(self) -> tuple[object, ...]:
        """As `plan.csv` has them."""
        replicas = "" if self.replicas is None else self.replicas
        usd = "" if self.usd is None else round(self.usd, 2)
        numbers = (_plain(self.gpus), _plain(self.peak_gpus), replicas, usd)
        return (self.month, self.region, self.pool, self.gpu, self.layer, *numbers)

    @property
    def said(self) -> tuple[str, ...]:
        """As people read it."""
        replicas = "" if self.replicas is None else f"{self.replicas:,}"
        names = (self.month or "every", self.region or "-", self.pool or "all", self.gpu, self.layer.replace("_", " "))
        return (*names, words.count(self.gpus), words.count(self.peak_gpus), replicas, words.usd(self.usd))


def rows(dossier: Dossier) -> tuple[Row, ...]:
    """The capacity table: one row for each GPU and layer of a plan without months; none where no fleet will do."""
    bought = dossier.purchases
    if bought is not None:
        return tuple(
            Row(each.month, each.region, "", each.gpu, each.layer, each.gpus, each.peak_gpus, None, each.usd)
            for each in bought.layers
        )
    return tuple(row for name, pool in dossier.plan.pools.items() for row in _of_pool(name, pool))


def _of_pool(name: str, pool: PlannedPool) -> Iterator[Row]:
    told = pool.as_document()
    offers = pool.design.pool.offers
    layer, region = offers[0].market, offers[0].region
    if told["mix"] is None:
        usd = None if told["list_usd_per_hour"] is None else told["list_usd_per_hour"] * MONTH_H
        gpu, gpus = str(told["gpu"] or "GPU"), float(told["gpus"])
        yield Row("", region, name, gpu, layer, gpus, gpus, pool.replicas, usd)
        return
    first = pool.design.pool.gpus_per_replica
    for place, (gpu, replicas) in enumerate(told["mix"].items()):
        each = first if place == 0 else (told["gpus"] - first * next(iter(told["mix"].values()))) / max(replicas, 1)
        usd_each = pool.design.usd_per_hour(1) if place == 0 else pool.design.later_usd_per_hour
        yield Row(
            "", region, name, gpu, layer, each * replicas, each * replicas, replicas, usd_each * replicas * MONTH_H
        )


def capacity(dossier: Dossier) -> Section:
    """The table, and the waterfall of each pool."""
    if not dossier.plan.feasible:
        return Section("Capacity", ("No fleet keeps what is promised, so there is none to list.",))
    bought = dossier.purchases
    found = rows(dossier)
    note = ("Autoscaled pools are listed with their least number of replicas.",) * any(
        pool.design.elastic for pool in dossier.plan.pools.values()
    )
    tables = [Table("GPUs to have", _HEADING, tuple(row.said for row in found))]
    if bought is None:
        tables += _static_waterfalls(dossier)
    else:
        tables += _waterfalls(bought)
    why = "Why so many stands line by line: each line has its own reason, and the lines sum to the fleet."
    return Section("Capacity and headroom", (why, *note), tables=tuple(tables))


def _static_waterfalls(dossier: Dossier) -> Iterator[Table]:
    for name, lines in headroom(dossier.plan).items():
        body = [(line.what, f"{line.replicas:,}", line.why) for line in lines]
        total = ("fleet", f"{sum(line.replicas for line in lines):,}", "")
        yield Table(f"Headroom of {name}", ("line", "replicas", "why"), (*body, total))


def _waterfalls(bought: Purchases) -> Iterator[Table]:
    """Of each site: its months side by side, and the reasons of the last."""
    for site in dict.fromkeys(each.site for each in bought.waterfalls):
        months = [each for each in bought.waterfalls if each.site == site]
        heading = ("line", *(f"{each.month}" for each in months), "why (last month)")
        body = [
            (line.what, *(f"{month.lines[place].replicas:,}" for month in months), months[-1].lines[place].why)
            for place, line in enumerate(months[0].lines)
        ]
        total = ("fleet", *(f"{month.replicas:,}" for month in months), f"on {months[-1].gpu}")
        yield Table(f"Headroom of {site}, replicas by month", heading, (*body, total))


def timeline(dossier: Dossier) -> Section | None:
    """What has to be ordered by which day; None for a plan without months."""
    bought = dossier.purchases
    if bought is None:
        return None
    if not bought.orders and not bought.pledges:
        return Section("Buy-by timeline", ("Nothing has to be ordered ahead.",))
    orders = sorted(bought.orders, key=lambda each: (each.order_by, each.option))
    body = tuple(
        (
            each.order_by + (" (past)" if each.is_late else ""),
            f"{each.gpus:,} {each.gpu}" + (f" in {each.region}" if each.region else ""),
            f"{each.option} ({each.kind})",
            each.needed_by,
            f"{each.holds_from} to {each.holds_until}",
            f"{each.lead_days:g} d",
            words.usd(each.usd),
            each.because,
        )
        for each in orders
    )
    heading = ("order by", "GPUs", "what", "needed by", "held", "lead time", "over its term", "why")
    tables = [Table("Orders", heading, body)] if body else []
    if bought.pledges:
        pledged = tuple(
            (
                each.order_by,
                f"{words.usd(each.usd_per_h)} an hour",
                each.option,
                f"{each.holds_from} to {each.holds_until}",
            )
            for each in sorted(bought.pledges, key=lambda each: each.order_by)
        )
        tables.append(Table("Commitments to spend", ("order by", "how much", "what", "held"), pledged))
    return Section("Buy-by timeline", tables=tuple(tables))


def _plain(value: float) -> object:
    return int(value) if float(value).is_integer() else round(value, 3)
