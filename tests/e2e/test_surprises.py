"""The page of surprises keeps its point: of both runs that it shows, it is the tempting one that is worse.

That the page says what its commands print is checked with all other pages (`test_docs.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/surprises.md"
BETTER_SECOND = ("One more request can help the others", "More traffic can be answered sooner")
"""What everybody would expect to be worse in the second run; of all others they would say so of the first."""


def sections() -> dict[str, str]:
    """The text of each, by title."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("title", sections())
def test_the_tempting_side_is_the_worse_one(title: str) -> None:
    block = re.findall(r"^```console\n(.*?)^```$", sections()[title], re.MULTILINE | re.DOTALL)[-1]
    table = block.rpartition("──\n")[2]
    first, second = (float(re.split(r"\s{2,}", line.strip())[1].split()[0]) for line in table.splitlines()[:2])
    assert second < first if title in BETTER_SECOND else second > first


def test_there_are_ten() -> None:
    assert len(sections()) == 10
    assert "not run" not in PAGE.read_text(encoding="utf-8")
