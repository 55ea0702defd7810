"""What is wrong with measurements, told before anything is fitted to them: each trap as a sentence, or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from sim.config import catalogue
from sim.hardware import IterationLaw
from sim.study.fidelity.called import gpu_called, model_called
from sim.study.fidelity.measured import OperatingPoint
from sim.study.fidelity.setting import Setting

HALVED = (0.35, 0.65)
"""Inter-token latency over (E2E - TTFT) / (output - 1) at which a tool counts two chunks a token."""
OFF = (0.8, 1.25)
CAPPED_SHARE = 0.95
"""A client that manages less of the rate that was asked for is held back."""
CHANCE = 2.0
"""So many standard deviations less may be chance: n Poisson arrivals take their time give or take 1/sqrt(n) of it."""
COLD_TAIL = 3.0
"""p99 over mean of the times to first token, at light load, beyond which a cold start is in them."""
COLD_REQUESTS = 30
"""Fewer requests have no tail to speak of."""
WARM_SHARE = 0.4
"""Times to first token that grow with this share of the prefill's time, or less: prompts were cached."""


def all_said(points: Sequence[OperatingPoint], setting: Setting, law: IterationLaw) -> list[str]:
    """Everything that is odd about the points, before any is simulated."""
    found = _once([chunked(point) for point in points]) + _once([held_back(point) for point in points])
    light = lightest(points)
    if light is not None:
        found.append(cold(light))
    if not setting.cached_share:
        unsaid = [point for point in points if not point.cached_share]
        warm = [said for point in unsaid if (said := warm_rows(point, law) or warm_level(point, law))]
        found += _once(warm) or list(warm_points(unsaid, law))
    found += _contradictions(points, setting)
    failed = sum(point.failed for point in points)
    if failed:
        many = "1 request failed: it" if failed == 1 else f"{failed} requests failed: they"
        found.append(f"{many} loaded the engine, and {'is' if failed == 1 else 'are'} left out")
    return [said for said in found if said]


def _contradictions(points: Sequence[OperatingPoint], setting: Setting) -> Iterator[str]:
    """Files that disagree with each other, or with what was named."""
    models = sorted({point.model for point in points if point.model})
    if len(models) > 1:
        yield f"the files measure different models: {', '.join(models)}"
    else:
        for told in models:
            called = model_called(told)
            if called is not None and called[0] != setting.model.name and setting.model.name in _model_names():
                yield f"the files say model '{told}'{_here(told, called[0])}; {setting.model.name} was named"
    for told in sorted({point.gpu for point in points if point.gpu}):
        gpu = gpu_called(told)
        if gpu is not None and gpu != setting.gpu.name and setting.gpu.name in catalogue.names(catalogue.GPUS):
            yield f"the files say GPU '{told}'{_here(told, gpu)}; {setting.gpu.name} was named"
    splits = sorted({point.gpus_per_replica for point in points if point.gpus_per_replica})
    if splits and splits != [setting.gpus_per_replica]:
        gpus = setting.gpus_per_replica
        yield f"the files say {splits[0]} GPUs a replica; {gpus} {'was' if gpus == 1 else 'were'} named"


def _here(told: str, called: str) -> str:
    return "" if told == called else f", which is {called} here"


def _model_names() -> tuple[str, ...]:
    return catalogue.names(catalogue.MODELS)


def _once(said: list[str]) -> list[str]:
    """The first of like sentences, and how many more there are."""
    there = [one for one in said if one]
    more = f" (so at {len(there) - 1} more points)" if len(there) > 1 else ""
    return [there[0] + more] if there else []


def assumed(points: Sequence[OperatingPoint]) -> list[str]:
    """What is taken for granted because the files do not say it."""
    return [*_even(points), *_alike(points)]


def _even(points: Sequence[OperatingPoint]) -> Iterator[str]:
    if any(point.rate_per_s is not None and not point.gaps_known and point.rows is None for point in points):
        yield "requests are taken to be sent evenly spaced: the files do not say whether they were"


def _alike(points: Sequence[OperatingPoint]) -> list[str]:
    bare = [p for p in points if p.rows is None and p.prompt_law is None and p.output_law is None]
    if not bare:
        return []
    which = "the files do" if len(bare) == len(points) else f"{bare[0].name} (and {len(bare) - 1} more) does"
    return [f"prompts and answers are taken to be of one length each: {which} not say how they spread"]


def lightest(points: Sequence[OperatingPoint]) -> OperatingPoint | None:
    """The point of the lowest rate, if any tells its rate."""
    known = [point for point in points if point.rate_per_s is not None]
    return min(known, key=lambda point: point.rate_per_s or 0.0, default=None)


def chunked(point: OperatingPoint) -> str:
    """Token latencies that are those of stream chunks."""
    derived, gap = point.derived_tpot_s, point.itl.mean
    reference, said = (derived, "(E2E - TTFT) / (output - 1)") if derived else (point.tpot.mean, "TPOT")
    if derived and point.tpot.mean and HALVED[0] <= point.tpot.mean / derived <= HALVED[1]:
        return (
            f"{point.name}: TPOT ({point.tpot.mean * 1e3:.2f} ms) is half of {said} ({derived * 1e3:.2f} ms): the tool "
            "counts two stream chunks a token; it is not used"
        )
    if not reference or not gap:
        return ""
    ratio = gap / reference
    if HALVED[0] <= ratio <= HALVED[1]:
        return (
            f"{point.name}: the inter-token latency ({gap * 1e3:.2f} ms) is half of {said} ({reference * 1e3:.2f} ms): "
            "the tool counts two stream chunks a token; it is not used"
        )
    if not OFF[0] <= ratio <= OFF[1]:
        return (
            f"{point.name}: the inter-token latency ({gap * 1e3:.2f} ms) is {ratio:.2f} times {said}: chunks are not "
            "tokens here; it is not used"
        )
    return ""


def held_back(point: OperatingPoint) -> str:
    """A client that sent less than it was to, by a cap that is not known."""
    if point.max_in_flight is not None or point.rate_per_s is None or point.sent_per_s is None:
        return ""
    short = 1.0 - point.sent_per_s / point.rate_per_s
    if short <= max(1.0 - CAPPED_SHARE, CHANCE / math.sqrt(max(point.requests, 1))):
        return ""
    rate = min(point.sent_per_s, point.achieved_per_s or point.sent_per_s)
    about = f" (about {rate * point.e2e.mean:.0f} by Little's law)" if point.e2e.mean else ""
    return (
        f"{point.name}: the client sent {point.sent_per_s:.4g}/s of the {point.rate_per_s:g}/s asked for, so a cap on "
        f"requests in flight{about} decided the result; give it as --max-in-flight N; not used"
    )


def is_cold(point: OperatingPoint) -> bool:
    """Whether the tail of the times to first token is that of a cold start."""
    ttft = point.ttft
    return (
        ttft.mean is not None
        and ttft.p99 is not None
        and point.requests >= COLD_REQUESTS
        and ttft.p99 > COLD_TAIL * ttft.mean
    )


def cold(point: OperatingPoint) -> str:
    """A cold start in the lightest load."""
    if not is_cold(point):
        return ""
    assert point.ttft.p99 is not None
    assert point.ttft.mean is not None
    instead = "its median says more" if point.ttft.p50 is not None else "and it has no median, which would say more"
    return (
        f"{point.name}: p99 of TTFT ({point.ttft.p99 * 1e3:.0f} ms) is {point.ttft.p99 / point.ttft.mean:.1f} times "
        f"the mean at light load: a cold start is in it; {instead}"
    )


def warm_rows(point: OperatingPoint, law: IterationLaw) -> str:
    """Requests of one run whose TTFT does not grow with their prompts."""
    rows = point.rows
    if rows is None or rows.ttft_s is None:
        return ""
    there = np.isfinite(rows.ttft_s)
    prompt, ttft = rows.prompt_tokens[there], rows.ttft_s[there]
    if len(prompt) < COLD_REQUESTS or prompt.std() < 0.2 * prompt.mean() or prompt.mean() < 100:
        return ""
    slope = float(np.cov(prompt, ttft)[0, 1] / prompt.var(ddof=1))
    low, high = np.quantile(prompt, [0.1, 0.9])
    return _warm(point.name, slope, (prefill_s(law, high) - prefill_s(law, low)) / max(high - low, 1.0))


def warm_points(points: Sequence[OperatingPoint], law: IterationLaw) -> Iterator[str]:
    """Light loads whose TTFT does not grow with the prompt length."""
    known = sorted((p for p in points if p.ttft.mean is not None), key=lambda p: p.prompt_tokens)
    if len(known) < 2 or known[-1].prompt_tokens < 2.0 * max(known[0].prompt_tokens, 1.0):
        return
    least, most = known[0], known[-1]
    assert least.ttft.mean is not None
    assert most.ttft.mean is not None
    tokens = most.prompt_tokens - least.prompt_tokens
    expected = (prefill_s(law, most.prompt_tokens) - prefill_s(law, least.prompt_tokens)) / tokens
    if expected * tokens < 0.25 * least.ttft.mean:
        return  # too little to see
    said = _warm(f"{least.name}, {most.name}", (most.ttft.mean - least.ttft.mean) / tokens, expected)
    if said:
        yield said


def warm_level(point: OperatingPoint, law: IterationLaw) -> str:
    """A TTFT below what the prompt's prefill alone takes."""
    if point.ttft.mean is None:
        return ""
    alone_s = prefill_s(law, point.prompt_tokens)
    if point.ttft.mean > 0.7 * alone_s:
        return ""
    return (
        f"{point.name}: TTFT ({point.ttft.mean * 1e3:.1f} ms) is below the prefill of {point.prompt_tokens:.0f} tokens "
        f"({alone_s * 1e3:.1f} ms): the prompts seem to come from a warm prefix cache; say --cached-share"
    )


def prefill_s(law: IterationLaw, tokens: float) -> float:
    """Seconds of one prompt's prefill alone."""
    chunk = max(len(law.tokens_s) - 1, 1)
    left, before, seconds = round(tokens), 0, 0.0
    while left > 0:
        now = min(left, chunk)
        seconds += law.iteration_s(now, 0, 0.0, now * (2.0 * before + now))
        left, before = left - now, before + now
    return seconds


def _warm(name: str, slope: float, expected: float) -> str:
    if slope >= WARM_SHARE * expected:
        return ""
    return (
        f"{name}: TTFT grows by {slope * 1e6:.1f} us a prompt token where prefill takes {expected * 1e6:.1f}: the "
        "prompts seem to come from a warm prefix cache; say --cached-share"
    )
