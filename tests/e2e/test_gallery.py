"""Every row of the gallery runs as it ships, quickly, and has its page; what a row claims is tested in `gallery/`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sim.cli.examples import examples
from sim.config import catalogue
from tests.shipped import told

ROOT = Path(__file__).parents[2]
ROWS = catalogue.names(catalogue.GALLERY)
MOST_S = 45.0
"""In the engine, for a row, on a machine that does other things too: alone the longest takes some ten seconds, and the
seventeen together, drawing and reading included, are far below five minutes of two cores (`make gallery`)."""


@pytest.mark.parametrize("name", ROWS)
def test_it_runs_quickly_and_accounts_for_everybody(name: str) -> None:
    summary = told(name)
    outcomes = Counter(summary["requests"])
    assert outcomes.pop("arrived") > 1000
    assert outcomes.total() == summary["requests"]["arrived"]
    assert summary["cost"]["total_usd"] > 0
    assert summary["run"]["engine_s"] < MOST_S
    json.dumps(summary, allow_nan=False)


def test_every_row_says_which_it_is_and_has_a_page() -> None:
    rows = {each.name: each for each in examples() if each.row}
    assert set(rows) == set(ROWS)
    assert len({each.row for each in rows.values()}) == len(rows)
    assert all(each.system and each.question.endswith("?") for each in rows.values())
    assert {page.stem for page in (ROOT / "docs/gallery").glob("*.md")} == set(rows)
