"""`fleetcast calibrate`: measurements in, a model sheet with the law of your own system out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.engine_options import engine_options, setting_from
from sim.cli.files import check_free, check_svg, write_whole
from sim.cli.progress import Counted, compiling

if TYPE_CHECKING:
    from sim.study.fitted import Fit
    from sim.study.setting import Setting


@click.command(short_help="Fit the latency law to measurements.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@engine_options
@click.option("--out", type=click.Path(path_type=Path), help="Model sheet to write (default: MODEL-GPU-xN.yaml).")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a picture of the residuals too, as SVG.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the requests that are drawn again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    files: tuple[str, ...],
    max_in_flight: int | None,
    format_: str | None,
    out: Path | None,
    plot: Path | None,
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
    from sim.exchange import read_benchmarks
    from sim.study.calibrate import calibrate
    from sim.study.calibrated_sheet import sheet_yaml
    from sim.study.measured import with_cap

    measured = with_cap(read_benchmarks(files, format_), max_in_flight)
    setting = setting_from(engine, measured.points)
    out = out or Path(f"{setting.model.name}-{setting.gpu.name}-x{setting.gpus_per_replica}.yaml".replace(os.sep, "-"))
    for path in filter(None, (out, plot)):
        check_free(path, force)
    if plot is not None:
        check_svg(plot)
    fit = calibrate(
        measured, setting, seed, None if quiet else Counted("step of the fit:"), None if quiet else compiling
    )
    write_whole(out, sheet_yaml(fit, setting))
    if plot is not None:
        from sim.report.errors_picture import of_fit

        write_whole(plot, of_fit(fit, setting.label))
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(_document(fit, setting, out)), nl=False)
    else:
        _show(fit, out)


def _document(fit: Fit, setting: Setting, out: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from sim.study.calibrated_sheet import calibrated

    return {
        "schema_version": 1,
        "written": str(out),
        "calibration": calibrated(fit, setting).calibrations[0].model_dump(mode="json"),
        "coefficients": [asdict(one) for one in fit.coefficients],
        "residuals": [{**asdict(one), "error_share": one.error_share} for one in fit.residuals],
        "holds": fit.holds.model_dump(mode="json", exclude_none=True),
        "warnings": list(fit.warnings),
        "notes": list(fit.notes),
    }


def _show(fit: Fit, out: Path) -> None:
    """Coefficients, residuals, warnings, and where the sheet is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from sim.study.calibrated_sheet import MEANINGS, range_line, shown_value

    console = Console(highlight=False)

    def table(*heads: str) -> Table:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i, head in enumerate(heads):
            made.add_column(head, justify="left" if i in (0, len(heads) - 1) else "right", overflow="fold")
        return made

    coefficients = table("coefficient", "value", "+- sd", "roofline", "what it is")
    for one in fit.coefficients:
        sd = shown_value(one, one.sd) if one.identified else "kept"
        about = MEANINGS[one.name] if one.identified else f"kept from the roofline: {one.why}"
        coefficients.add_row(one.name, shown_value(one, one.value), sd, shown_value(one, one.prior), about)
    console.print(coefficients)
    residuals = table("point", "metric", "measured ms", "predicted ms", "error", "")
    for r in fit.residuals:
        cells = (f"{r.measured * 1e3:.4g}", f"{r.predicted * 1e3:.4g}", f"{r.error_share:+.1%}")
        residuals.add_row(r.point, r.metric, *cells, "" if r.used else "not fitted")
    console.print(residuals)
    if fit.calibration.held_out_error_share is not None:
        console.print(
            f"TPOT of each experiment predicted from the others: {fit.calibration.held_out_error_share:.1%} off"
        )
    console.print(f"holds for {range_line(fit)}", soft_wrap=True)
    for line in [*(f"warning: {one}" for one in fit.warnings), *(f"note: {one}" for one in fit.notes)]:
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"written to {out}; name it as `model:` in a scenario", markup=False, soft_wrap=True)
