"""Named streams of random numbers. Owns the key of each: (replication, name, entity), under one seed.

A stream depends on nothing but its key: adding a stream, a policy or a draw elsewhere never shifts another's numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from zlib import crc32

import numpy as np

RngOf = Callable[[str], np.random.Generator]
"""From the name of a purpose (`arrivals`, `prompt_tokens`) to its generator, fresh from the start at each call."""


def named_rng(seed: int, replication: int, name: str, entity: str) -> np.random.Generator:
    """The generator for one purpose (`name`) of one thing (`entity`, for example a stream of requests)."""
    key = (replication, crc32(name.encode()), crc32(entity.encode()))
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def chunk_of(rng_of: RngOf, chunk: int) -> RngOf:
    """Generators of their own for a further chunk (1, 2, ...) of what `rng_of` draws."""
    return lambda name: rng_of(f"{name} {chunk}")


def rngs_of(seed: int, replication: int, entity: str) -> RngOf:
    """The generators of one entity, by the name of their purpose."""
    return lambda name: named_rng(seed, replication, name, entity)


def going_on(rng_of: RngOf) -> RngOf:
    """The same generators, but one for each name, so that what asks again draws on where it left off."""
    return functools.cache(rng_of)
