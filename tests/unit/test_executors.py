"""Executors: every task is done, whoever does it and whatever becomes of them; errors come out where they belong."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sim.config.errors import ConfigError, DataError, Problem
from sim.study.executors import AsPays, Executor, Here, Local, LostError, executor, local
from sim.study.executors.cluster import Cluster

MADE = {"here": Here, "local": lambda: Local(2), "as pays": lambda: AsPays(cores=2)}


def _square(value: int) -> int:
    return value * value


@pytest.mark.parametrize("made", MADE)
def test_every_task_is_done_once_and_told_in_order(made: str) -> None:
    workers: Executor = MADE[made]()
    with workers as hired:
        assert list(hired.in_order(_square, range(20))) == [value * value for value in range(20)]
        ended = list(hired.as_ended(_square, range(5, 12)))
    assert sorted((one.place, one.value) for one in ended) == [(place, (place + 5) ** 2) for place in range(7)]


def _slow(value: int) -> int:
    time.sleep(0.6)
    return os.getpid()


def test_more_processes_are_started_only_where_that_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.study.executors import pays

    monkeypatch.setattr(pays, "START_S", 0.5)
    with AsPays(cores=2) as workers:
        assert set(workers.in_order(_slow, range(2))) == {os.getpid()}
        made_by = list(workers.in_order(_slow, range(8)))
        assert made_by[:2] == [os.getpid()] * 2
        assert os.getpid() not in made_by[2:]


def _mistaken(value: int) -> int:
    raise ConfigError([Problem("is wrong", "a.b", "file.yaml", 3, 4)]) if value else DataError("trace.csv: gone")


def test_errors_of_the_work_are_told_whole() -> None:
    with Local(2) as workers:
        data, config = sorted(workers.as_ended(_mistaken, [0, 1]), key=lambda one: one.place)
        assert isinstance(data.error, DataError)
        assert isinstance(config.error, ConfigError)
        assert config.error.problems == (Problem("is wrong", "a.b", "file.yaml", 3, 4),)
        (odd,) = workers.as_ended(_lambda, [1])
        assert "cannot be handed over" in str(odd.error)


def _lambda(value: int) -> object:
    return lambda: value


def _deadly(task: tuple[int, Path, int]) -> int:
    """Ends its process so many times, then works."""
    value, folder, times = task
    if value == 3 and len(list(folder.iterdir())) < times:
        (folder / f"{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.mark.parametrize("times", [1, 2])
def test_what_a_worker_was_at_when_it_died_is_done_again(tmp_path: Path, times: int) -> None:
    with Local(2) as workers:
        assert list(workers.in_order(_deadly, [(value, tmp_path, times) for value in range(8)])) == list(range(8))
    assert len(list(tmp_path.iterdir())) == times


def test_a_task_that_ends_its_process_three_times_is_given_up(tmp_path: Path) -> None:
    with Local(2) as workers:
        ended = list(workers.as_ended(_deadly, [(value, tmp_path, 9) for value in range(6)]))
    assert sorted(one.value for one in ended if one.error is None) == [0, 1, 2, 4, 5]
    (lost,) = [one for one in ended if one.error is not None]
    assert lost.place == 3
    assert isinstance(lost.error, LostError)
    assert "has ended its process 3 times; if memory ran out" in str(lost.error)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_process_that_never_starts_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(local, "_context", lambda: spawn)
    monkeypatch.setattr(local, "PRELOAD", "tests.faults.hangs")
    monkeypatch.setattr(local, "STARTS_S", 1.0)
    workers = Local(1)
    with pytest.raises(ConfigError, match="workers: a process has not started within 1 s; use one worker"), workers:
        list(workers.in_order(_square, [1]))
    assert workers.crew == []


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    # Each process reads the script anew, and would start processes of its own.
    script = tmp_path / "script.py"
    lines = (
        "from sim.study.executors import Local",
        "with Local(1) as hired:",
        "    print(*hired.in_order(abs, [-1]))",
    )
    script.write_text("\n".join(lines))
    path = os.pathsep.join([str(Path(local.__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1] == (
        "sim.config.errors.ConfigError: workers: processes end as soon as they start; in a script, keep what it does "
        "under if __name__ == ...; or use one worker"
    )


def _stopped(told: Path) -> None:
    told.write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)


def _interrupt_when(there: Path, thread: int) -> None:
    while not there.exists():
        time.sleep(0.01)
    time.sleep(0.1)
    signal.pthread_kill(thread, signal.SIGINT)


def test_a_process_that_hangs_ends_with_the_command(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with Local(1) as workers:
        threading.Thread(target=_interrupt_when, args=(told, threading.get_ident())).start()
        with pytest.raises(KeyboardInterrupt):
            next(workers.as_ended(_stopped, [told]))  # type: ignore[call-overload]
    assert not _is_there(int(told.read_text()))


class Unstartable:
    """What cannot be unpickled where it arrives."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.getpgid, (-1,))


def test_a_task_that_cannot_be_read_there_is_an_error_of_its_own() -> None:
    with Local(1) as workers:
        (ended,) = workers.as_ended(_square, [Unstartable()])
    assert ended.error is not None
    assert not isinstance(ended.error, LostError)


class Counted(list[int]):
    """Tasks that count how many of them have been taken."""

    taken = 0

    def __getitem__(self, place: object) -> object:  # type: ignore[override]
        self.taken += 1
        return super().__getitem__(place)  # type: ignore[index]


def test_tasks_are_taken_when_somebody_is_free() -> None:
    tasks = Counted(range(1000))
    with Local(2) as workers:
        ended = workers.as_ended(_square, tasks)
        for _ in range(5):
            next(ended)
        assert tasks.taken <= 5 + 2
        pids = [worker.process.pid for worker in workers.crew]
        ended.close()  # type: ignore[attr-defined]
    assert pids
    assert not any(_is_there(pid) for pid in pids)


def _is_there(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_worker_is_this_process() -> None:
    assert isinstance(executor(1), Here)
    assert isinstance(executor(None), AsPays)
    assert isinstance(executor(3), Local)
    assert isinstance(executor(None, "tcp://host:1"), Cluster)


@pytest.mark.parametrize("address", ["host", "tcp://host", "tcp://:x", "http//a:1"])
def test_an_address_that_is_none(address: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match="--cluster: must be a scheduler's address"), Cluster(address):
        pass


def test_nobody_answers_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from sim.study.executors import cluster

    monkeypatch.setattr(cluster, "ANSWER_S", 0.5)
    with (
        pytest.raises(ConfigError, match="no Dask scheduler answers at"),
        Cluster("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'fleetcast\[cluster\]'"), Cluster("tcp://127.0.0.1:9"):
        pass
