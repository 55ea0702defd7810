"""The rows of a run's bill: every charge in every period that has any, in order of time."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sim.config.errors import ConfigError, Problem
from sim.exchange.focus import about, purchases, usage
from sim.exchange.focus.charge import Charge
from sim.exchange.focus.columns import COLUMNS, OWN, Row, written
from sim.exchange.focus.periods import Array, Periods
from sim.exchange.focus.shares import shares_of
from sim.pricing.contracts import CommittedSpend
from sim.result.money.bill import bill_of
from sim.result.money.billing import terms

if TYPE_CHECKING:
    from sim.result import Result
    from sim.result.money.bill import Bill
    from sim.scenario import Scenario


def focus_lines(result: Result, by: str = "hour") -> Iterator[str]:
    """The lines of a CSV file of the rows, header first, each with its line end.

    See `focus_rows`. Text that would start a formula in a spreadsheet has an apostrophe before it.
    """
    rows = focus_rows(result, by)  # first: what cannot be billed has no header either
    return _lines(itertools.chain([(*COLUMNS, *OWN)], map(written, rows)))


def _lines(table: Iterable[Sequence[str]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for cells in table:
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def focus_rows(result: Result, by: str = "hour") -> Iterator[Row]:
    """The rows of a run's bill, by name of column; what a row does not say is null.

    `by`: `hour` or `day`. Raises ConfigError for a scenario without `starts`, or with usage without a price.
    """
    scenario = result.scenario
    check_ready(scenario)
    assert scenario.starts is not None
    bill = bill_of(scenario, result.log)
    _check_covered(bill)
    from_s, to_s = bill.window_s.tolist()
    if to_s <= from_s:
        return iter(())
    periods = Periods(scenario.starts, from_s, to_s, by)
    shares = dict(zip(scenario.pools, shares_of(scenario, result.log), strict=True))
    found = [
        *purchases.charges(scenario, bill, periods),
        *usage.charges(scenario, bill, periods.edges_s, shares),
    ]
    common = about.of_run(scenario)
    missing = list(purchases.shortfalls(scenario, bill, periods.month_edges_s))
    return itertools.chain(
        _rows(found, periods, periods.edges_s, common), _rows(missing, periods, periods.month_edges_s, common)
    )


def check_ready(scenario: Scenario) -> None:
    """Raise `ConfigError` for a run that is on no day, or that has pools which nobody knows the price of."""
    problems = []
    if scenario.starts is None:
        told = "is missing: bills have dates. Say which day hour 0 is: starts: 2026-09-01, or --starts 2026-09-01"
        problems.append(Problem(told, "starts"))
    covering = [each for each in scenario.contracts.values() if not isinstance(each, CommittedSpend)]
    for name, pool in scenario.pools.items():
        priced = all(term.priced for term in terms(pool))
        if not priced and not any(contract.covers(name) for contract in covering):
            problems.append(_without_price(name))
    if problems:
        raise ConfigError(problems)


def _check_covered(bill: Bill) -> None:
    """Raise `ConfigError` for usage beyond what contracts cover that has no price."""
    problems = [_without_price(pool) for pool in bill.pools if pool in bill.unknown]
    if problems:
        raise ConfigError(problems)


def _without_price(pool: str) -> Problem:
    return Problem("is missing: a bill needs it, such as {on_demand: $2.99/h}", f"pools.{pool}.price")


def _rows(charges: Sequence[Charge], periods: Periods, edges_s: Array, common: about.About) -> Iterator[Row]:
    for place in range(len(edges_s) - 1):
        when = periods.columns(float(edges_s[place]), float(edges_s[place + 1]))
        for charge in charges:
            row = charge.row(place)
            if row is not None:
                yield {**common, **when, **row}
