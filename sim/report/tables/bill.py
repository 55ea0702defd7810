"""All tables of a bill and what follows from it, in their order."""

from __future__ import annotations

from typing import Any

from sim.report.tables.economics import break_even_table, economics_table
from sim.report.tables.ladder import ladder_table
from sim.report.tables.money import commitments_table, energy_table, invoice_table
from sim.report.tables.table import Table


def bill_tables(summary: dict[str, Any]) -> tuple[Table, ...]:
    """Invoice, commitments, ladder, energy, economics, break-evens; empty where a run has none."""
    return (
        invoice_table(summary),
        commitments_table(summary),
        ladder_table(summary),
        energy_table(summary),
        economics_table(summary),
        break_even_table(summary),
    )
