"""One process that fuzzes one reader: libFuzzer chooses inputs by the branches of `sim` that they take (atheris)."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from sim.config.errors import ConfigError, DataError
from tests.fuzz.mutate import mutated
from tests.fuzz.reader import Reader, tried

MEMORY = 4_000_000_000
"""Bytes of address space beside what is taken when all is loaded: a stop, the measure is `guard.BYTES`."""


def fuzz(reader: Reader, inputs: int, seed: int, corpus: Path, findings: Path) -> NoReturn:
    """Try so many inputs, write what came of them beside the corpus, and end this process."""
    import atheris

    folder = Path(tempfile.mkdtemp(dir=corpus.parent))
    seeds = list(reader.seeds())
    corpus.mkdir(parents=True, exist_ok=True)
    for place, data in enumerate(seeds):
        (corpus / f"seed-{place}").write_bytes(data)
    limit_memory()
    told: Counter[str] = Counter()
    seen: dict[tuple[Any, ...], str] = {}
    began_s = time.monotonic()

    def one(data: bytes) -> None:
        try:
            told["answered" if tried(reader, data, folder) == "answered" else "refused"] += 1
        except BaseException as error:
            told["findings"] += 1
            keep(error, data)
        if told.total() >= inputs:
            end()

    def keep(error: BaseException, data: bytes) -> None:
        """The first input of each kind of finding."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if f"{os.sep}sim{os.sep}" in frame.filename] or list(frames)
        key = (type(error).__name__, ours[-1].filename, ours[-1].lineno)
        if key not in seen:
            seen[key] = f"{type(error).__name__}: {error!s:.300} ({ours[-1].filename}:{ours[-1].lineno})"
            findings.mkdir(parents=True, exist_ok=True)
            (findings / f"{len(seen)}").write_bytes(data)
            (findings / f"{len(seen)}.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "replace")

    def end() -> None:
        result = {
            "reader": reader.name,
            **told,
            "inputs": told.total(),
            "seconds": round(time.monotonic() - began_s, 1),
            "found": list(seen.values()),
        }
        (corpus.parent / f"{corpus.name}.json").write_text(json.dumps(result))
        sys.stderr.flush()
        os._exit(0)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)
        if rng.random() < 0.4:
            return bytes(atheris.Mutate(data, most))
        return mutated(data or rng.choice(seeds), reader.shape, rng, most)

    flags = [f"-max_len={reader.longest}", f"-seed={seed}", "-timeout=120", "-rss_limit_mb=0", "-len_control=0"]
    flags += ["-print_final_stats=1", "-verbosity=1", "-use_value_profile=0", "-reload=0"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()
    raise AssertionError("it goes on until all inputs are tried")


def loaded(readers: Iterable[Reader], folder: Path) -> None:
    """Let every reader answer what it answers, so that all that is loaded late is loaded now."""
    for reader in readers:
        for data in reader.seeds():
            (folder / reader.file).write_bytes(data)
            with suppress(ConfigError, DataError):
                reader.read(folder / reader.file)


def limit_memory() -> None:
    """Let an input that takes all the memory there is fail in this process, not in others."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
