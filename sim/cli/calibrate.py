"""`fleetcast calibrate`: measurements in, a model sheet with the law of your own system out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.engine_options import engine_options, setting_from
from sim.cli.shared.files import check_ending, check_free, check_svg, write_files
from sim.cli.shared.options import JSON, QUIET
from sim.cli.shared.plain import console, seconds_as, table
from sim.cli.shared.progress import Counted, compiling

if TYPE_CHECKING:
    from rich.table import Table

    from sim.study.fidelity.fitted import Fit
    from sim.study.fidelity.setting import Setting


@click.command(short_help="Fit the latency law to measurements.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@engine_options
@click.option("--out", type=click.Path(path_type=Path), help="Model sheet to write (default: MODEL-GPU-xN.yaml).")
@click.option("--plot", type=click.Path(path_type=Path), help="Picture of the errors, SVG (default: beside the sheet).")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.html", help="Write a report too.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Of the requests that are drawn again.")
@JSON
@QUIET
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    max_in_flight: int | None,
    format_: str | None,
    out: Path | None,
    plot: Path | None,
    report: Path | None,
    force: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **engine: Any,
) -> None:
    """Fit the latency law of a model on its GPUs to benchmark results in FILES, and write a model sheet.

    Reads vLLM, SGLang, GuideLLM, AIPerf, inference-perf, llm-d-benchmark and InferenceX results, and CSV logs of
    iterations. Name the written file as `model:` in a scenario.
    """
    from sim.cli.shared.again import again
    from sim.exchange import read_benchmarks
    from sim.report.drawing.paint.files import svg
    from sim.report.fidelity.errors_picture import of_fit
    from sim.study.fidelity.calibrate import calibrate
    from sim.study.fidelity.calibrated_sheet import sheet_yaml
    from sim.study.fidelity.measured import with_cap

    measured = with_cap(read_benchmarks(files, format_), max_in_flight)
    setting = setting_from(engine, measured.points)
    out = out or Path(f"{setting.model.name}-{setting.gpu.name}-x{setting.gpus_per_replica}.yaml".replace(os.sep, "-"))
    plot = plot or out.with_suffix(".svg")
    for path in (out, plot, *([] if report is None else [report])):
        check_free(path, force)
    check_svg(plot)
    if report is not None:
        check_ending(report, ".html")
    fit = calibrate(
        measured, setting, seed, None if quiet else Counted("step of the fit:"), None if quiet else compiling
    )
    written = {out: sheet_yaml(fit, setting), plot: svg(of_fit(fit, setting.label))}
    if report is not None:
        written[report] = _report(fit, setting, again(ctx))
    write_files(written)
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(_document(fit, setting, out, plot)), nl=False)
    else:
        _show(fit, out, plot)


def _report(fit: Fit, setting: Setting, again: str) -> str:
    from sim.report.fidelity.page import page_of_fit
    from sim.report.page.render import render
    from sim.report.tables.table import Table as Sheet

    head, *rows = _of_coefficients(fit)
    sheet = Sheet("Coefficients", head, tuple(rows))
    return render(page_of_fit(fit, setting.label, sheet, again))


def _document(fit: Fit, setting: Setting, out: Path, plot: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from sim.study.fidelity.calibrated_sheet import calibrated

    return {
        "schema_version": 1,
        "written": str(out),
        "plot": str(plot),
        "calibration": calibrated(fit, setting).calibrations[0].model_dump(mode="json"),
        "coefficients": [asdict(one) for one in fit.coefficients],
        "residuals": [{**asdict(one), "error_share": one.error_share} for one in fit.residuals],
        "holds": fit.holds.model_dump(mode="json", exclude_none=True),
        "warnings": list(fit.warnings),
        "notes": list(fit.notes),
    }


def _show(fit: Fit, out: Path, plot: Path) -> None:
    """Coefficients, residuals, warnings, and where sheet and picture are."""
    from sim.study.fidelity.calibrated_sheet import range_line

    screen = console()
    screen.print(_coefficients(fit))
    screen.print(_residuals(fit))
    held_out = fit.calibration.held_out_error_share
    if held_out is not None:
        screen.print(f"TPOT of each experiment predicted from the others: {held_out:.1%} off")
    screen.print(f"holds for {range_line(fit)}", soft_wrap=True)
    for line in [*(f"warning: {one}" for one in fit.warnings), *(f"note: {one}" for one in fit.notes)]:
        screen.print(line, markup=False, soft_wrap=True)
    screen.print(f"written to {out}; name it as `model:` in a scenario", markup=False, soft_wrap=True)
    screen.print(f"residuals drawn in {plot}", markup=False, soft_wrap=True)


def _coefficients(fit: Fit) -> Table:
    made = table()
    head, *rows = _of_coefficients(fit)
    for name in head:
        if name in ("coefficient", "what it is"):
            made.add_column(name, no_wrap=name == "coefficient", overflow="fold")
        else:
            made.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    return made


def _of_coefficients(fit: Fit) -> list[tuple[str, ...]]:
    """Their heading, then a row each."""
    from sim.study.fidelity.calibrated_sheet import MEANINGS, shown_value

    made: list[tuple[str, ...]] = [("coefficient", "value", "+- sd", "before", "what it is")]
    for one in fit.coefficients:
        sd = shown_value(one, one.sd) if one.identified else "kept"
        about = MEANINGS[one.name] if one.identified else f"kept as it was: {one.why}"
        made.append((one.name, shown_value(one, one.value), sd, shown_value(one, one.prior), about))
    return made


def _residuals(fit: Fit) -> Table:
    made = table()
    made.add_column("point", overflow="fold", min_width=16)
    made.add_column("metric", no_wrap=True)
    for head in ("measured", "predicted", "error"):
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column("")
    before = ""
    for r in fit.residuals:
        scale, unit = seconds_as(max(r.measured, r.predicted))
        cells = (f"{r.measured * scale:.4g} {unit}", f"{r.predicted * scale:.4g} {unit}", f"{r.error_share:+.1%}")
        point, word = "" if r.point == before else r.point, r.metric.upper() if len(r.metric) < 5 else r.metric
        made.add_row(point, word, *cells, "" if r.used else "not fitted")
        before = r.point
    return made
