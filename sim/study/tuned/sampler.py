"""Where to look next: a Tree-structured Parzen estimator over the parameters, and hand-made points to begin with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sim.study.tuned.space import Parameter, Value

STARTUP = 18
"""Points before the estimator has a say: those made by hand, and some at random."""
TOWARDS = (0.25, 0.5, 0.75, -0.5)
"""Hand-made points: all parameters moved so far towards what is usually cheaper."""
ALONE = 0.5
"""And each of them alone."""
_WORST = 10.0
"""Told of a point that cannot be run."""


@contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna, without its log and its warnings of what is new."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


class Sampler:
    """Proposes points in batches; the same for the same seed and the same answers."""

    def __init__(self, space: Sequence[Parameter], seed: int) -> None:
        self.space = tuple(space)
        with _quiet() as optuna:
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32, multivariate=True, constant_liar=True, n_startup_trials=STARTUP
            )
            self._study = optuna.create_study(sampler=sampler)
            self._ranges = {each.key: _range(each, optuna.distributions) for each in self.space}
            if self.starts_untouched:
                self._study.enqueue_trial(
                    {each.key: _held(each, each.own) for each in self.space if each.own is not None}
                )
            for point in hand_made(self.space):
                self._study.enqueue_trial(point)

    @property
    def starts_untouched(self) -> bool:
        """Whether the first point is the scenario as it is."""
        return all(each.own is not None for each in self.space)

    def ask(self, number: int) -> list[tuple[Any, dict[str, str]]]:
        """So many points: what to call each when it is told, and its values as they would stand in the file."""
        with _quiet():
            trials = [self._study.ask(self._ranges) for _ in range(number)]
        return [(one, self._texts(one.params)) for one in trials]

    def _texts(self, values: Mapping[str, Value]) -> dict[str, str]:
        return {each.key: each.text(values[each.key]) for each in self.space if each.says(values[each.key])}

    def tell(self, trial: Any, value: float | None, missed: float) -> None:
        """What a point came to; no value: it cannot be run."""
        with _quiet():
            trial.set_constraint("slo", 1.0 if value is None else missed)
            self._study.tell(trial, _WORST if value is None else min(value, _WORST))

    def importance(self, penalty: float = 2.0) -> dict[str, float]:
        """How much each parameter decides whether a point is among the best tenth, all together 1.

        By PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023), of the value plus a penalty for what is missed.
        """

        def score(trial: Any) -> float:
            missed = max((0.0, *trial.constraints.values()))
            return float(trial.value + penalty * min(missed * 10, 1.0))

        with _quiet():
            import optuna.importance as of

            if len({score(trial) for trial in self._study.trials if trial.value is not None}) < 2:
                return {}
            judge = of.PedAnovaImportanceEvaluator()
            found: dict[str, float] = of.get_param_importances(self._study, evaluator=judge, target=score)
        total = sum(found.values())
        # Optuna's own order, of equal ones, is another in every process
        ranked = sorted(self._ranges, key=lambda key: -found.get(key, 0.0))
        return {key: found[key] / total if total > 0 else found[key] for key in ranked if key in found}


def hand_made(space: Sequence[Parameter]) -> list[dict[str, Value]]:
    """Points on the way to what is usually cheaper, one on the other side, and each parameter moved alone."""
    points = [{each.key: each.moved(share) for each in space} for share in TOWARDS]
    points += [{each.key: each.moved(ALONE)} for each in space if each.cheaper]
    moved = [{key: value for key, value in point.items() if value is not None} for point in points]
    whole = {each.key: each for each in space}
    return [
        {key: _held(whole[key], value) for key, value in point.items()}
        | {each.key: _held(each, each.own) for each in space if each.key not in point and each.own is not None}
        for point in moved
        if point
    ]


def _held(parameter: Parameter, value: Value) -> Value:
    """A value as the sampler's ranges have it."""
    if isinstance(value, str):
        return value
    inside = min(max(value, parameter.low), parameter.high)
    return round(inside) if parameter.whole else inside


def _range(parameter: Parameter, of: Any) -> Any:
    """A parameter in Optuna's terms."""
    if parameter.choices:
        return of.CategoricalDistribution(parameter.choices)
    if parameter.whole:
        return of.IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return of.FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)
