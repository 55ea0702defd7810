"""How a picture of the documentation is drawn, and how a check tells whether it still shows what the runs give.

Each picture carries a digest of what it shows, so that a check need not compare pixels (which differ from one version
of the drawing library to the next).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from palette import STYLE

MOST_BYTES = 200_000


def drawn(path: Path, make: Callable[[], tuple[Any, Callable[[Any], None]]], check: bool) -> list[str]:
    """Draw one picture: `make` gives what it shows (numbers and words) and what paints it on a figure."""
    import matplotlib as mpl

    shown, paint = make()
    digest = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
    if check:
        known = path.is_file() and digest.encode() in path.read_bytes()
        return [] if known else [f"docs/img/{path.name}: does not show what the runs give now"]
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        figure = plt.figure()
        paint(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None, "Description": digest})
        plt.close(figure)
    assert path.stat().st_size < MOST_BYTES, f"{path.name} has {path.stat().st_size:,} bytes"
    return []


def painted(path: Path, figure: Any, check: bool) -> list[str]:
    """Write a picture of the product itself as SVG or PNG, with the digest of what it shows."""
    shown = json.dumps([figure.title, figure.caption, figure.plot])
    digest = hashlib.sha256(shown.encode()).hexdigest()
    if check:
        known = path.is_file() and digest.encode() in path.read_bytes()
        return [] if known else [f"docs/img/{path.name}: does not show what the runs give now"]
    if path.suffix == ".png":
        _write_png(path, figure, digest)
    else:
        from sim.report.drawing.paint.files import svg

        path.write_text(f"{svg(figure)}<!-- {digest} -->\n", encoding="utf-8")
    assert path.stat().st_size < MOST_BYTES, f"{path.name} has {path.stat().st_size:,} bytes"
    return []


def _write_png(path: Path, figure: Any, digest: str) -> None:
    """A PNG with a description; for pictures of thousands of rectangles, which are large as SVG."""
    from PIL import Image, PngImagePlugin

    from sim.report.drawing.paint.files import png

    described = PngImagePlugin.PngInfo()
    described.add_text("Description", digest)
    Image.open(io.BytesIO(png(figure))).save(path, pnginfo=described, optimize=True)


def written(path: Path, text: str, check: bool) -> list[str]:
    """Write one picture that is text."""
    if check:
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        return [] if same else [f"docs/img/{path.name}: is not what docs/house.py draws"]
    path.write_text(text, encoding="utf-8")
    return []
