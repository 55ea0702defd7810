"""A tournament tree: the least of many keys, each changed at any time, without ever looking at all of them.

Ties go to the lowest row. A tree over n rows has `leaves(n)` leaves and twice as many nodes; node 1 is the winner.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.compiled import compiled
from sim.model.tables import NODE


def leaves(rows: int) -> int:
    """The number of leaves for this many rows: the next power of two, at least 2."""
    return max(2, 1 << (rows - 1).bit_length())


def build(rows: int) -> NDArray[Any]:
    """A tree in which every key is infinite: shape (2 * leaves,)."""
    size = leaves(rows)
    nodes = np.zeros(2 * size, NODE)
    nodes["key"] = math.inf
    for node in range(2 * size - 1, 0, -1):
        nodes[node]["row"] = node - size if node >= size else nodes[2 * node]["row"]
    return nodes


@compiled
def update(nodes: Any, first: int, size: int, row: int, key: float) -> None:
    """Give `row` a new key. Climbs only as far as something changes."""
    node = size + row
    nodes[first + node]["key"] = key
    while node > 1:
        node >>= 1
        left = nodes[first + 2 * node]
        right = nodes[first + 2 * node + 1]
        best_key = left["key"]
        best_row = left["row"]
        if right["key"] < best_key:
            best_key = right["key"]
            best_row = right["row"]
        here = nodes[first + node]
        if here["row"] == best_row and here["key"] == best_key:
            break
        here["row"] = best_row
        here["key"] = best_key
