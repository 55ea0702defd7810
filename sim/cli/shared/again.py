"""The command that makes the same study again, as far as what was typed changes its numbers."""

from __future__ import annotations

import shlex

import click

_ELSEWHERE = frozenset(
    ("out", "force", "as_json", "quiet", "workers", "cluster", "study", "shard", "plot", "report", "no_save")
)
"""Options that change where things are written, how fast, or what is said, and no number."""


def again(ctx: click.Context) -> str:
    """The verb with its arguments and options, written into a folder `DIR`."""
    words = ["fleetcast", ctx.info_name or ""]
    options: list[str] = []
    for parameter in ctx.command.params:
        name = parameter.name or ""
        value = ctx.params.get(name)
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE or name in _ELSEWHERE:
            continue
        values = list(value) if isinstance(value, (tuple, list)) else [value]
        if isinstance(parameter, click.Argument):
            words += [str(each) for each in values]
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            options.append((parameter.opts if value or not parameter.secondary_opts else parameter.secondary_opts)[0])
        else:
            options += [word for each in values for word in (parameter.opts[0], str(each))]
    return shlex.join([*words, *options, "--out", "DIR"])
