"""A study killed at twenty random moments, one after another, ends with the bytes of one that was left in peace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.killing import hunted


@pytest.mark.slow
def test_killed_twenty_times(tmp_path: Path) -> None:
    hunted(tmp_path, kills=20, seed=7)
