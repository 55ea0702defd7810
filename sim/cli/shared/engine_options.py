"""The options that say which engine was measured, and the setting that they and the files come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sim.study.fidelity.measured import OperatingPoint
    from sim.study.fidelity.setting import Setting

_Command = TypeVar("_Command", bound=Callable[..., Any])

_MOST = 10**12  # as counts in scenarios


class _Share(click.FloatRange):
    """A number from 0 to 1; `nan` is none, though it is neither below nor above."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail("nan is no share.", param, ctx)
        return found


_OPTIONS = (
    click.option("--model", help="Model that was served: a name or a path (default: as the files say)."),
    click.option("--gpu", help="GPU that served it: a name or a path (default: as the files say)."),
    click.option(
        "--gpus-per-replica", type=click.IntRange(1, _MOST), help="Tensor parallelism (default: the files', or 1)."
    ),
    click.option("--engine", help="Engine: a name or a path (default: vllm-0.15)."),
    click.option(
        "--precision", type=click.Choice(["bf16", "fp16", "fp8", "mxfp4"]), help="Of the weights, if not the model's."
    ),
    click.option(
        "--kv-precision", type=click.Choice(["bf16", "fp16", "fp8"]), help="Of the KV cache, if not the model's."
    ),
    click.option(
        "--max-num-seqs",
        type=click.IntRange(1, _MOST),
        default=256,
        show_default=True,
        help="As the engine was started.",
    ),
    click.option(
        "--max-batched-tokens", type=click.IntRange(1, _MOST), default=8192, show_default=True, help="Likewise."
    ),
    click.option("--whole-prompts", is_flag=True, help="Chunked prefill was off."),
    click.option("--memory-share", type=_Share(0, 1, min_open=True), help="GPU memory the engine may use (0.9)."),
    click.option(
        "--kv-capacity-tokens", type=click.IntRange(1, _MOST), help="KV memory of a replica, as the engine logged it."
    ),
    click.option(
        "--max-in-flight", type=click.IntRange(1, _MOST), help="Cap of the benchmark's client, where a file says none."
    ),
    click.option("--cached-share", type=_Share(0, 1), default=0.0, help="Share of prompt tokens in a warm cache."),
    click.option("--format", "format_", help="Format of the files (default: recognised by their keys)."),
)

_SUCH_AS = {"model": "llama-3-8b", "GPU": "h100-sxm"}


def engine_options(command: _Command) -> _Command:
    """All of them, in this order of `--help`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def setting_from(options: dict[str, Any], points: Sequence[OperatingPoint]) -> Setting:
    """The engine that the options name, and where they do not, the points. Raises ConfigError."""
    from dataclasses import replace

    from sim.config.errors import ConfigError, Problem
    from sim.hardware import default_engine
    from sim.scenario import Batching
    from sim.study.fidelity.called import gpu_called, model_called
    from sim.study.fidelity.setting import Setting, engine_sheet, gpu_sheet, model_sheet

    engine = engine_sheet(options["engine"]) if options["engine"] else default_engine()
    if not engine.name:
        raise ConfigError(Problem("needs a name: calibrations refer to it", "name", str(options["engine"])))
    seqs, tokens = options["max_num_seqs"], options["max_batched_tokens"]
    if seqs > tokens:
        raise ConfigError(Problem(f"must not be above --max-batched-tokens ({tokens}); got {seqs}", "--max-num-seqs"))
    model, precision = options["model"], options["precision"]
    if model is None:
        said = _said_once([point.model for point in points], "model")
        found = model_called(said)
        if found is None:
            raise ConfigError(_unknown(said, "model"))
        model, precision = found[0], precision or found[1] or None
    gpu = options["gpu"]
    if gpu is None:
        said = _said_once([point.gpu for point in points], "GPU")
        gpu = gpu_called(said)
        if gpu is None:
            raise ConfigError(_unknown(said, "GPU"))
    setting = Setting(
        model=model_sheet(model),
        gpu=gpu_sheet(gpu),
        gpus_per_replica=options["gpus_per_replica"] or _gpus(points),
        engine=engine,
        precision=precision or next((point.precision for point in points if point.precision), None),
        kv_precision=options["kv_precision"],
        replica=Batching(max_num_seqs=seqs, max_batched_tokens=tokens, chunked_prefill=not options["whole_prompts"]),
        memory_share=options["memory_share"],
        kv_capacity_tokens=options["kv_capacity_tokens"],
        cached_share=options["cached_share"],
    )
    try:
        setting.check()
    except ConfigError as error:
        problems = (replace(p, message=_by_option(p.message), path=_option(p.path)) for p in error.problems)
        raise ConfigError(problems) from None
    return setting


def _by_option(message: str) -> str:
    """A remedy in keys of a pool, told in options."""
    for key in ("gpus_per_replica", "precision", "gpu"):
        message = message.replace(f" {key}: ", f" {_option(key)} ")
    for key in ("kv_capacity_tokens", "memory_share"):
        message = message.replace(f"'{key}'", _option(key)).replace(f"({key} ", f"({_option(key)} ")
    return message


def _option(path: str) -> str:
    """The option that a key of a pool is set by."""
    return f"--{path.replace('_', '-')}" if path else ""


def _said_once(names: Sequence[str], noun: str) -> str:
    """The one name that points say. Raises ConfigError."""
    from sim.config.errors import ConfigError, Problem

    option = f"--{noun.lower()}"
    told = sorted({name for name in names if name})
    if not told:
        raise ConfigError(
            Problem(f"is needed: the files do not say which {noun} it was; such as {option} {_SUCH_AS[noun]}", option)
        )
    if len(told) > 1:
        shown = ", ".join(f"'{name}'" for name in told)
        raise ConfigError(Problem(f"is needed: the files say {shown}; give those of one, or name one", option))
    return told[0]


def _unknown(said: str, noun: str) -> Any:
    """The files name something that the catalogue may or may not have."""
    from sim.config import catalogue
    from sim.config.errors import Problem

    folder = {"model": catalogue.MODELS, "GPU": catalogue.GPUS}[noun]
    near = catalogue.nearest(said.rpartition("/")[2], catalogue.names(folder))
    like = f"a name, such as {near}" if near else "a name"
    remedy = f"{like}, or a path{' (a config.json will do)' if noun == 'model' else ''}"
    return Problem(
        f"is needed: the files say '{said}', and no sheet here is surely that; give {remedy}",
        f"--{noun.lower()}",
    )


def _gpus(points: Sequence[OperatingPoint]) -> int:
    """Tensor parallelism that the points say, else 1. Raises ConfigError if they do not agree."""
    from sim.config.errors import ConfigError, Problem

    told = sorted({point.gpus_per_replica for point in points if point.gpus_per_replica})
    if len(told) > 1:
        shown = ", ".join(map(str, told))
        raise ConfigError(Problem(f"is needed: the files say {shown}; give those of one", "--gpus-per-replica"))
    return told[0] if told else 1
