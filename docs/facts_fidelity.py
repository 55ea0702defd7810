"""What docs/fidelity.md quotes: the errors of `fleetcast validate`, each law run once."""

from __future__ import annotations

from functools import cache
from typing import Any

from sim.study.fidelity.cases import Case, cases_of_file
from sim.study.fidelity.shipped import read_measured, shipped_files
from sim.study.fidelity.validate import KNEE, Comparison, Errors, Law, Validation, errors_of, validate

SIM2REAL, KUBECON, RTX = "sim2real-h100", "kubecon-2025-h100", "rtx-pro-6000"
LAWS: tuple[Law, ...] = ("shipped", "held-out", "roofline")
_METRICS = {"tpot_s_mean": "TPOT mean", "e2e_s_mean": "E2E mean", "ttft_s_mean": "TTFT mean"}


@cache
def _cases() -> tuple[Case, ...]:
    """Every shipped point."""
    return tuple(case for path in shipped_files() for case in cases_of_file(read_measured(path), path))


def _sim2real() -> list[Case]:
    return [case for case in _cases() if case.source.name == SIM2REAL]


@cache
def _found(law: Law) -> Validation:
    return validate(_cases(), law)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def _table(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _errors(rows: list[Comparison]) -> Errors:
    found = errors_of(rows)
    assert found is not None
    return found


@cache
def _lightest() -> frozenset[str]:
    """The case of lowest rate of each experiment of sim2real."""
    found = sorted(_sim2real(), key=lambda case: (case.experiment, case.rate_per_s or 0.0))
    return frozenset({case.experiment: case.name for case in reversed(found)}.values())


def fidelity(law: Law, metric: str = "tpot_s_mean", source: str = SIM2REAL) -> str:
    """MAPE of one metric of one source."""
    return _percent(_errors(_found(law).of(source, metric)).mape_share)


def sim2real_table() -> str:
    """The 72 points: MAPE, median and worst, by law."""
    rows = []
    for metric, word in _METRICS.items():
        rows.append([f"{word}, MAPE", *(fidelity(law, metric) for law in LAWS)])
        found = [_errors(_found(law).of(SIM2REAL, metric)) for law in LAWS]
        rows.append([f"{word}, median", *(_percent(errors.median_share) for errors in found)])
        rows.append([f"{word}, worst", *(_signed(errors.worst_share) for errors in found)])
    light = [
        _errors(_found(law).of(SIM2REAL, "ttft_s_mean", lambda row: row.case in _lightest())).mape_share for law in LAWS
    ]
    rows.append(["TTFT mean at the lightest load, MAPE", *map(_percent, light)])
    return _table(["72 points, 42 experiments", "as shipped", "held out", "data sheets alone"], rows)


def _tpot_of(law: Law, only: set[str]) -> str:
    """MAPE of TPOT over some cases of sim2real."""
    return _percent(_errors(_found(law).of(SIM2REAL, "tpot_s_mean", lambda row: row.case in only)).mape_share)


def pairs_table() -> str:
    """TPOT by model and GPUs: as shipped, held out, sheets."""
    pairs: dict[tuple[str, int], list[str]] = {}
    experiments: dict[tuple[str, int], set[str]] = {}
    for case in _sim2real():
        key = (case.setting.model.name, case.setting.gpus_per_replica)
        pairs.setdefault(key, []).append(case.name)
        experiments.setdefault(key, set()).add(case.experiment)
    rows = []
    for (model, gpus), names in sorted(pairs.items()):
        one = len(experiments[model, gpus]) == 1
        found = [_tpot_of(law, set(names)) for law in LAWS]
        found[1] = f"({found[1]})" if one else found[1]
        rows.append([f"{model}, {gpus} x H100", str(len(experiments[model, gpus])), *found])
    return _table(["TPOT, MAPE", "experiments", "as shipped", "held out", "data sheets alone"], rows)


def sweep_table() -> str:
    """KubeCon: every stage."""
    shipped, sheets = _found("shipped"), _found("roofline")
    columns = [shipped.of(KUBECON, "e2e_s_mean"), shipped.of(KUBECON, "sent_per_s"), sheets.of(KUBECON, "e2e_s_mean")]
    rows = [
        [
            e2e.case.rpartition("/base/")[2],
            f"{e2e.measured:.4g} s",
            f"{e2e.predicted:.4g} s",
            _signed(e2e.error_share),
            f"{sent.measured:.4g}",
            f"{sent.predicted:.4g}",
            _signed(alone.error_share),
        ]
        for e2e, sent, alone in zip(*columns, strict=True)
    ]
    heading = ["asked", "E2E measured", "predicted", "error", "sent a second, measured", "predicted"]
    return _table([*heading, "E2E error, data sheets alone"], rows)


def knee() -> str:
    """Where the sweep stops following the load: measured, predicted."""
    (row,) = _found("shipped").of(KUBECON, KNEE)
    return f"measured at {row.measured:g}/s, predicted at {row.predicted:g}/s"


def iterations_table() -> str:
    """Decode iterations, by source."""
    rows = []
    for source in ("operator-grid", "splitwise-2023"):
        for law, word in (("shipped", "as shipped"), ("roofline", "data sheets alone")):
            by_pair: dict[str, list[Comparison]] = {}
            for row in _found(law).of(source, "iteration_s", lambda row: "+" not in row.case):
                by_pair.setdefault(row.experiment, []).append(row)
            found = [_errors(of_pair).mape_share for of_pair in by_pair.values()]
            mean, worst = _percent(sum(found) / len(found)), _percent(max(found))
            rows.append([source, word, str(len(found)), mean, worst])
    return _table(["source", "iteration times", "pairs", "MAPE, mean over pairs", "worst pair"], rows)


def rtx(metric: str = "e2e_s_mean") -> str:
    """Signed error on requests like those of the RTX PRO 6000 run."""
    return _signed(_errors(_found("shipped").of(RTX, metric)).bias_share)


def errors_figure() -> Any:
    """The picture that `fleetcast validate --out` writes."""
    from sim.report.fidelity.errors_picture import of_validation

    return of_validation(_found("shipped"))


def formats_table() -> str:
    """The benchmark formats, from their union."""
    from sim.exchange import FORMATS

    rows = [[f"`{form.kind}`", form.about] for form in FORMATS]
    return _table(["format", "file"], rows)
