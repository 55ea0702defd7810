"""The same algorithm as one hand-written Numba loop over plain arrays: the yardstick of the compiled calendar.

One pool, a queue per replica, least-outstanding routing by a linear scan, chunked prefill, KV memory at admission, the
jump over identical iterations. No pools, no control plane, no preemption, no utilization: what one would write for one
study and throw away.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np


@numba.njit(cache=True)
def plain_loop(
    arrival_s: Any, prompt: Any, output: Any, replicas: int, seats: int, budget0: int, kv_capacity: int, law: Any
) -> Any:
    """(start, first token, finish) of each request; `law` is (base, prefill, decode, attention) in seconds."""
    base, prefill, decode, attention = law
    n = len(arrival_s)
    start = np.full(n, np.nan)
    first = np.full(n, np.nan)
    finish = np.full(n, np.nan)
    wake = np.full(replicas, math.inf)
    boundary = np.zeros(replicas)
    step = np.zeros(replicas)
    grow = np.zeros(replicas)
    planned = np.zeros(replicas, np.int64)
    tick = np.zeros(replicas, np.int64)
    outstanding = np.zeros(replicas, np.int64)
    running = np.zeros(replicas, np.int64)
    context = np.zeros(replicas, np.int64)
    kv = np.zeros(replicas, np.int64)
    queue = np.full(n, -1, np.int64)  # next in line
    head = np.full(replicas, -1, np.int64)
    tail = np.full(replicas, -1, np.int64)
    heap_key = np.zeros((replicas, seats + 1), np.int64)
    heap_job = np.zeros((replicas, seats + 1), np.int64)
    heap = np.zeros(replicas, np.int64)
    filling = np.zeros((replicas, seats + 1), np.int64)  # jobs in prefill
    filled = np.zeros(replicas, np.int64)
    left = prompt.copy()
    offset = np.zeros(n, np.int64)
    a = 0
    while True:
        r = 0
        for i in range(1, replicas):
            if wake[i] < wake[r]:
                r = i
        arriving = a < n and arrival_s[a] < wake[r]
        if not arriving and wake[r] == math.inf:
            break
        if arriving:
            now = arrival_s[a]
            r = 0
            for i in range(1, replicas):
                if outstanding[i] < outstanding[r]:
                    r = i
            waited = head[r] != -1
            if waited:
                queue[tail[r]] = a
            else:
                head[r] = a
            tail[r] = a
            outstanding[r] += 1
            a += 1
            if planned[r] > 0:
                if planned[r] > 1 and not waited and running[r] + filled[r] < seats:
                    passed = now - boundary[r]
                    linear = step[r] - 0.5 * grow[r]
                    k = int(2.0 * passed / (linear + math.sqrt(linear * linear + 2.0 * grow[r] * passed)))
                    while k > 0 and boundary[r] + (k * step[r] + grow[r] * (0.5 * k * (k - 1))) > now:
                        k -= 1
                    while boundary[r] + ((k + 1) * step[r] + grow[r] * (0.5 * (k + 1) * k)) <= now:
                        k += 1
                    if k + 1 < planned[r]:
                        planned[r] = k + 1
                        wake[r] = boundary[r] + (planned[r] * step[r] + grow[r] * (0.5 * planned[r] * k))
                continue
        else:
            now = wake[r]
            k = planned[r]
            tick[r] += k
            context[r] += k * running[r]
            kv[r] += k * running[r]
            kept = 0
            for i in range(filled[r]):
                j = filling[r, i]
                if left[j] > 0:
                    filling[r, kept] = j
                    kept += 1
                    continue
                first[j] = now
                if output[j] == 1:
                    finish[j] = now
                    kv[r] -= prompt[j]
                    outstanding[r] -= 1
                    continue
                offset[j] = prompt[j] + 1 - tick[r]
                running[r] += 1
                context[r] += prompt[j] + 1
                kv[r] += 1
                key = tick[r] + output[j] - 1
                place = heap[r]
                heap[r] += 1
                while place > 0 and heap_key[r, (place - 1) >> 1] > key:
                    heap_key[r, place] = heap_key[r, (place - 1) >> 1]
                    heap_job[r, place] = heap_job[r, (place - 1) >> 1]
                    place = (place - 1) >> 1
                heap_key[r, place] = key
                heap_job[r, place] = j
            filled[r] = kept
            while heap[r] > 0 and heap_key[r, 0] <= tick[r]:
                j = heap_job[r, 0]
                finish[j] = now
                running[r] -= 1
                outstanding[r] -= 1
                context[r] -= offset[j] + tick[r]
                kv[r] -= offset[j] + tick[r]
                heap[r] -= 1
                size = heap[r]
                key = heap_key[r, size]
                job = heap_job[r, size]
                place = 0
                while 2 * place + 1 < size:
                    child = 2 * place + 1
                    if child + 1 < size and heap_key[r, child + 1] < heap_key[r, child]:
                        child += 1
                    if heap_key[r, child] >= key:
                        break
                    heap_key[r, place] = heap_key[r, child]
                    heap_job[r, place] = heap_job[r, child]
                    place = child
                heap_key[r, place] = key
                heap_job[r, place] = job
        boundary[r] = now
        budget = budget0 - running[r]
        tokens = 0
        if filled[r] > 0:
            j = filling[r, 0]
            chunk = min(left[j], budget)
            left[j] -= chunk
            tokens += chunk
            budget -= chunk
        while head[r] != -1 and budget > 0 and running[r] + filled[r] < seats:
            j = head[r]
            if kv[r] + prompt[j] > kv_capacity:
                break
            head[r] = queue[j]
            start[j] = now
            kv[r] += prompt[j]
            chunk = min(prompt[j], budget)
            left[j] = prompt[j] - chunk
            tokens += chunk
            budget -= chunk
            filling[r, filled[r]] = j
            filled[r] += 1
        if running[r] + filled[r] == 0:
            planned[r] = 0
            wake[r] = math.inf
            continue
        step[r] = (base + decode * running[r]) + prefill * tokens + attention * context[r]
        grow[r] = 0.0
        planned[r] = 1
        if filled[r] == 0:
            grow[r] = attention * running[r]
            planned[r] = heap_key[r, 0] - tick[r]
        wake[r] = now + (planned[r] * step[r] + grow[r] * (0.5 * planned[r] * (planned[r] - 1)))
    return start, first, finish
