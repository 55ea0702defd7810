"""The pictures of the documentation: drawn from the same runs as the numbers, on a light ground that any page can hold.

Those of the gallery stand in the modules of its rows (`gallery_pages.py`).
"""

from __future__ import annotations

from pathlib import Path

import facts_fidelity
import house
import pictures_elastic
import pictures_money
import pictures_overload
from draw import drawn, written

IMAGES = Path(__file__).resolve().parent / "img"


def draw(check: bool) -> list[str]:
    """Draw every picture, or say which ones show something else than the runs do."""
    stale = [line for name, make in PICTURES.items() for line in drawn(IMAGES / name, make, check)]
    stale += written(IMAGES / "fidelity.svg", facts_fidelity.errors_svg(), check)
    return stale + written(IMAGES / "architecture.svg", house.svg(), check)


PICTURES = {**pictures_elastic.PICTURES, **pictures_overload.PICTURES, **pictures_money.PICTURES}
