"""How much of each reference case is run, and how narrow its intervals must then be.

Found by experiment: the requests after which half the 99.9 % interval of every measure is within its width, and some
more. All together about three thousand million requests.
"""

from __future__ import annotations

MILLIONS: dict[str, float] = {
    "mm1_rho0.3": 7,
    "mm1_rho0.5": 8,
    "mm1_rho0.8": 24,
    "mm1_rho0.9": 65,
    "mm1_rho0.95": 240,
    "mmc_c2_a1.8": 82,
    "mmc_c3_a2.4": 68,
    "mmc_c5_a4.0": 50,
    "mmc_c8_a7.6": 100,
    "mmc_c10_a8.0": 52,
    "mmc_c14_a10.0": 70,
    "mmc_c50_a45.0": 60,
    "mmc_c200_a190.0": 110,
    "mmcK_c1_K5_a0.8": 6,
    "mmcK_c1_K10_a1.2": 7,
    "mmcK_c2_K6_a1.5": 9,
    "mmcK_c10_K30_a9.5": 35,
    "mmcK_c16_K64_a15.0": 90,
    "erlangB_c10_a10.0 exponential": 3,
    "erlangB_c10_a10.0 constant": 1,
    "erlangB_c10_a10.0 lognormal": 1,
    "erlangB_c10_a4.461 exponential": 40,
    "erlangB_c10_a4.461 constant": 10,
    "erlangB_c10_a4.461 lognormal": 18,
    "erlangB_c200_a190.0 exponential": 100,
    "erlangB_c200_a190.0 constant": 14,
    "erlangB_c200_a190.0 lognormal": 45,
    "md1_rho0.5": 4,
    "md1_rho0.8": 18,
    "md1_rho0.9": 35,
    "mh2_1_cv2_4.0_rho0.7": 40,
    "mh2_1_cv2_10.0_rho0.8": 160,
    "mE4_1_rho0.9": 50,
    "mlogn_1_cv2_1.0_rho0.7": 20,
    "mlogn_1_cv2_4.0_rho0.6": 100,
    "mlogn_1_cv2_0.25_rho0.85": 22,
    "mu_1_0.5_1.5_rho0.8": 11,
    "mdc_c2_rho0.5": 4,
    "mdc_c2_rho0.8": 18,
    "mdc_c4_rho0.8": 20,
    "mdc_c8_rho0.9": 68,
    "mdc_c32_rho0.9": 112,
    "mg1_ps_rho0.5 exponential": 4,
    "mg1_ps_rho0.5 constant": 4,
    "mg1_ps_rho0.5 hyperexponential": 7,
    "mg1_ps_rho0.5 lognormal": 4,
    "mg1_ps_rho0.8 exponential": 20,
    "mg1_ps_rho0.8 constant": 9,
    "mg1_ps_rho0.8 hyperexponential": 30,
    "mg1_ps_rho0.8 lognormal": 16,
    "statedepPS_noK exponential": 4,
    "statedepPS_noK constant": 3,
    "statedepPS_noK lognormal": 4,
    "statedepPS_K32loss exponential": 26,
    "statedepPS_K32loss constant": 16,
    "statedepPS_K32loss lognormal": 24,
    "statedepPS_K64loss exponential": 20,
    "statedepPS_K64loss constant": 12,
    "statedepPS_K64loss lognormal": 18,
    "limitedPS_exp_B16": 80,
    "limitedPS_exp_B32": 70,
    "limitedPS_exp_B64": 75,
    "dynbatch_inf_a": 1,
    "dynbatch_inf_b": 27,
    "dynbatch_b8": 22,
    "dynbatch_b32": 2,
    "dynbatch_b1": 9,
    "gim1_RR4_rho0.8 renewal": 27,
    "gim1_RR4_rho0.8 router": 20,
    "router_random4_rho0.8": 20,
    "jsq2_rho0.5": 1,
    "jsq2_rho0.9": 45,
    "jsq3_rho0.8": 9,
    "mmpp_mm1_0.4_1.2": 85,
    "mmpp_mm10_4.0_16.0": 75,
    "mx_m1_X4": 45,
    "mt_m_c_sin_overload": 70,
    "mt_g_inf_exponential": 4,
    "mt_g_inf_deterministic": 4,
    "mmc_setup_par_c1_rho0.5_al0.2": 1.6,
    "mmc_setup_stag_c2_rho0.5_al0.5": 2,
    "mmc_setup_stag_c5_rho0.6_al0.2": 2.4,
    "mmc_setup_stag_c10_rho0.5_al0.1": 1.6,
    "mmc_setup_par_c10_rho0.5_al0.1": 1,
    "mm1_detsetup_D5.0_rho0.6": 0.5,
    "mm1_detsetup_D20.0_rho0.3": 0.14,
    "breakdown_c1_lam0.6": 14,
    "breakdown_c1_lam0.5": 5,
    "breakdown_c5_lam3.0": 3,
    "breakdown_c10_lam8.0": 17,
    "scaleout_step": 10,
    "scalein_preempt": 15,
    "scalein_graceful first to end": 1.5,
    "scalein_graceful picked": 7,
    "erlangB_c15_a8.108 exponential": 40,
    "erlangB_c15_a8.108 constant": 10,
    "erlangB_c15_a8.108 lognormal": 22,
    "erlangB_c45_a33.333 exponential": 36,
    "erlangB_c45_a33.333 constant": 18,
    "erlangB_c45_a33.333 lognormal": 39,
    "erlangB_c168_a158.333 exponential": 80,
    "erlangB_c168_a158.333 constant": 16,
    "erlangB_c168_a158.333 lognormal": 26,
    "erlangA_c1_lam0.9_th0.5": 2,
    "erlangA_c5_lam5.0_th1.0": 5,
    "erlangA_c50_lam50.0_th0.5": 60,
    "erlangA_c50_lam55.0_th2.0": 16,
    "erlangA_c100_lam95.0_th0.1": 75,
    "mt_m_c_erlangA_sin": 70,
    "mg1_np_prio2_exp": 20,
    "mg1_np_prio2_exp_diffmu": 24,
    "mg1_np_prio3_det": 18,
    "mg1_np_prio2_mixed": 32,
    "mmc_np_prio_c4": 48,
    "mmc_np_prio_c10": 110,
    "mm1_pr_prio_1.0_1.0": 8,
    "closed_N5_c1": 3,
    "closed_N10_c2": 4,
    "closed_N50_c8": 8,
    "closed_N100_c20": 16,
    "feedback_mm1": 14,
}
"""Requests simulated, in millions, by the name of the case."""

FEWEST_REPLICATIONS = 40
MOST_A_REPLICATION = 1_000_000

USUAL_WIDTH = 0.01
"""Half the interval, relative to the value, may be this wide. What follows would take ten times the requests for it."""

WIDE = {
    "Wq_p99": 0.02,
    "W_p99": 0.02,
    "Wq_p999": 0.05,
    "EWq2": 0.03,
    "EL2": 0.03,
    "P_Wq_gt_half_mean_service": 0.03,
    "P_N_ge_5": 0.03,
    "idle_share": 0.03,
}
"""The far tail, second moments and rare events."""

WIDE_WHEN_BUSY = {"Wq_p90": 0.02, "Wq_p95": 0.02, "W_p95": 0.02, "Wq_p99": 0.03, "W_p99": 0.03}
"""At a load of 90 % and more."""

_SEVERAL_SERVERS_AT_95 = {
    "Wq": 0.02,
    "Lq": 0.02,
    "P_wait": 0.02,
    "Wq_p50": 0.02,
    "Wq_p90": 0.03,
    "Wq_p95": 0.03,
    "W_p95": 0.03,
    "Wq_p99": 0.05,
    "W_p99": 0.05,
    "Wq_p999": 0.1,
    "EWq2": 0.06,
    "P_Wq_gt_half_mean_service": 0.05,
}

_SLOW = {"Wq": 0.03, "mean_busy": 0.02, "mean_in_setup": 0.02}


def _at(width: float, what: str, *times_s: float) -> dict[str, float]:
    """The same width at several times."""
    return {f"{what}_t{at_s:g}": width for at_s in times_s}


WIDE_HERE: dict[str, dict[str, float]] = {
    "mmc_c5_a4.0": {"Wq_p50": 0.05},  # just above the 45 % who do not wait at all
    "mmc_c14_a10.0": {"Wq_p90": 0.03},  # the same: 83 %
    "mmc_c8_a7.6": _SEVERAL_SERVERS_AT_95 | {"L": 0.02, "W": 0.02},
    "mmc_c50_a45.0": {"Wq": 0.02, "Lq": 0.02, "EWq2": 0.05, "P_Wq_gt_half_mean_service": 0.05},
    "mmc_c200_a190.0": _SEVERAL_SERVERS_AT_95 | {"Wq": 0.03, "Lq": 0.03, "Wq_p90": 0.05},
    "mmcK_c10_K30_a9.5": {"P_block": 0.02},
    "erlangB_c45_a33.333": {"P_block": 0.02},
    "mmcK_c16_K64_a15.0": {"P_block": 0.05},  # two in a thousand, in bursts
    "limitedPS_exp_B32": {"Wq": 0.02, "Lq": 0.02},
    "limitedPS_exp_B64": {"Wq": 0.05, "Lq": 0.05, "P_wait": 0.03},  # one in 24 waits
    "mmpp_mm10_4.0_16.0": {"Wq": 0.02, "W": 0.02, "Lq": 0.02, "L": 0.02},
    "mmc_setup_stag_c5_rho0.6_al0.2": _SLOW | {"L": 0.02, "W": 0.02},  # every arrival is a decision
    "mmc_setup_stag_c10_rho0.5_al0.1": _SLOW | {"L": 0.07, "W": 0.07, "Wq": 0.08},
    "mmc_setup_par_c10_rho0.5_al0.1": _SLOW | {"L": 0.02, "W": 0.02},
    "mm1_detsetup_D5.0_rho0.6": {"P_job_triggers_setup": 0.02},
    "mm1_detsetup_D20.0_rho0.3": {"P_job_triggers_setup": 0.02},
    "breakdown_c10_lam8.0": {"L": 0.02, "W": 0.02},
    "scaleout_step": _at(0.03, "EQ", 2.5, 5, 7.5, 10, 20) | _at(0.02, "Pdelay", 7.5, 10, 20),
    "scalein_preempt": _at(0.04, "EQ", 10, 11, 12, 15, 20, 39) | _at(0.02, "Pdelay", 10, 11, 12, 15, 20, 39),
    "scalein_graceful": _at(0.05, "EQ", 10.5, 11, 12, 15, 20) | {"EQ_t10": 0.1, "E_surplus_busy_t10": 0.05},
    "scalein_graceful first to end": {
        **_at(0.02, "EN", 10, 10.5, 11, 12, 15, 20),
        **_at(0.02, "EB", 10, 10.5, 11, 12, 15, 20),
        **_at(0.08, "EQ", 10.5, 11, 12, 15, 20),
        "EQ_t10": 0.2,
        "E_surplus_busy_t10": 0.1,
        "E_surplus_busy_t10.5": 0.3,
    },
    "scalein_graceful picked": _at(0.1, "E_surplus_busy", 10.5, 11, 12),
    "mt_m_c_sin_overload": {"EQ_t24": 0.05, "EQ_t48": 0.05, "Pdelay_t24": 0.05, "Pdelay_t48": 0.05},  # nearly empty
}

WIDE_HERE |= {
    # six in a thousand give up, in bursts
    "erlangA_c100_lam95.0_th0.1": {"Lq": 0.02, "Wq_all": 0.02, "P_abandon": 0.02},
    "mt_m_c_erlangA_sin": {
        "EQ_t7.5": 0.08,
        "EQ_t10": 0.06,
        "EQ_t20": 0.06,
        "Pdelay_t7.5": 0.06,
        "Pdelay_t10": 0.04,
        "Pdelay_t20": 0.04,
    },
}
"""Clients that give up keep most lines short."""

WIDE_VARIANTS = {"P_block": 0.02}
"""For service laws beyond the first, of which a theorem says that they change nothing."""
