"""SIGTERM and Ctrl-C: one line, the right exit code, and not lost where exceptions are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sim.cli import main
from sim.cli.shared.stopping import Stopping

ROOT = Path(__file__).parents[2]
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
CALLED_BACK = """
import signal

def called_back(number):
    signal.raise_signal(number)
    return "whole"
"""


@SIGNALS
def test_it_ends_what_runs(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert stopping.code == 128 + number
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before


@SIGNALS
def test_while_a_compiler_calls_back_it_waits(number: signal.Signals) -> None:
    """What is raised in there would be printed and lost, and the compiler left without its result."""
    compiler: dict[str, Any] = {"__name__": "llvmlite.binding.made_up"}
    exec(CALLED_BACK, compiler)
    before = signal.getsignal(signal.SIGALRM)
    came = []

    def compiled() -> None:
        came.append(compiler["called_back"](number))
        time.sleep(20)

    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        compiled()
    assert came == ["whole"]
    assert stopping.code == 128 + number
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


class Going:
    """Python calls `__del__` when an object goes: what is raised there is printed and lost."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_while_an_object_goes_it_waits() -> None:
    def freed() -> None:
        Going()
        time.sleep(20)

    with Stopping() as stopping, pytest.raises(KeyboardInterrupt):
        freed()
    assert stopping.code == 143


RUN_BY_C = """
import ctypes, signal
from sim.cli.shared.stopping import Stopping

with Stopping() as stopping:
    try:
        run = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object)(
            ("PyRun_String", ctypes.pythonapi)
        )
        run(b"import signal; signal.raise_signal(signal.SIGTERM)", 257, {}, {})
    except KeyboardInterrupt:
        pass
raise SystemExit(stopping.code)
"""


def test_the_code_is_ours_where_c_code_was_running_python(tmp_path: Path) -> None:
    (tmp_path / "called.py").write_text(RUN_BY_C)
    paths = os.pathsep.join((str(tmp_path), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "called"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (143, "")


def test_what_was_to_be_ignored_is() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopping():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@click.command()
@click.pass_context
def keeping(ctx: click.Context) -> None:
    """A verb that keeps what it has done when it is stopped, and says so with its code."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        ctx.exit(130)


@click.command()
def plain() -> None:
    """A verb that does nothing about it."""
    signal.raise_signal(signal.SIGTERM)


@click.command()
def loading() -> None:
    """A verb within a library that makes an error of its own of whatever comes, as pydantic does of a validator's."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException as error:
        raise ValueError("Error building a validator") from error


@pytest.mark.parametrize(("verb", "said"), [(keeping, ""), (plain, "interrupted\n"), (loading, "interrupted\n")])
def test_the_code_says_which_signal_it_was(verb: click.Command, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cli.importlib.import_module", lambda _: SimpleNamespace(command=verb))
    done = CliRunner().invoke(main, ["examples"])
    assert (done.exit_code, done.stderr) == (143, said)
