"""What queueing theory says without a run: what a simulation must agree with, and a screen before there is one.

Owns the formulas, and knows nothing of scenarios. Exact where it says so; `approximations`, `fluid` and `staffing` are
for bracketing, and their docstrings tell how far off they are.
"""

from __future__ import annotations

from sim.theory.approximations import Waits, allen_cunneen, batch_arrivals_one_server, cosmetatos, kingman
from sim.theory.batching import batching, iteration_chain
from sim.theory.chains import BirthDeath, ErlangA, closed, erlang_a, mmck
from sim.theory.dispersion import dispersion_of_batches, dispersion_of_drift, dispersion_of_states, merged
from sim.theory.fluid import Backlog, backlog
from sim.theory.modulated import ModulatedLine
from sim.theory.queues import GIM1, MG1, MMc, erlang_b, erlang_c, erlang_gaps
from sim.theory.staffing import halfin_whitt_beta, least_servers, square_root_servers

__all__ = [
    "GIM1",
    "MG1",
    "Backlog",
    "BirthDeath",
    "ErlangA",
    "MMc",
    "ModulatedLine",
    "Waits",
    "allen_cunneen",
    "backlog",
    "batch_arrivals_one_server",
    "batching",
    "closed",
    "cosmetatos",
    "dispersion_of_batches",
    "dispersion_of_drift",
    "dispersion_of_states",
    "erlang_a",
    "erlang_b",
    "erlang_c",
    "erlang_gaps",
    "halfin_whitt_beta",
    "iteration_chain",
    "kingman",
    "least_servers",
    "merged",
    "mmck",
    "square_root_servers",
]
