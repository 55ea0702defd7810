"""Random scenarios without end: `python -m tests.swarm.soak --minutes 30`, or of the one file that `--file` names.

Each process takes seeds one after another. A finding is written as a scenario, smaller than it was, and as its data
files, with the command that shows it again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from sim.config.dump import to_yaml
from sim.config.errors import ConfigError, DataError
from sim.config.loader import read_file
from sim.scenario import load
from tests.swarm.check import Seen, examine
from tests.swarm.files import all_files
from tests.swarm.generate import RefusedError, made
from tests.swarm.grammar import members, used
from tests.swarm.ran import run, watched
from tests.swarm.shrink import shrunk, told

LONGEST_S = 60
"""For one scenario: more is a finding, too."""
SILENT_S = 4 * LONGEST_S
"""Of a process: it hangs where no signal reaches it."""
OUT = Path("outputs/soak")

Keys = dict[str, Any]


@dataclass
class Tally:
    """What has been done."""

    scenarios: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """Progress, in a line."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        names = ("runs", "elastic with faults and retries", "compared with the oracle")
        parts = [f"{self.counts[name]:,} {name}" for name in names]
        return (
            f"{seconds / 60:5.1f} min  {self.scenarios:,} scenarios ({self.scenarios / seconds:.1f}/s)  "
            f"{'  '.join(parts)}  {len(self.used):,} of {len(members()):,} keys and members  "
            f"{len(self.found)} findings"
        )


class TooLongError(Exception):
    """A scenario that takes for ever."""


def _too_long(*_: Any) -> None:
    raise TooLongError(f"takes longer than {LONGEST_S} s")


# -- one scenario ------------------------------------------------------------------------------------------------------


def one(seed: int, folder: Path) -> tuple[Seen, set[str], Keys | None, BaseException | None]:
    """Make and examine the scenario of a seed: what was seen, what it used; if it fails, its keys and how."""
    keys: Keys | None = None
    try:
        signal.alarm(LONGEST_S)
        scenario = made(seed, folder)
        keys = scenario.keys
        seen = examine(scenario.scenario, seed, folder)
        seen.counts["refused as it runs"] += bool(seen.refused)
        seen.counts["complaints on the way"] += sum(scenario.refused.values())
        return seen, set(used(scenario.scenario)) if not seen.refused else set(), None, None
    except RefusedError as error:
        return Seen(), set(), error.keys, error.__cause__ or error
    except Exception as error:
        return Seen(), set(), keys or {}, error
    finally:
        signal.alarm(0)


def fails(keys: Keys, folder: Path) -> str:
    """How a scenario fails; empty if it does not, or if it is refused as it should be."""
    try:
        signal.alarm(LONGEST_S)
        examine(load(keys), 0, folder, every=1)
    except (ConfigError, DataError):
        return ""
    except Exception as error:
        return told(error)
    finally:
        signal.alarm(0)
    return ""


def written(keys: Keys, seed: int, error: BaseException, folder: Path, out: Path) -> str:
    """Write a finding; returns what to say of it."""
    signal.signal(signal.SIGALRM, _too_long)
    small = keys if isinstance(error, TooLongError) else shrunk(keys, lambda less: fails(less, folder))
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(small)
    for path in all_files(small):
        shutil.copy(path, out / Path(path).name)
        text = text.replace(path, str(Path(path).name))
    file = out / f"seed-{seed}.yaml"
    file.write_text(to_yaml(json.loads(text)), encoding="utf-8")
    where = "".join(traceback.format_exception(error)[-4:])
    return f"seed {seed}: {told(error)}\n{where}  shows it again: python -m tests.swarm.soak --file {file}"


# -- many --------------------------------------------------------------------------------------------------------------


def worker(seeds: Any, said: Any, folder: str, out: str) -> None:
    """Takes seeds until there are none, and says what became of each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _too_long)
    warmed_up(Path(folder))
    while True:
        seed = seeds.get()
        if seed is None:
            return
        said.put((os.getpid(), seed, None))
        seen, names, keys, error = one(seed, Path(folder))
        finding = ""
        if error is not None:
            finding = written(keys or {}, seed, error, Path(folder), Path(out))
        said.put((os.getpid(), seed, (seen.counts, names, finding)))


def warmed_up(folder: Path) -> None:
    """Compile, or load what was compiled, before anything is timed: both builds."""
    with watched():
        for seed in range(3):
            scenario = made(seed, folder).scenario
            run(scenario, "compiled")


def soak(first: int, scenarios: int, minutes: float, jobs: int, out: Path) -> Tally:
    """Scenarios of the seeds from `first` on, so many or for so long, whichever is over first."""
    context = multiprocessing.get_context("spawn")
    seeds, said = context.Queue(), context.Queue()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        crew = [context.Process(target=worker, args=(seeds, said, folder, str(out)), daemon=True) for _ in range(jobs)]
        for each in crew:
            each.start()
        given = 0
        for _ in range(min(4 * jobs, scenarios)):
            seeds.put(first + given)
            given += 1
        until_s, heard_s, told_s = tally.began + 60 * minutes, time.monotonic(), 0.0
        begun: dict[int, int] = {}
        while tally.scenarios < given:
            try:
                process, seed, done = said.get(timeout=5.0)
                heard_s = time.monotonic()
            except Empty:
                if time.monotonic() - heard_s > SILENT_S:
                    tally.found.append(f"seeds {sorted(begun.values())}: nothing heard for {SILENT_S} s")
                    break
                continue
            if done is None:
                begun[process] = seed
                continue
            counts, names, finding = done
            begun.pop(process, None)
            tally.scenarios += 1
            tally.counts.update(counts)
            tally.used |= names
            if finding:
                tally.found.append(finding)
                print(f"\n{finding}\n", flush=True)
            if given < scenarios and time.monotonic() < until_s:
                seeds.put(first + given)
                given += 1
            if time.monotonic() - told_s > 15:
                told_s = time.monotonic()
                print(tally.line(), flush=True)
        for _ in crew:
            seeds.put(None)
        for each in crew:
            each.join(timeout=10)
            if each.is_alive():
                each.terminate()
    return tally


def summed_up(tally: Tally, first: int) -> str:
    """What was done, and what was not met."""
    lines = [tally.line(), f"seeds {first} to {first + tally.scenarios - 1}"]
    lines += [f"{count:9,}  {name}" for name, count in sorted(tally.counts.items(), key=lambda item: -item[1])]
    missing = sorted(members() - tally.used)
    lines.append(f"not met ({len(missing)}): {', '.join(missing[:60])}{' ...' if len(missing) > 60 else ''}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--from", dest="first", type=int, default=None, help="first seed; left out: a fresh one")
    parser.add_argument("--scenarios", type=int, default=10**9, help="at most so many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=OUT, help="where findings are written")
    parser.add_argument("--file", type=Path, help="examine this scenario, with every check")
    asked = parser.parse_args()
    if asked.file is not None:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(asked.file.parent)
            keys = read_file(Path(asked.file.name)).plain()
            print(dict(examine(load(keys), 0, Path(folder), every=1).counts))
        return 0
    first = int(time.time()) * 1000 if asked.first is None else asked.first
    tally = soak(first, asked.scenarios, asked.minutes, asked.jobs, asked.out)
    print(f"\n{summed_up(tally, first)}")
    for finding in tally.found:
        print(f"\n{finding}")
    return 1 if tally.found else 0


if __name__ == "__main__":
    sys.exit(main())
