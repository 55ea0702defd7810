"""The `fleetcast` command: its verbs, and the one place where an error becomes a message and an exit code.

Each verb is a module beside this one whose `command` is a click command, imported only when it is called: `--help`
loads nothing but click.
"""

from __future__ import annotations

import codecs
import errno
import importlib
import io
import keyword
import sys
import traceback
from typing import Any, NoReturn

import click

from sim.cli.shared.stopping import Stopping
from sim.config.errors import ConfigError, DataError

# One line a verb, here rather than in the verb's module, so that `--help` need not import any of them.
VERBS = {
    "run": "Simulate a scenario: verdict, latency, utilization, cost.",
    "check": "Say what queueing theory says of a scenario, without a run.",
    "compare": "Compare scenarios: what differs by more than chance?",
    "sweep": "Run a scenario over values of its keys, or find where it turns.",
    "plan": "Find the cheapest fleet that keeps the promises, certified.",
    "merge": "Put the parts of a study together that shards have made.",
    "tune": "Find better values for an autoscaler's parameters.",
    "validate": "Compare predictions with measured runs.",
    "calibrate": "Fit the latency law to your own measurements.",
    "report": "Show a report, lay two side by side, write its pictures.",
    "import": "Fit a workload to a Prometheus recording or a request log.",
    "decide": "Replay recorded observations through an autoscaler.",
    "export": "Write a manifest, FOCUS rows, a trace or metrics.",
    "ui": "Open a page in which sliders move a scenario's charts.",
    "init": "Write a commented scenario to start from.",
    "examples": "List the scenarios that ship, or print one.",
    "schema": "Print the JSON Schema of scenario files.",
}

OUR_BUG, WRONG_SCENARIO, WRONG_DATA, INTERRUPTED = 1, 2, 3, 130


class _Verbs(click.Group):
    """A group that knows its verbs by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = importlib.import_module(f"sim.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from sim.config.catalogue import did_you_mean

            raise click.UsageError(f"no such verb '{args[0]}'{did_you_mean(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; turn what it raises into words on stderr and an exit code."""
        from sim.cli.shared.plain import spelled

        codecs.register_error("spelled", spelled)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="spelled")
        stopping = Stopping()
        try:
            with stopping:
                return super().invoke(ctx)
        except click.exceptions.Exit as end:
            if end.exit_code == INTERRUPTED:  # of a verb that keeps what it has done by then
                ctx.exit(stopping.code)
            raise
        except (click.ClickException, click.Abort):
            raise
        except ConfigError as error:
            _say(*map(str, error.problems))
            ctx.exit(WRONG_SCENARIO)
        except DataError as error:
            _say(str(error))
            ctx.exit(WRONG_DATA)
        except KeyboardInterrupt:
            _interrupted(ctx, stopping)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has gone: click ends quietly
                raise
            _say(_about(error))
            ctx.exit(OUR_BUG)
        except MemoryError:
            _say("not enough memory for this run; shorten the horizon or lower the rate")
            ctx.exit(OUR_BUG)
        except Exception:
            if stopping.number:  # a library has made an error of its own of what was raised in it, as pydantic does
                _interrupted(ctx, stopping)
            traceback.print_exc(file=sys.stderr)
            _say("this is a bug in fleetcast, not in your scenario; please report it with the lines above")
            ctx.exit(OUR_BUG)


def _interrupted(ctx: click.Context, stopping: Stopping) -> NoReturn:
    click.echo("interrupted", err=True)
    ctx.exit(stopping.code)


def _say(*lines: str) -> None:
    from sim.cli.shared.plain import printable

    for line in lines:
        click.echo(f"error: {printable(line)}", err=True)  # a key or a path may hold anything


def _about(error: OSError) -> str:
    """What the operating system refused, on which file."""
    reason = error.strerror or str(error)
    where = f"{error.filename}: " if error.filename else ""
    remedy = "; make room, or write elsewhere" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return f"{where}{reason}{remedy}"


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from sim import __version__

    click.echo(f"fleetcast {__version__}")
    ctx.exit()


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def main() -> None:
    """Forecast the latency, utilization and cost of a GPU serving fleet before paying for it.

    Start with `fleetcast run chat-h100`, or `fleetcast init` for a scenario of your own.
    """
