"""Fitting the law of a model on its GPUs to measurements, with the roofline for a prior.

Aggregates are matched through the simulator: each point is run again under every law that is tried, so queueing and
the client's cap are in it. Iteration logs are matched directly. What the data cannot tell is kept from the roofline.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sim.config.errors import DataError, Problem
from sim.hardware import Calibration, Holds
from sim.study.fidelity import traps
from sim.study.fidelity.fitted import Coefficient, Fit, Residual
from sim.study.fidelity.iteration_fit import IterationFit, by_batch, law_for
from sim.study.fidelity.measured import Floats, Measured, OperatingPoint
from sim.study.fidelity.rerun import Outcome, Rerun
from sim.study.fidelity.setting import Setting
from sim.study.fidelity.targets import targets

NAMES = ("overhead_s", "device_scale", "seq_s", "iteration_s")
"""What is fitted, in the order in which the data come to tell it; what comes last is given up first."""

PRIOR_SD = {"overhead_s": 0.010, "device_scale": 0.05, "seq_s": 20e-6, "iteration_s": 0.3e-3}
UNKNOWN_GPU_SCALE_SD = 0.15
"""A GPU generation without operator times: its roofline is 13 to 20 % off."""
KEPT = 0.6
"""A posterior deviation above this share of the prior's: not identified."""
ONE_LOAD = 1.5
"""Batches of all points within this factor are one load."""

OUTLIER = 3.0
"""Errors beyond this many standard deviations (or medians of all errors) pull no harder."""
FAR = 2.0
"""Beyond this many of its standard deviations the prior lets go: the data clearly contradict the roofline."""
MISSED_SHARE = 0.10
"""A time per token that is missed by more is told."""
LEAST_SHARE = 0.1
"""Of an iteration's time on data sheets: no law is faster."""
_STEP, _NEAR, _TURNS, _ENOUGH = 0.25, 0.5, 12, 5e-3


def calibrate(
    measured: Measured,
    setting: Setting,
    seed: int = 0,
    on_turn: Callable[[int], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Fit:
    """Fit the law to all that was measured. Raises ConfigError or DataError.

    `on_turn` is told of each step; `on_compile` is called as by `simulate`.
    """
    setting.check()
    if not measured.points and not measured.iterations:
        raise DataError(Problem("the files hold nothing to fit to"))
    return _Fitting(measured, setting, seed, on_turn, on_compile).fit()


class _Fitting:
    """Points, targets and prior of one calibration."""

    def __init__(
        self,
        measured: Measured,
        setting: Setting,
        seed: int,
        on_turn: Callable[[int], None] | None,
        on_compile: Callable[[], None] | None,
    ) -> None:
        self.setting = setting
        self.on_compile = on_compile
        self.logs = measured.iterations
        self.on_turn = on_turn
        self.roofline = setting.from_sheets().law()
        self.warnings = traps.all_said(measured.points, setting, self.roofline)
        points = [point for point in measured.points if not traps.held_back(point)]
        self.notes = traps.assumed(points)
        if not points and not self.logs:
            raise DataError(Problem("no point is left to fit to: " + "; ".join(self.warnings)))
        self.reruns = [Rerun(point, seed, f"{index}:{point.name}") for index, point in enumerate(points)]
        known = setting.gpu.family in ("hopper", "ampere")  # by operator times
        scale_sd = PRIOR_SD["device_scale"] if known else UNKNOWN_GPU_SCALE_SD
        self.prior = np.array([setting.engine.overhead_s, 1.0, 0.0, 0.0])
        self.prior_sd = np.array([{**PRIOR_SD, "device_scale": scale_sd}[name] for name in NAMES])
        self.log_laws = [IterationFit(log, law_for(log, setting.from_sheets())) for log in self.logs]
        self.turns = 0
        self.slopes: dict[int, tuple[Floats, Floats]] = {}
        self.seen: dict[bytes, list[Outcome]] = {}
        start = self.outcomes(np.zeros(len(NAMES)))
        self.warm = any("warm prefix cache" in warning for warning in self.warnings)
        if self.warm:
            self.warnings.append("times to first token are not fitted, as prompts seem to be cached")
        self.targets = targets(points, start, self.warm)
        if not self.targets and not self.logs:
            said = "; ".join(["nothing is left to fit to: the files hold no latency that tells it", *self.warnings])
            raise DataError(Problem(said))
        self.groups = _groups(points)

    def fit(self) -> Fit:
        """Fit, give up what is not told, fit again, until all that is free is told."""
        free, why = self._free_at_first()
        x = np.zeros(len(NAMES))
        while True:
            x, told, cov = self._minimum(x, free)
            # whether the data could tell it; how well they agree with each other is another matter
            lost = [i for i in free if math.sqrt(told[free.index(i), free.index(i)]) > KEPT]
            if not lost:
                break
            dropped = lost[-1]
            why[dropped] = "the data do not tell it"
            free = [i for i in free if i != dropped]
            rest = np.where(np.isin(np.arange(len(NAMES)), free), x, 0.0)
            x = rest if self._possible(rest) else np.zeros(len(NAMES))
        return self._result(x, cov, free, why)

    def outcomes(self, x: Floats) -> list[Outcome]:
        """Every point under the law at `x` (deviations from the prior, in its standard deviations)."""
        key = x.tobytes()
        if key not in self.seen:
            under = self.setting.calibrated(self.row(x))
            self.seen[key] = [rerun.run(under, self.on_compile) for rerun in self.reruns]
        return self.seen[key]

    def row(self, x: Floats) -> Calibration:
        """The calibration at `x`."""
        overhead, scale, seq, iteration = (self.prior + x * self.prior_sd).tolist()
        setting = self.setting
        scale, iteration, seq, overhead = (float(f"{v:.6g}") for v in (scale, iteration, seq, max(overhead, 0.0)))
        return Calibration(
            gpu=setting.gpu.name,
            gpus_per_replica=setting.gpus_per_replica,
            precision=setting.weights,
            engine=setting.engine.name,
            device_scale=scale,
            iteration_s=iteration,
            seq_s=seq,
            overhead_s=overhead,
            experiments=max(len(self.reruns) + len(self.logs), 1),
            source="being fitted",
        )

    def _free_at_first(self) -> tuple[list[int], dict[int, str]]:
        """What may be fitted at all: with one load, the size of an iteration and its growth cannot be told apart."""
        batches = [max(outcome.running, 1.0) for outcome in self.outcomes(np.zeros(len(NAMES)))]
        if self.logs or (batches and max(batches) >= ONE_LOAD * min(batches)):
            return list(range(len(NAMES))), {}
        self.warnings.append(
            "all points are one load: the growth of an iteration with its sequences cannot be told from its size, and "
            "is kept from the roofline; measure at another load too"
        )
        reason = "one load only"
        return [0, 1], {2: reason, 3: reason}

    def _data(self, x: Floats) -> Floats:
        """Errors of all targets in their standard deviations, shape (targets + log rows,)."""
        outcomes = self.outcomes(x)
        points = [target.error(outcomes[target.point]) for target in self.targets]
        theta = self.prior + x * self.prior_sd
        logs = [log.errors(theta) for log in self.log_laws]
        return np.concatenate([np.array(points, float), *logs])

    def _jacobian(self, x: Floats, free: list[int]) -> Floats:
        """Slopes of all errors, shape (errors, free). Near a place where they are known already, they are the same."""
        columns = []
        for i in free:
            at, column = self.slopes.get(i, (None, None))
            if at is None or column is None or np.max(np.abs(x - at)) > _NEAR:
                step = np.zeros(len(NAMES))
                step[i] = _STEP
                above, below = (there if self._possible(there) else x for there in (x + step, self._inside(x - step)))
                apart = above[i] - below[i]
                column = (self._data(above) - self._data(below)) / apart if apart else np.zeros(len(self._data(x)))
                self.slopes[i] = (x, column)
            columns.append(column)
        return np.stack(columns, axis=1) if columns else np.zeros((len(self._data(x)), 0))

    def _inside(self, x: Floats) -> Floats:
        """`x`, moved to where the law makes sense: no overhead below 0, GPU time above 0."""
        least = np.array([0.0, 0.2, -math.inf, -math.inf])
        return np.asarray(np.maximum(x, (least - self.prior) / self.prior_sd), float)

    def _possible(self, x: Floats) -> bool:
        """Whether every iteration that only decodes takes a good part of its time on data sheets, or more."""
        _, scale, seq, iteration = self.prior + x * self.prior_sd
        host_s = self.roofline.seqs_s
        device_s = self.roofline.tokens_s[: len(host_s)]
        seconds = scale * device_s + host_s + iteration + seq * np.arange(len(host_s))
        return bool((seconds >= LEAST_SHARE * (device_s + host_s)).all())

    def _minimum(self, x: Floats, free: list[int]) -> tuple[Floats, Floats, Floats]:
        """Gauss-Newton with Huber weights from `x`, and two posterior covariances of what is free, in prior deviations:
        if the data are as good as they are taken to be, and as good as they turn out to be.
        """
        for _ in range(_TURNS):
            self.turns += 1
            if self.on_turn is not None:
                self.on_turn(self.turns)
            errors, jacobian = self._data(x), self._jacobian(x, free)
            # far from the minimum every error is large: an outlier is one that is large beside the others
            limit = OUTLIER * max(1.0, float(np.median(np.abs(errors))))
            weights = np.minimum(1.0, limit / np.maximum(np.abs(errors), 1e-12))
            hold = 1.0 / (1.0 + (x[free] / FAR) ** 2)
            normal = jacobian.T @ (jacobian * weights[:, None]) + np.diag(hold)
            move = np.zeros(len(NAMES))
            move[free] = -np.linalg.solve(normal, jacobian.T @ (weights * errors) + hold * x[free])
            x, before = self._shorter(x, move, limit), x
            if np.max(np.abs(x - before), initial=0.0) < _ENOUGH:
                break
        errors, jacobian = self._data(x), self._jacobian(x, free)
        spare = len(errors) - len(free)
        spread = max(1.0, float(errors @ errors) / spare) if spare > 0 else 1.0
        told, cov = (np.linalg.inv(jacobian.T @ jacobian / s + np.eye(len(free))) for s in (1.0, spread))
        return x, np.asarray(told, float), np.asarray(cov, float)

    def _shorter(self, x: Floats, move: Floats, limit: float) -> Floats:
        """As far along a step as makes things better."""
        now = self._cost(x, limit)
        for share in (1.0, 0.5, 0.25, 0.1):
            there = self._inside(x + share * move)
            if self._possible(there) and self._cost(there, limit) <= now:
                return there
        return x

    def _cost(self, x: Floats, limit: float) -> float:
        size = np.abs(self._data(x))
        huber = np.where(size <= limit, 0.5 * size**2, limit * size - 0.5 * limit**2)
        return float(huber.sum() + 0.5 * FAR**2 * np.log1p((x / FAR) ** 2).sum())

    def _result(self, x: Floats, cov: Floats, free: list[int], why: dict[int, str]) -> Fit:
        sd = self.prior_sd.copy()
        for place, i in enumerate(free):
            sd[i] *= math.sqrt(cov[place, place])
        values = self.prior + x * self.prior_sd
        coefficients = tuple(
            Coefficient(
                name,
                float(values[i]),
                float(sd[i]),
                float(self.prior[i]),
                float(self.prior_sd[i]),
                i in free,
                why.get(i, ""),
            )
            for i, name in enumerate(NAMES)
        )
        for c in coefficients:
            if c.identified and abs(c.value - c.prior) > 4.0 * c.prior_sd:
                self.warnings.append(
                    f"{c.name} is {abs(c.value - c.prior) / c.prior_sd:.0f} prior deviations from the roofline's: "
                    "check the model, GPU, GPUs per replica, precision and engine that were named"
                )
        residuals = self._residuals(x)
        missed = [r for r in residuals if r.used and r.metric != "ttft" and abs(r.error_share) > MISSED_SHARE]
        if missed:
            worst = max(missed, key=lambda r: abs(r.error_share))
            name, error = f"{worst.point}: {worst.metric.upper()}", f"{worst.error_share:+.0%}"
            self.warnings.append(
                f"{name} is missed by {error}: the law does not bend as far; check what was named and how the engine "
                "was started"
            )
        tpot = [abs(r.error_share) for r in residuals if r.metric == "tpot"]
        held_out = self._held_out(x, free)
        se = {f"{name}_se": float(f"{sd[i]:.3g}") if i in free else None for i, name in enumerate(NAMES)}
        holds = self._holds(x)
        calibration = self.row(x).model_copy(
            update={
                **se,
                "overhead_s": self.row(x).overhead_s if 0 in free else None,
                "holds": holds,
                "tpot_error_share": _share(tpot) if tpot else None,
                "held_out_error_share": held_out,
            }
        )
        formats = {rerun.point.format for rerun in self.reruns} | ({"iterations"} if self.logs else set())
        return Fit(
            calibration, coefficients, residuals, tuple(self.warnings), tuple(self.notes), holds, tuple(sorted(formats))
        )

    def _residuals(self, x: Floats) -> tuple[Residual, ...]:
        used = {(t.point, t.metric) for t in self.targets}
        found = []
        for index, (rerun, outcome) in enumerate(zip(self.reruns, self.outcomes(x), strict=True)):
            point = rerun.point
            derived = point.derived_tpot_s is not None
            pairs = (
                ("ttft", point.ttft.mean, outcome.ttft_s),
                ("tpot", point.any_tpot_s, outcome.derived_tpot_s if derived else outcome.tpot_s),
                ("e2e", point.e2e.mean, outcome.e2e_s),
            )
            found += [
                Residual(point.name, metric, value, predicted, (index, metric) in used)
                for metric, value, predicted in pairs
                if value and predicted > 0
            ]
        theta = self.prior + x * self.prior_sd
        for log in self.log_laws:
            predicted_s = log.predicted_s(theta)
            for name, rows in by_batch(log.log):
                means = (float(log.log.seconds[rows].mean()), float(predicted_s[rows].mean()))
                found.append(Residual(name, "iteration", *means, True))
        return tuple(found)

    def _held_out(self, x: Floats, free: list[int]) -> float | None:
        """Mean absolute TPOT error of each experiment predicted from the others, by the law's slopes at the minimum."""
        if len(set(self.groups)) < 2 or self.log_laws or not free:
            return None
        errors, jacobian = self._data(x), self._jacobian(x, free)
        groups = np.array([self.groups[target.point] for target in self.targets])
        found = []
        for group in sorted(set(self.groups)):
            rest = groups != group
            hold = 1.0 / (1.0 + (x[free] / FAR) ** 2)
            normal = jacobian[rest].T @ jacobian[rest] + np.diag(hold)
            move = -np.linalg.solve(normal, jacobian[rest].T @ errors[rest] + hold * x[free])
            moved = errors + jacobian @ move
            found += [
                abs(moved[i]) * target.sd / target.measured
                for i, target in enumerate(self.targets)
                if groups[i] == group and target.metric == "tpot"
            ]
        return _share(found) if found else None

    def _holds(self, x: Floats) -> Holds:
        """The loads that were measured, a replica: means of each point, and what stands in logs."""
        outcomes = self.outcomes(x)
        seqs = [outcome.running for outcome in outcomes]
        rates = [
            outcome.achieved_per_s / rerun.point.replicas for outcome, rerun in zip(outcomes, self.reruns, strict=True)
        ]
        context = [rerun.context_tokens for rerun in self.reruns]
        prompt = [rerun.prompt_tokens for rerun in self.reruns]
        for log in self.logs:
            held, prefilled = log.decode_seqs > 0, log.prefill_tokens > 0
            seqs += log.decode_seqs[held].tolist()
            context += (log.context_tokens[held] / log.decode_seqs[held]).tolist()
            prompt += log.prefill_tokens[prefilled].tolist()
        return Holds(
            seqs=_ends(seqs), context_tokens=_ends(context), prompt_tokens=_ends(prompt), rate_per_s=_ends(rates)
        )


def _ends(values: list[float]) -> tuple[float, float] | None:
    """The least and the most, short; None of nothing."""
    there = [value for value in values if math.isfinite(value)]
    return (float(f"{min(there):.3g}"), float(f"{max(there):.3g}")) if there else None


def _share(errors: list[float]) -> float:
    """Mean of some errors, short."""
    return min(float(f"{np.mean(errors):.3g}"), 1.0)


def _groups(points: list[OperatingPoint]) -> list[str]:
    """The experiment of each point: its file, or the point where all are in one."""
    files = {point.file for point in points}
    return [point.file if len(files) > 1 else point.name for point in points]
