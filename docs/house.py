"""The picture of the architecture page: the way of one scenario key and of one request, drawn as SVG by hand."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT = 1000, 742
INK, FAINT, GROUND = "#22272e", "#aab4bf", "#fbfcfd"
KEY, REQUEST, BOTH = "#e6effa", "#fdeee6", "#eaf3ec"
LEFT, RIGHT, BOX, WHOLE = 30, 515, 455, 940
STEP, TALL = 84, 58

Box = tuple[int, int, int, str, str, str]

BOXES: list[Box] = [
    (LEFT, 0, BOX, KEY, "config/", "text becomes a tree that knows its places; --set is laid over"),
    (LEFT, 1, BOX, KEY, "scenario/", "the tree becomes frozen models, or every mistake at once"),
    (LEFT, 2, BOX, KEY, "autoscaling/fixed.py", "Fixed(replicas=8), a member of the union AnyPolicy"),
    (RIGHT, 0, BOX, REQUEST, "workload/", "laws or a trace draw its arrival, its lengths and its ticket"),
    (RIGHT, 1, BOX, REQUEST, "workload/demand.py", "all streams in arrival order; who follows whom"),
    (RIGHT, 2, BOX, REQUEST, "fleet/setup.py", "a row of the request table, and one of what its client bears"),
    (LEFT, 3, WHOLE, BOTH, "model/tables.py", "the state: rows for pools, replicas, queues, seats and requests"),
    (
        LEFT,
        4,
        WHOLE,
        BOTH,
        "engine/: a calendar decides only when",
        "SimPy: every transition at its own event  |  compiled: a loop over the same functions between control events",
    ),
    (LEFT, 5, BOX, KEY, "fleet/control.py", "SimPy process: observe, decide (8), log, open_replica 8 times"),
    (
        RIGHT,
        5,
        BOX,
        REQUEST,
        "model/transitions.py, leaving.py",
        "arrive, route, enqueue; wake: finish, admit, plan; its timer rings",
    ),
    (LEFT, 6, WHOLE, BOTH, "result/log.py: RunLog", "rows of attempts, samples, life spans of replicas, decisions"),
    (LEFT, 7, BOX, BOTH, "result/", "summary, timeline and rows, all derived from the log; the folder"),
    (RIGHT, 7, BOX, BOTH, "report/ and cli/", "report.html; verdict and tables, printed by cli/ alone"),
]

# From box to box, by their places in the list above.
ARROWS = [(0, 1), (1, 2), (2, 6), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (7, 9), (8, 10), (9, 10), (10, 11), (11, 12)]


def svg() -> str:
    """The picture, on a light ground of its own."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Arial, sans-serif">',
        "<title>The way of one scenario key and of one request through fleetcast</title>",
        '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        f'<path d="M0,0 L9,4 L0,8 z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{GROUND}"/>',
        _text(LEFT, 34, "One key: pools.chat.autoscaler.replicas: 8", 17, "bold"),
        _text(RIGHT, 34, "One request", 17, "bold"),
        *(_arrow(BOXES[start], BOXES[end]) for start, end in ARROWS),
        *(part for box in BOXES for part in _box(box)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _top(row: int) -> int:
    return 56 + row * STEP


def _box(box: Box) -> list[str]:
    x, row, width, fill, head, line = box
    y = _top(row)
    return [
        f'<rect x="{x}" y="{y}" width="{width}" height="{TALL}" rx="7" fill="{fill}" stroke="{FAINT}"/>',
        _text(x + 14, y + 24, head, 15, "bold"),
        _text(x + 14, y + 45, line, 13, "normal"),
    ]


def _arrow(start: Box, end: Box) -> str:
    if start[1] == end[1]:
        y = _top(start[1]) + TALL // 2
        return _line(start[0] + start[2], y, end[0] - 2, y)
    narrow = start if start[2] <= end[2] else end
    x = narrow[0] + narrow[2] // 2
    return _line(x, _top(start[1]) + TALL, x, _top(end[1]) - 2)


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{INK}" stroke-width="1.4" marker-end="url(#tip)"/>'


def _text(x: int, y: int, text: str, size: int, weight: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{INK}">{escape(text)}</text>'
