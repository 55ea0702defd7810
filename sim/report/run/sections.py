"""The sections of a run's report, in the order in which people ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim.report.drawing.figure import Figure
from sim.report.page.document import Section
from sim.report.run.budget import alert_table, budget_figure, budget_notes, budget_table
from sim.report.run.clients import client_figures
from sim.report.run.figures import cost_over_time, queue_and_replicas, utilization_over_time
from sim.report.run.fleet import fleet_figures, ledger_figure
from sim.report.run.heatmap import ttft_heatmap
from sim.report.run.load_duration import load_duration_figures
from sim.report.run.spend import spend_figure
from sim.report.run.theory import theory_assumptions, theory_figure, theory_table
from sim.report.tables.assertions import assertion_table
from sim.report.tables.bill import bill_tables
from sim.report.tables.clients import attempts_table, party_tables
from sim.report.tables.contracts import contract_notes
from sim.report.tables.economics import economics_sentence, showback_tables
from sim.report.tables.intervals import interval_table, steady_note
from sim.report.tables.run import (
    fleet_table,
    latency_table,
    ledger_table,
    outcome_table,
    pool_notes,
    regret_table,
    slo_table,
)
from sim.report.tables.slowness import slowness_notes, slowness_table
from sim.report.tables.table import Table
from sim.result.money.ledger import changes, worth_telling
from sim.result.twin.words import theory_notes, theory_sentence
from sim.result.verdict import ledger_sentence, regret_sentence, replications

if TYPE_CHECKING:
    from sim.result import Result


def promises(result: Result, summary: dict[str, Any]) -> Section:
    """What was promised and what is kept, and how fast what may be missed is spent."""
    figure = budget_figure(result)
    return Section(
        "Promises",
        figures=() if figure is None else (figure,),
        tables=_filled(slo_table(summary), assertion_table(summary), budget_table(summary), alert_table(summary)),
        after=budget_notes(summary),
    )


def latency(result: Result, summary: dict[str, Any], figures: Sequence[Figure]) -> Section:
    """How long people wait. `figures`: the latency pictures that are not on top."""
    heatmap = ttft_heatmap(result)
    return Section(
        "Latency",
        figures=(
            *(replace(figure, shape="wide" if len(figures) == 1 else figure.shape) for figure in figures),
            *(() if heatmap is None else (heatmap,)),
        ),
        tables=_filled(latency_table(summary), interval_table(summary)),
    )


def fleet(result: Result, summary: dict[str, Any]) -> Section:
    """What comes in, what waits, what the replicas do."""
    over_time = fleet_figures(result) if changes(summary) else [queue_and_replicas(result)]
    told = (regret_sentence(summary), steady_note(summary))
    return Section(
        "Load, queue and fleet",
        text=tuple(sentence for sentence in told if sentence),
        figures=(*over_time, utilization_over_time(result)),
        tables=_filled(fleet_table(summary), outcome_table(summary), regret_table(summary)),
    )


def clients(result: Result, summary: dict[str, Any], on_top: str) -> Section:
    """How each class and tenant is served, and what clients that act do. `on_top`: a picture that is there already."""
    return Section(
        "Clients",
        figures=tuple(figure for figure in client_figures(result) if figure.key != on_top),
        tables=_filled(attempts_table(summary), *party_tables(summary), *showback_tables(summary)),
    )


def money(result: Result, summary: dict[str, Any]) -> Section:
    """What it costs, over time and by what it is spent on."""
    spend = spend_figure(result, summary)
    figures = [] if spend is None else [spend]
    figures += [] if summary["cost"]["total_usd"] is None else [cost_over_time(result)]
    figures += load_duration_figures(result)
    if worth_telling(summary):
        figures.append(ledger_figure(summary))
    told = (ledger_sentence(summary), economics_sentence(summary))
    return Section(
        "Money",
        text=tuple(sentence for sentence in told if sentence),
        figures=tuple(figures),
        tables=_filled(
            slowness_table(summary),
            ledger_table(summary),
            *bill_tables(summary),
        ),
        after=tuple(slowness_notes(summary)),
    )


def theory(summary: dict[str, Any]) -> Section:
    """What queueing theory says beside the run."""
    told, figure = theory_sentence(summary), theory_figure(summary)
    return Section(
        "Theory beside the run",
        text=() if told is None else (f"{told[:1].upper()}{told[1:]}.",),
        figures=() if figure is None else (figure,),
        tables=_filled(theory_table(summary)),
        after=theory_assumptions(summary),
    )


def reading(result: Result, summary: dict[str, Any]) -> Section:
    """What the numbers mean, what was assumed, and what to know before believing them."""
    several = replications(summary)
    meaning = (
        "Latency and outcomes are those of the requests that arrive in the measured window; each is followed to its "
        "end. A request that was not served counts as a miss of every SLO target.",
        "Averages, utilization, replica-hours and cost are those of the measured window's time: a fleet is paid by the "
        "clock, and what it still owes at the end shows as a queue, not as longer billing.",
        "Replicas are billed from launch to gone. A month has 30 days.",
        "TPOT is (last token - first token) / (output tokens - 1) of a request, so an answer of one token has none.",
        f"Numbers are estimates from {several} replications, independent runs of the same scenario; a maximum is the "
        "largest of all. The pictures show the first replication."
        if several > 1
        else "This is one run: other seeds give somewhat other numbers (--replications).",
    )
    notes = (*result.log.notes, *theory_notes(summary), *pool_notes(result.scenario, summary))
    contracts = contract_notes(result.scenario, summary)
    return Section("Assumptions, and how to read the numbers", items=(*meaning, *notes, *contracts))


def _filled(*tables: Table) -> tuple[Table, ...]:
    return tuple(table for table in tables if table.rows)
