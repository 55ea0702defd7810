"""Queues with an exact answer: replicated runs must agree, by the rule of replications.py.

A quick sample runs always; all of them run as slow tests (`make validate`), and then together: over all cases the
standardised differences must look standard normal, which finds a bias too small for any single case, and intervals that
are too wide as well. The reference values lie beside the checkout or the tests skip.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scipy import stats

from tests.validation import (
    batching_cases,
    cases,
    changing_cases,
    closed_cases,
    impatient_cases,
    priority_cases,
    queue_cases,
)
from tests.validation.reference import ABSENT, vectors
from tests.validation.replications import Case, Verdict, judge, workers

BUILDERS = (
    queue_cases.BUILDERS
    | batching_cases.BUILDERS
    | changing_cases.BUILDERS
    | impatient_cases.BUILDERS
    | closed_cases.BUILDERS
    | priority_cases.BUILDERS
)


def cases_of(vector: cases.Vector) -> list[Case]:
    return cases.cases_of(vector, BUILDERS)


CASES = {case.name: case for vector in vectors() for case in cases_of(vector)}

QUICK = [
    "mm1_rho0.3",
    "mmcK_c1_K5_a0.8",
    "erlangB_c10_a10.0 constant",
    "md1_rho0.5",
    "mdc_c2_rho0.5",
    "jsq2_rho0.5",
    "dynbatch_inf_a",
    "statedepPS_noK exponential",
    "mt_g_inf_exponential",
    "mm1_detsetup_D20.0_rho0.3",
    "erlangA_c1_lam0.9_th0.5",
    "closed_N5_c1",
    "feedback_mm1",
    "mm1_pr_prio_1.0_1.0",
]
"""In every run of the suite; the others are slow."""

NOT_EXPRESSED = {
    **dict.fromkeys(
        ["mm1_srpt_sjf_rho0.5", "mm1_srpt_sjf_rho0.8", "mm1_srpt_sjf_rho0.9"],
        "lines do not go by size",
    ),
    **dict.fromkeys(
        ["batchformer_lam5.0_B8_T1.0", "batchformer_lam20.0_B8_T0.5"],
        "a replica does not wait to fill its batch",
    ),
    **dict.fromkeys(
        ["mm_bulk1b_lam3.0_b4", "mm_bulk1b_lam6.0_b8"],
        "the time of an iteration follows from the batch, it is not drawn",
    ),
    "forkjoin2_rho0.9": "a request goes to one replica",
}
EXACT_ELSEWHERE = {"fluid_DD1": "one trace without chance: tests/validation/test_sample_paths.py"}

NOT_MEASURED = {
    ("mm1_", "avar_L_timeavg"): "says how long to run",
    ("mmc_c200_", "P_Wq_gt_half_mean_service"): "two in a thousand, in bursts",
    ("mlogn_1_cv2_4.0_", "EWq2"): "its error has the fourth moment of the service in it, which is 4096",
    ("statedepPS_", "P0"): "an engine this busy is idle less than once in a thousand replications",
    ("limitedPS_", "P0"): "the same",
    ("dynbatch_b32", "P_idle"): "the same",
    ("dynbatch_b32", "utilization"): "the same, seen from the other side",
    ("dynbatch_b1", "mean_batch"): "of batches of one",
    ("breakdown_", "effective_load"): "of the parameters",
    ("scalein_graceful", "E_surplus_busy_t11"): "one in a thousand",
}
"""Expected values that no run here is held against, by the start of the case's name. A zero is none: that nobody is
rejected without a limit is an invariant, and that most do not wait is said by P_wait."""
OTHERWISE = {
    "availability": "mean_up",
    "W_total": "W",
    "var_L": "EL2",
    "var_Wq": "EWq2",
    "utilization_of_peak": "tokens_per_s",
}
"""Expected values that are measured as something from which they follow."""


class Proof:
    """Verdicts, computed once a session."""

    def __init__(self) -> None:
        self._workers = workers()
        self._pool = self._workers.__enter__()
        self._verdicts: dict[str, list[Verdict]] = {}

    def of(self, case: Case) -> list[Verdict]:
        if case.name not in self._verdicts:
            self._verdicts[case.name] = judge(case, self._pool)
        return self._verdicts[case.name]

    def close(self) -> None:
        self._workers.__exit__(None, None, None)


@pytest.fixture(scope="session")
def proof() -> Iterator[Proof]:
    made = Proof()
    yield made
    made.close()


def test_every_reference_case_is_in_exactly_one_table() -> None:
    ids = {vector["id"]: cases_of(vector) for vector in vectors()}
    if not ids:
        pytest.skip(ABSENT)
    expressed = {name for name, cases in ids.items() if cases}
    assert len(ids) == len(expressed) + len(NOT_EXPRESSED) + len(EXACT_ELSEWHERE)
    assert set(ids) == expressed | set(NOT_EXPRESSED) | set(EXACT_ELSEWHERE)
    assert len(expressed) >= 60
    assert set(QUICK) < set(CASES)


def test_every_expected_value_is_measured_or_known_not_to_be() -> None:
    left_out = set()
    for vector in vectors():
        cases = cases_of(vector)
        names = {name for case in cases for name in case.exact}
        values = {0, *(value for case in cases for value in case.exact.values())}
        for key, value in vector["expected"].items() if cases else ():
            if value not in values and OTHERWISE.get(key) not in names:
                left_out |= {name for name in NOT_MEASURED if vector["id"].startswith(name[0]) and key == name[1]} or {
                    (vector["id"], key)
                }
    assert left_out == (set(NOT_MEASURED) if CASES else set())


def agrees(case: Case, proof: Proof) -> None:
    """The rule, for every measure of a case; `pytest -rP` shows what was found."""
    verdicts = proof.of(case)
    print(*verdicts, sep="\n")
    assert len(verdicts) == len(case.exact) > 0
    assert case.replications >= 20
    wrong = [str(verdict) for verdict in verdicts if not verdict.agrees]
    blunt = [str(verdict) for verdict in verdicts if not verdict.is_sharp]
    assert not wrong, "outside the 99.9 % interval:\n" + "\n".join(wrong)
    assert not blunt, "interval too wide to say anything:\n" + "\n".join(blunt)


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_sample(name: str, proof: Proof) -> None:
    if not CASES:
        pytest.skip(ABSENT)
    agrees(CASES[name], proof)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in QUICK])
def test_exact_answer(name: str, proof: Proof) -> None:
    agrees(CASES[name], proof)


@pytest.mark.slow
def test_all_differences_together_look_like_chance(proof: Proof) -> None:
    """One number a case, for those of one case hang together: each case has its own random numbers."""
    if not CASES:
        pytest.skip(ABSENT)
    z = [proof.of(case)[0].z for case in CASES.values()]
    assert len(z) >= 60
    p = stats.kstest(z, "norm").pvalue
    print(f"Kolmogorov-Smirnov over {len(z)} cases: p = {p:.3g}")
    assert p > 1e-3, f"the {len(z)} standardised differences are not standard normal: p = {p:.2g}, {sorted(z)}"
