"""The options that say how often points are run and who does it, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sim.cli.shared.options import CLUSTER, WORKERS

if TYPE_CHECKING:
    from sim.study.replicated.replications import Rule
    from sim.study.swept.campaign import Shard

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--replications",
        type=click.IntRange(1, 100_000),
        metavar="N",
        help="Runs of each point (default: up to 10, or 500,000 requests).",
    ),
    click.option(
        "--precision",
        metavar="SHARE",
        help="Run each point until what matters is known so well, such as 5% (up to 100 runs, 2 million requests).",
    ),
    WORKERS,
    CLUSTER,
)


def study_options(command: _Command) -> _Command:
    """All of them, in this order of `--help`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_who(workers: int | None, cluster: str | None) -> None:
    """Raise `UsageError` where both are to make the runs."""
    if workers is not None and cluster is not None:
        raise click.UsageError("--cluster and --workers exclude each other")


def rule_from(replications: int | None, precision: str | None, paths: Sequence[str] | None = None) -> Rule | None:
    """How many replications; None where nothing was said. Raises `ConfigError`."""
    from sim.config.errors import ConfigError, Problem
    from sim.study.replicated.replications import Precision, Rule

    if replications is not None and precision is not None:
        told = "and --precision exclude each other: so many runs, or as many as it takes"
        raise ConfigError(Problem(told, "--replications"))
    if replications is not None:
        return Rule(number=replications)
    if precision is None:
        return None
    return Rule(goals=(Precision(precision_from(precision), None if not paths else tuple(paths)),))


def precision_from(text: str) -> float:
    """`5%` or `0.05`. Raises `ConfigError` for what is no share between the two ends."""
    from sim.config.errors import ConfigError, Problem
    from sim.config.units import SHARE

    try:
        share = float(SHARE.parse(text))
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        told = f"must be a share above 0 and below 100%, such as 5% or 0.05, got '{text[:40]}'"
        raise ConfigError(Problem(told, "--precision"))
    return share


def shard_from(text: str | None) -> Shard | None:
    """`2/8`: the second of eight. Raises `ConfigError`."""
    from sim.config.errors import ConfigError, Problem
    from sim.study.swept.campaign import Shard

    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(Problem(f"must be I/N, such as 2/8 for the second of eight; got '{text[:40]}'", "--shard"))
    return Shard(int(found[1]), int(found[2]))
