"""AIPerf and genai-perf: `profile_export_aiperf.csv`, two tables in one file; the unit is in a metric's label."""

from __future__ import annotations

import csv
import re
from typing import Any, ClassVar

from sim.exchange.base import SECONDS, Format, named, spread
from sim.exchange.documents import Document, Fields, text_lines
from sim.exchange.lengths import length_law
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread

_LABEL = re.compile(r"(?P<name>[^(]+?)\s*(?:\((?P<unit>[^)]*)\))?")


class AiPerfCsv(Format):
    """Aggregates: one operating point a file. How it was loaded is not in it."""

    kind: ClassVar[str] = "aiperf-csv"
    about: ClassVar[str] = "aiperf or genai-perf, profile_export_aiperf.csv"

    @classmethod
    def fits(cls, document: Document) -> bool:
        return document.container == "csv" and document.first[:1] == ["Metric"] and "avg" in document.first

    @classmethod
    def read(cls, document: Document) -> Measured:
        report = Fields(_metrics(document), document.file)
        count = report.child("request_count").count("avg")
        if count == 0:
            report.refuse("no request was completed", "request_count")
        throughput = report.child("request_throughput").number("avg")
        prompt, output = (report.child(f"{which}_sequence_length") for which in ("input", "output"))
        point = OperatingPoint(
            name=named(document),
            file=document.file,
            format=cls.kind,
            prompt_tokens=prompt.number("avg"),
            output_tokens=output.number("avg"),
            prompt_law=length_law(prompt, prompt.number("avg")),
            output_law=length_law(output, output.number("avg")),
            requests=count,
            load_known=False,
            achieved_per_s=throughput,
            ttft=_spread(report, "time_to_first_token"),
            tpot=_spread(report, "inter_token_latency"),
            e2e=_spread(report, "request_latency"),
        )
        return Measured((point,))


def _spread(report: Fields, metric: str) -> Spread:
    found = report.maybe(metric)
    if found is None:
        return Spread()
    unit = found.text("unit")
    if unit not in SECONDS:
        found.refuse(f"must have one of {', '.join(SECONDS)} in its label, got '{unit}'", "unit")
    return spread(found, median="p50", scale=SECONDS[unit], mean="avg")


def _metrics(document: Document) -> dict[str, Any]:
    """The rows of both tables by metric, as the JSON export names them."""
    found: dict[str, Any] = {}
    header: list[str] = []
    for number, text in enumerate(text_lines(document.file), start=1):
        cells = _cells(text, Fields({}, document.file, number))
        if not any(cell.strip() for cell in cells):
            header = []
        elif not header:
            header = ["avg" if cell == "Value" else cell.strip() for cell in cells]
        else:
            label = _LABEL.fullmatch(cells[0].strip())
            if label is None or len(cells) > len(header):
                Fields({}, document.file, number).refuse("is no row of its table")
            name = label["name"].lower().replace(" ", "_")
            values = {
                key: _number(cell, Fields({}, document.file, number, name), key)
                for key, cell in zip(header[1:], cells[1:], strict=False)
                if cell.strip()
            }
            found[name] = {**values, "unit": label["unit"] or ""}
    return found


def _cells(text: str, place: Fields) -> list[str]:
    try:
        return next(csv.reader([text.strip()]), [])
    except csv.Error as error:
        place.refuse(f"is no row of a CSV: {error}")


def _number(cell: str, place: Fields, key: str) -> float:
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        place.refuse(f"must be a number, got '{cell[:40]}'", key)
