"""`fleetcast calibrate`: measurements in, a model sheet with the law of your own system out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sim.study.fitted import Fit
    from sim.study.rerun import Setting


@click.command(short_help="Fit the latency law to measurements.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--model", required=True, help="Model that was served: a name from the catalogue or a path.")
@click.option("--gpu", required=True, help="GPU that served it: a name or a path.")
@click.option("--gpus-per-replica", type=click.IntRange(1), default=1, show_default=True, help="Tensor parallelism.")
@click.option("--engine", help="Engine: a name or a path (default: vllm-0.15).")
@click.option(
    "--precision", type=click.Choice(["bf16", "fp16", "fp8", "mxfp4"]), help="Of the weights, if not the model's."
)
@click.option("--kv-precision", type=click.Choice(["bf16", "fp16", "fp8"]), help="Of the KV cache, if not the model's.")
@click.option(
    "--max-num-seqs", type=click.IntRange(1), default=256, show_default=True, help="As the engine was started."
)
@click.option("--max-batched-tokens", type=click.IntRange(1), default=8192, show_default=True, help="Likewise.")
@click.option("--whole-prompts", is_flag=True, help="Chunked prefill was off.")
@click.option("--memory-share", type=click.FloatRange(0, 1, min_open=True), help="GPU memory the engine may use (0.9).")
@click.option("--kv-capacity-tokens", type=click.IntRange(1), help="KV memory of a replica, as the engine logged it.")
@click.option("--max-in-flight", type=click.IntRange(1), help="Cap of the benchmark's client, where a file says none.")
@click.option(
    "--cached-share", type=click.FloatRange(0, 1), default=0.0, help="Share of prompt tokens in a warm cache."
)
@click.option("--format", "format_", help="Format of the files (default: recognised by their keys).")
@click.option("--out", type=click.Path(path_type=Path), help="Model sheet to write (default: MODEL-GPU-xN.yaml).")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a page with the residuals here.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the requests that are drawn again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def command(
    files: tuple[str, ...],
    model: str,
    gpu: str,
    engine: str | None,
    max_in_flight: int | None,
    format_: str | None,
    out: Path | None,
    plot: Path | None,
    force: bool,
    seed: int,
    as_json: bool,
    **started: Any,
) -> None:
    """Fit the latency law of a model on its GPUs to benchmark results in FILES, and write a model sheet.

    Reads vLLM, SGLang, GuideLLM, AIPerf, inference-perf and llm-d-benchmark results, and CSV logs of iterations. Name
    the written file as `model:` in a scenario.
    """
    from sim.exchange import read_benchmarks
    from sim.study.calibrate import calibrate, with_cap
    from sim.study.calibrated_sheet import sheet_yaml

    setting = _setting(model, gpu, engine, **started)
    out = out or Path(f"{setting.model.name}-{setting.gpu.name}-x{setting.gpus_per_replica}.yaml".replace(os.sep, "-"))
    for path in filter(None, (out, plot)):
        _check_free(path, force)
    measured = with_cap(read_benchmarks(files, format_), max_in_flight)
    fit = calibrate(measured, setting, seed)
    _write(out, sheet_yaml(fit, setting))
    if plot is not None:
        from sim.report.residuals import residual_page

        title = f"{setting.model.name} on {setting.gpus_per_replica} x {setting.gpu.name}"
        _write(plot, residual_page(fit, title))
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(_document(fit, setting, out)), nl=False)
    else:
        _show(fit, out)


def _setting(model: str, gpu: str, engine: str | None, **started: Any) -> Setting:
    """The engine under test, every sheet found and valid. Raises ConfigError."""
    from sim.config import catalogue
    from sim.config.errors import ConfigError, Problem
    from sim.hardware import EngineSheet, GpuSheet, ModelSheet, default_engine
    from sim.scenario import Batching
    from sim.study.rerun import Setting

    chosen = _sheet(engine, catalogue.ENGINES, "engine", EngineSheet) if engine else default_engine()
    if not chosen.name:
        raise ConfigError(Problem("needs a name: calibrations refer to it", "name", str(engine)))
    seqs, tokens = started.pop("max_num_seqs"), started.pop("max_batched_tokens")
    if seqs > tokens:
        raise ConfigError(Problem(f"must not be above --max-batched-tokens ({tokens}); got {seqs}", "--max-num-seqs"))
    replica = Batching(max_num_seqs=seqs, max_batched_tokens=tokens, chunked_prefill=not started.pop("whole_prompts"))
    return Setting(
        model=_sheet(model, catalogue.MODELS, "model", ModelSheet),
        gpu=_sheet(gpu, catalogue.GPUS, "GPU", GpuSheet),
        engine=chosen,
        replica=replica,
        **started,
    )


def _sheet(text: str, folder: str, noun: str, kind: type[BaseModel]) -> Any:
    from sim.config.loader import read_file
    from sim.config.reading import Read, validated
    from sim.config.references import locate
    from sim.config.tree import Place

    return validated(Read(read_file(locate(text, folder, noun, Place())), ()), kind)


def _check_free(path: Path, force: bool) -> None:
    from sim.config.errors import ConfigError, Problem

    if not path.parent.is_dir():
        raise ConfigError(Problem(f"the folder '{path.parent}' does not exist; make it first", file=str(path)))
    if path.is_dir():
        raise ConfigError(Problem("is a folder; name a file", file=str(path)))
    if path.exists() and not force:
        raise ConfigError(Problem("is already there; name another file, or say --force", file=str(path)))


def _write(path: Path, text: str) -> None:
    """The file with this content, or as it was."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _document(fit: Fit, setting: Setting, out: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from sim.study.calibrated_sheet import calibrated

    return {
        "schema_version": 1,
        "written": str(out),
        "calibration": calibrated(fit, setting).calibrations[0].model_dump(mode="json"),
        "coefficients": [asdict(one) for one in fit.coefficients],
        "residuals": [{**asdict(one), "error_share": one.error_share} for one in fit.residuals],
        "range": {"seqs": list(fit.seqs), "context_tokens": list(fit.context_tokens)},
        "warnings": list(fit.warnings),
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
    for warning in fit.warnings:
        console.print(f"warning: {warning}", markup=False, soft_wrap=True)
    console.print(f"written to {out}; name it as `model:` in a scenario", markup=False, soft_wrap=True)
