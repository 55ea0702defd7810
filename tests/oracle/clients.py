"""Clients of the naive model: what they bear, when they give up, and what they do then.

A request is what a user wants, a job is one attempt at it. A client gives up an attempt when one of its limits is over:
patience (while it was never started), the first token, the gap between two tokens, the whole answer. It tries again
after a pause, sends copies while it waits (hedges), and asks the next thing of its session when a request is over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.model.specs import PoolSpec, SenderSpec
from sim.model.tables import OUTCOMES
from tests.oracle.control import Control
from tests.oracle.parts import Job, Machine

CACHE, LIMIT, HEDGE, SENDING = range(4)
"""What can be due for a job, in the order in which it happens when all is due at once."""

TICKET, LEAVING = 100, 1000
"""Where the draws of a ticket begin: tickets of further attempts, and staying away. Before: pauses, by attempt."""


def luck(ticket: float, n: int) -> float:
    """The n-th draw that belongs to a ticket, in [0, 1)."""
    scaled = ticket * (1000003.0 + 7919.0 * n)
    return scaled - math.floor(scaled)


def first_of(job: Job) -> Job:
    """The first attempt at the same request."""
    return job.first or job


class Clients(Control):
    """Those who send the jobs."""

    def __init__(self, specs: list[PoolSpec], jobs: list[Job], senders: Sequence[SenderSpec], horizon_s: float) -> None:
        super().__init__(specs)
        self.jobs = list(jobs)
        for row, job in enumerate(self.jobs):
            job.row = row
            job.drawn = (job.service_s, job.cached)
        self.senders = senders
        self.horizon_s = horizon_s
        self.credit = [sender.most_credit for sender in senders]
        self.in_flight = [0 for _ in senders]
        self.held: list[list[Job]] = [[] for _ in senders]
        self.released: list[Job] = []
        self.open_jobs: list[Job] = []
        """Jobs for which something may be due."""
        self.now_s = 0.0
        self.looks: list[tuple[Machine | None, int]] = []
        """Replicas, and pools, where somebody has left, so that others may come in."""

    # -- sending ----------------------------------------------------------------------------------------------------

    def sends(self, job: Job, now_s: float) -> None:
        """Its client sends a request, or holds it back."""
        job.arrival_s = now_s
        job.due_s = math.inf
        if job not in job.rivals:
            job.rivals.append(job)
        most = self.senders[job.stream].max_in_flight
        if most is not None and self.in_flight[job.stream] >= most:
            self.held[job.stream].append(job)
            return
        self.in_flight[job.stream] += 1
        self.asks(job, now_s)

    def release(self, now_s: float) -> None:
        """Those whose clients held them back and have heard."""
        while self.released:
            self.asks(self.released.pop(0), now_s)

    def asks(self, job: Job, now_s: float) -> None:
        job.arrival_s = now_s
        job.asked = True
        sender = self.senders[job.stream]
        if job.first is None:
            self.credit[job.stream] = min(self.credit[job.stream] + sender.budget, sender.most_credit)
        if self.bears_less(job):
            self.open_jobs.append(job)
        self.arrive(job, now_s)

    def another(self, job: Job, attempt: int, copy: int = 0) -> Job:
        """One more attempt at the same request."""
        first = first_of(job)
        new = Job(
            arrival_s=math.nan,
            prompt=first.prompt,
            cached=first.drawn[1],
            output=first.output,
            service_s=first.drawn[0],
            drawn=first.drawn,
            ticket=luck(first.ticket, TICKET + attempt + 50 * copy),
            pool=first.pool,
            stream=first.stream,
            prefix=first.prefix,
            sizes=first.sizes,
            answer=first.answer,
            answer_tokens=first.answer_tokens,
            patience_s=first.patience_s,
            first_token_timeout_s=first.first_token_timeout_s,
            token_timeout_s=first.token_timeout_s,
            total_timeout_s=first.total_timeout_s,
            first=first,
            attempt=attempt,
            copy=copy,
            backoff_s=job.backoff_s,
            row=len(self.jobs),
        )
        self.jobs.append(new)
        return new

    def bears_less(self, job: Job) -> bool:
        """Whether its client may do something while it is under way."""
        limits = (job.patience_s, job.first_token_timeout_s, job.token_timeout_s, job.total_timeout_s)
        return min(limits) < math.inf or self.senders[job.stream].hedges > 0

    # -- what is due ------------------------------------------------------------------------------------------------

    def due(self, job: Job) -> tuple[float, int, int]:
        """What is due next for a job: when, its row, what."""
        limit_s = min((at_s for at_s, _ in self.limits(job)), default=math.inf)
        sends_s = min(job.due_s, job.retry_s)
        whens = {LIMIT: limit_s, HEDGE: self.hedge_s(job), SENDING: sends_s}
        return min((at_s, job.row, what) for what, at_s in whens.items())

    def limits(self, job: Job) -> list[tuple[float, str]]:
        """When its client gives up, if nothing changes by then, and as what."""
        if job.beaten and job.outcome == "unfinished":
            return [(job.beaten_s, "abandoned")]
        if not job.asked or job.outcome != "unfinished":
            return []
        found = [(job.arrival_s + job.total_timeout_s, "timed_out")]
        if math.isnan(job.start_s):
            found.append((job.arrival_s + job.patience_s, "abandoned"))
        first_s = job.arrival_s + job.first_token_timeout_s
        if not job.answering and not job.first_token_s <= first_s:
            found.append((first_s, "timed_out"))
        if not math.isnan(job.token_s):
            found.append((job.token_s + job.token_timeout_s, "timed_out"))
        return found

    def hedge_s(self, job: Job) -> float:
        """When its next copy is sent."""
        sender = self.senders[job.stream]
        if not job.asked or job.outcome != "unfinished" or job.copy or job.beaten or job.hedged >= sender.hedges:
            return math.inf
        at_s = job.arrival_s + sender.hedge_s * (job.hedged + 1)
        return math.inf if job.answering or job.first_token_s <= at_s else at_s

    def happens(self, job: Job, what: int, now_s: float) -> None:
        """What is due for the job."""
        if what == SENDING and job.retry_s < math.inf:
            job.retry_s = math.inf
            self.open_jobs.remove(job)
            self.sends(self.another(job, job.attempt + 1), now_s)
        elif what == SENDING:
            self.open_jobs.remove(job)
            self.sends(job, now_s)
        elif what == HEDGE:
            job.hedged += 1
            new = self.another(job, job.attempt, job.hedged)
            new.rivals = job.rivals
            new.unheard_s = job.unheard_s
            self.sends(new, now_s)
        else:
            _, outcome = min(self.limits(job))
            self.gives_up(job, outcome, now_s)
            self.look_around(now_s)

    # -- giving up --------------------------------------------------------------------------------------------------

    def gives_up(self, job: Job, outcome: str, now_s: float) -> None:
        job.finish_s = now_s
        if job.first_token_s > now_s:
            job.first_token_s = math.nan
        if job.asked:
            self.leaves(job, now_s)
        self.ended(job, outcome)

    def leaves(self, job: Job, now_s: float) -> None:
        """Its client has gone: it leaves a line or a slot at once, a batch or a link later."""
        pool = self.pool_of(job)
        if any(entry[2] is job for entry in self.on_links):
            job.given_up = True
            return
        if job in self.central[pool]:
            self.central[pool].remove(job)
            self.goes(pool, now_s)
            self.looks.append((None, pool))
            return
        machine = self.machines[job.replica]
        assert machine is not None
        if job in machine.waiting:
            machine.waiting.remove(job)
            if job.been_in:
                job.left_s = now_s
            self.goes(pool, now_s)
            self.looks.append((machine, pool))
            return
        assert job in machine.batch
        if machine.spec.batching or not machine.spec.cancels:
            job.given_up = True
            return
        machine.account(now_s)
        machine.batch.remove(job)
        job.left_s = now_s
        self.goes(pool, now_s)
        self.looks.append((machine, pool))

    def look_around(self, now_s: float, at: Machine | None = None) -> None:
        """Who can come in where others have left; `at` sees to itself."""
        looks, self.looks = self.looks, []
        for machine, pool in looks:
            spec = self.specs[pool]
            if machine is not None and machine is not at:
                if not machine.spec.batching:
                    line = self.central[pool] if spec.central and machine.ready else []
                    self.fill(machine, line, now_s)
                elif machine.ends_s == math.inf and machine.waiting:
                    self.plan(machine, now_s)
                self.noted |= not machine.ready and machine.empty()
            if spec.central and spec.batching:
                self.dispatch(None, pool, now_s)

    def for_nothing(self, job: Job, machine: Machine, now_s: float) -> None:
        job.left_s = now_s
        self.goes(machine.pool, now_s)

    # -- what follows -----------------------------------------------------------------------------------------------

    def ended(self, job: Job, outcome: str) -> None:
        """An attempt is over: its client may send what it held back, tries again, or asks the next thing."""
        if outcome == "completed":
            outcome = self.in_time(job)
        job.outcome = outcome
        heard_s = self.now_s if math.isnan(job.finish_s) else job.finish_s
        self.makes_way(job)
        if not job.beaten:
            job.rivals.remove(job)
        heard_s = max(heard_s, job.unheard_s) if outcome != "completed" else heard_s
        for rival in job.rivals:
            rival.unheard_s = max(rival.unheard_s, heard_s)
        if outcome == "completed":
            self.beats_others(job, self.now_s)
            self.over(first_of(job), heard_s, answered=True)
        elif not job.rivals and not job.beaten and not self.tries_again(job, heard_s):
            self.over(first_of(job), heard_s, answered=False)

    def in_time(self, job: Job) -> str:
        """An answer that its client has too late is none: it has given up meanwhile."""
        if job.beaten:
            job.finish_s = job.left_s = self.now_s
            job.first_token_s = math.nan if job.first_token_s > self.now_s else job.first_token_s
            return "abandoned"
        late = []
        first_s = job.arrival_s + job.first_token_timeout_s
        if job.first_token_s > first_s and not job.answering:
            late.append(first_s)
        if job.finish_s > job.arrival_s + job.total_timeout_s:
            late.append(job.arrival_s + job.total_timeout_s)
        if not late:
            return "completed"
        job.left_s = self.now_s
        job.finish_s = min(late)
        if job.first_token_s > job.finish_s:
            job.first_token_s = math.nan
        return "timed_out"

    def makes_way(self, job: Job) -> None:
        """For what its client held back."""
        line = self.held[job.stream]
        if job in self.open_jobs:
            self.open_jobs.remove(job)
        if not job.asked:
            line.remove(job)
            return
        if line:
            self.released.append(line.pop(0))
        else:
            self.in_flight[job.stream] -= 1

    def first_token(self, job: Job, machine: Machine) -> None:
        super().first_token(job, machine)
        if machine.spec.batching:
            self.beats_others(job, self.now_s)

    def beats_others(self, job: Job, now_s: float) -> None:
        """The other attempts at the same request are not needed any more: they are given up when their turn comes."""
        if job.beaten:
            return
        for rival in [rival for rival in job.rivals if rival is not job]:
            rival.beaten, rival.beaten_s = True, now_s
            job.rivals.remove(rival)
            if rival not in self.open_jobs:
                self.open_jobs.append(rival)

    def tries_again(self, job: Job, heard_s: float) -> bool:
        sender = self.senders[job.stream]
        if OUTCOMES.index(job.outcome) not in sender.retries or job.attempt >= sender.attempts:
            return False
        if sender.budget < math.inf:
            if self.credit[job.stream] < 1:
                return False
            self.credit[job.stream] -= 1
        job.backoff_s = self.pause_s(job, sender)
        job.retry_s = heard_s + job.backoff_s
        self.open_jobs.append(job)
        return True

    def pause_s(self, job: Job, sender: SenderSpec) -> float:
        """Before the attempt after this one."""
        base_s, cap_s = sender.backoff_s, sender.longest_backoff_s
        drawn = luck(job.ticket, job.attempt)
        if sender.jitter == "decorrelated":
            last_s = job.backoff_s if job.attempt > 1 else base_s
            return min(cap_s, base_s + drawn * (3 * last_s - base_s))
        whole_s = min(cap_s, base_s * 2.0 ** (job.attempt - 1)) if sender.exponential else base_s
        if sender.jitter == "full":
            return drawn * whole_s
        if sender.jitter == "equal":
            return whole_s / 2 + drawn * whole_s / 2
        return whole_s

    def over(self, first: Job, over_s: float, answered: bool) -> None:
        """A request is over, and those that wait for it may be next."""
        sender = self.senders[first.stream]
        if not answered and not sender.persists:
            return
        away_s = 0.0
        slow = not answered or over_s - first.arrival_s > sender.slow_s
        if slow and luck(first.ticket, LEAVING) < sender.leaves:
            away_s = sender.away_s
        for job in first.then:
            job.waits -= 1
            due_s = over_s + job.pause_s + away_s
            if job.waits == 0 and due_s < self.horizon_s:
                job.due_s = due_s
                self.open_jobs.append(job)
