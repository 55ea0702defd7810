"""The pictures of the documentation: drawn from the same runs as the numbers, on a light ground that any page can hold.

Those of the gallery stand in the modules of its rows (`gallery_pages.py`).
"""

from __future__ import annotations

from pathlib import Path

import facts_fidelity
import facts_reports
import house
import pictures_concepts
import pictures_elastic
import pictures_money
import pictures_overload
from draw import drawn, painted, written

IMAGES = Path(__file__).resolve().parent / "img"


def guide(check: bool) -> list[str]:
    """Draw the pictures of the pages where a reader begins, or say which ones are out of date."""
    stale = [line for name, make in pictures_concepts.PICTURES.items() for line in drawn(IMAGES / name, make, check)]
    painted_here = facts_reports.figures().items()
    return stale + [line for name, figure in painted_here for line in painted(IMAGES / name, figure, check)]


def draw(check: bool) -> list[str]:
    """Draw every other picture, or say which ones show something else than the runs do."""
    stale = [line for name, make in PICTURES.items() for line in drawn(IMAGES / name, make, check)]
    stale += painted(IMAGES / "fidelity.svg", facts_fidelity.errors_figure(), check)
    return stale + written(IMAGES / "architecture.svg", house.svg(), check)


PICTURES = {**pictures_elastic.PICTURES, **pictures_overload.PICTURES, **pictures_money.PICTURES}
