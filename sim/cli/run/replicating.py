"""How the verb `run` makes its runs: the warm-up if asked for, the first run, what was asked beside it, the others."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from sim.cli.shared.counting import counted
from sim.cli.shared.progress import progress
from sim.cli.shared.study_options import precision_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.fleet.feed import Retired
    from sim.report.drawing.figure import Figure
    from sim.result import Result
    from sim.result.frames import RowNames
    from sim.scenario import Scenario
    from sim.study.replicated.answer import Effort
    from sim.study.replicated.steady import Settled


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    effort: Effort
    workers: int | None
    steady: bool
    regret: bool
    quiet: bool
    stream: bool | None = None
    cluster: str | None = None

    @classmethod
    def of(
        cls,
        replications: int | None,
        precision: str | None,
        workers: int | None,
        steady: bool,
        regret: bool,
        quiet: bool,
        stream: bool | None = None,
        cluster: str | None = None,
    ) -> Wanted:
        """From the options as typed. Raises `ConfigError` for a precision that is none."""
        from sim.config.errors import ConfigError
        from sim.study.replicated.answer import Effort

        if stream and regret:
            raise ConfigError("--stream and --regret exclude one another: regret looks at the rows of all requests")

        relative = None if precision is None else precision_from(precision)
        stream = False if regret else stream
        return cls(Effort(replications, relative), workers, steady, regret, quiet, stream, cluster)

    def streams(self, scenario: Scenario) -> bool:
        """Whether the first run is streamed. Raises `ConfigError` where it was asked for and cannot be."""
        from sim.fleet.feed import is_streamed

        return is_streamed(scenario, self.stream)

    def run(
        self, scenario: Scenario, retired: Callable[[RowNames], Retired] | None = None
    ) -> tuple[Result, tuple[Figure, ...]]:
        """The result: the first run's, with what all of them say together unless it is to be the only one.

        Beside it the pictures that its report is to show and that it does not hold: that of the warm-up. `retired`: see
        `simulate`.
        """
        from sim.engine import simulate
        from sim.report.tables.running import estimate
        from sim.study.executors import executor
        from sim.study.replicated.answer import alone, answered

        began = time.perf_counter()
        found = self._settled(scenario) if self.steady else None
        if found is not None:
            scenario = found.scenario
        with progress(self.quiet) as shown:
            result = simulate(scenario, progress=shown, on_compile=self._compiling, stream=self.stream, retired=retired)
        if self.regret:
            from sim.study.regret import regret

            result = regret(result, watch=lambda step: progress(self.quiet, step)).added_to(result)
        if self.effort.replications == 1 and found is None:
            return alone(result), ()
        most = "{} replications" if self.effort.goal is None else "at most {} replications"
        # of a small run in plain Python nothing follows for later ones, which may be compiled
        alike = result.log.calendar == "compiled" or scenario.calendar == "simpy"
        with (
            executor(self.workers, self.cluster, each_s=result.log.engine_s if alike else 0.0) as workers,
            counted(self.quiet, most, estimate=estimate) as watch,
        ):
            result = answered(
                result,
                self.effort,
                workers,
                steady=None if found is None else found.block(),
                watch=watch,
                look=None if watch is None else watch.look,
                on_compile=self._compiling,
            )
        assert result.together is not None
        summary = {**result.together.summary}
        summary["run"] = {**summary["run"], "wall_s": time.perf_counter() - began}
        pictures = () if found is None else _pictures(found)
        files = {**result.together.files, **_files(pictures)}
        return replace(result, together=replace(result.together, summary=summary, files=files)), pictures

    def _settled(self, scenario: Scenario) -> Settled:
        from sim.study.executors import executor
        from sim.study.replicated.steady import settled

        with (
            executor(self.workers, self.cluster) as workers,
            counted(self.quiet, "{} runs to find the warm-up") as watch,
        ):
            return settled(scenario, workers, watch, self._compiling)

    def _compiling(self) -> None:
        if not self.quiet:
            click.echo("compiling the engine, once on this machine (some 25 seconds) ...", err=True)


def _pictures(found: Settled) -> tuple[Figure, ...]:
    from sim.report.run.welch_picture import of_settled

    return (of_settled(found),)


def _files(pictures: tuple[Figure, ...]) -> dict[str, str]:
    """The same as files of the run's folder."""
    if not pictures:
        return {}
    from sim.report.drawing.paint.files import svg

    return {f"{figure.key}.svg": svg(figure) for figure in pictures}
