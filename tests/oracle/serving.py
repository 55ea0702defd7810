"""How one replica of the naive model serves: slots, or a batch iteration by iteration."""

from __future__ import annotations

import math

from sim.model.specs import PoolSpec
from tests.oracle.parts import Job, Machine, blocks


def admitting(spec: PoolSpec) -> int:
    """Blocks that admission may fill."""
    whole = spec.kv_capacity_tokens // spec.block_tokens
    return whole - int(spec.watermark_share * whole)


class Serving:
    """What a replica does by itself; what it tells others of is up to them."""

    def ended(self, job: Job, outcome: str) -> None:
        """The request has its outcome."""
        raise NotImplementedError

    def send(self, job: Job, machine: Machine, now_s: float) -> None:
        """Its prefill is done, and it decodes in another pool."""
        raise NotImplementedError

    def first_token(self, job: Job, machine: Machine) -> None:
        """Its first token is out."""
        raise NotImplementedError

    def answered(self, job: Job, machine: Machine, now_s: float) -> None:
        """Its last token is out."""
        raise NotImplementedError

    def for_nothing(self, job: Job, machine: Machine, now_s: float) -> None:
        """It leaves, and its client had given it up."""
        raise NotImplementedError

    # -- slots ------------------------------------------------------------------------------------------------------

    def serve(self, machine: Machine, job: Job, now_s: float) -> None:
        machine.account(now_s)
        if math.isnan(job.start_s):
            job.start_s = now_s
        job.replica = machine.row
        job.ends_s = now_s + job.service_s
        job.first_token_s = job.ends_s + machine.spec.overhead_s
        machine.batch.append(job)

    def end_services(self, machine: Machine, now_s: float) -> None:
        machine.account(now_s)
        for job in sorted(machine.batch, key=lambda job: (job.ends_s, job.row)):
            if job.ends_s <= now_s:
                machine.batch.remove(job)
                if job.given_up:
                    self.for_nothing(job, machine, now_s)
                    continue
                job.finish_s = now_s + machine.spec.overhead_s
                self.ended(job, "completed")
                if job.outcome == "completed":
                    self.first_token(job, machine)
                self.answered(job, machine, now_s)

    def fill(self, machine: Machine, line: list[Job], now_s: float) -> None:
        """Free slots take who waits here, then who waits in the pool's line."""
        while len(machine.batch) < machine.spec.seats and (machine.waiting or line):
            self.serve(machine, machine.waiting.pop(0) if machine.waiting else line.pop(0), now_s)

    # -- batching ---------------------------------------------------------------------------------------------------

    def end_iteration(self, machine: Machine, now_s: float) -> None:
        spec = machine.spec
        client_s = now_s + spec.overhead_s
        made = math.floor(spec.tokens_per_step * machine.iteration)
        machine.iteration += 1
        made = math.floor(spec.tokens_per_step * machine.iteration) - made
        for job in machine.decoding:
            job.made += made
            job.token_s = now_s
        machine.forget()
        decoded = {job.row for job in machine.decoding}
        sent = []
        for job in machine.batch:
            if job.prefilling and job.begun and job.left == 0 and not (job.given_up and spec.cancels):
                job.prefilling = False
                machine.changed = True
                job.made += 1
                job.token_s = now_s
                if math.isnan(job.first_token_s) and not job.given_up:
                    job.first_token_s = client_s
                    self.first_token(job, machine)
                if spec.next_pool is not None and job.made < job.output:
                    sent.append(job)
        for job in sent:
            self.send(job, machine, now_s)
        done = [job for job in machine.batch if not job.prefilling and job.made >= job.output]
        # answers go out in this order: those of one token, as admitted; then the others, by last token and request
        for job in sorted(done, key=lambda job: (job.output - job.made, job.row) if job.row in decoded else (-99, 0)):
            machine.batch.remove(job)
            if not job.sent:
                machine.keeps(job)
            machine.leaves(job, job.prompt)
            machine.changed = True
            if job.given_up:
                self.for_nothing(job, machine, now_s)
                continue
            # an answer is not whole before its first token, which may have come from elsewhere, by a slower way
            job.finish_s = client_s if math.isnan(job.first_token_s) else max(client_s, job.first_token_s)
            self.ended(job, "completed")
            self.answered(job, machine, now_s)
        for job in [job for job in machine.batch[::-1] if job.given_up and spec.cancels]:
            machine.batch.remove(job)
            machine.leaves(job, job.prompt + job.recompute - job.left if job.prefilling else job.prompt)
            machine.changed = True
            self.for_nothing(job, machine, now_s)

    def plan(self, machine: Machine, now_s: float) -> None:
        spec = machine.spec
        if machine.ends_s == math.inf:
            machine.kv_s += machine.kv() * (now_s - machine.idle_since_s)
        changed, machine.changed = machine.changed, False
        size = spec.block_tokens
        while machine.blocks(size) > spec.kv_capacity_tokens // size:
            job = machine.batch.pop()
            machine.leaves(job, job.prompt + job.recompute - job.left if job.prefilling else job.prompt)
            job.prefilling = False
            job.recompute = job.made
            changed = True
            if job.given_up:
                self.for_nothing(job, machine, now_s)
                continue
            machine.waiting.insert(0, job)
            machine.preemptions += 1
        machine.forget()
        machine.decoding = [job for job in machine.batch if not job.prefilling]
        ahead = spec.lookahead == 1 and len(machine.batch) > 0
        budget = spec.max_batched_tokens - len(machine.decoding) * (1 + spec.drafted)
        admitted = [job for job in machine.batch if job.prefilling]
        while machine.waiting and len(machine.batch) < spec.seats:
            job = machine.waiting[0]
            tokens = job.prompt + job.recompute
            cached, sizes = job.cached, []
            if job.prefix:
                cached = 0
            if job.prefix and not job.sent:
                cached, _, sizes = machine.known(job)
                cached = min(cached, tokens - 1)
            need = blocks(tokens, size) - sum(blocks(shared, size) for shared in sizes)
            if machine.blocks(size) + need > admitting(spec):
                break
            planned = sum(max(other.left, 1) for other in admitted)
            room = spec.max_batched_tokens if ahead else budget - planned
            left = 0 if job.arrived else tokens - cached
            if (not ahead and room <= 0) or (not spec.chunked and left > room):
                break
            machine.waiting.pop(0)
            self.admitted(machine, job, left, cached, now_s)
            changed = True
            if not ahead:
                admitted.append(job)
        given = self.gives(machine, admitted)
        if changed:
            machine.noted_blocks = machine.blocks(size)
        self.iterate(machine, given, now_s)

    def admitted(self, machine: Machine, job: Job, left: int, cached: int, now_s: float) -> None:
        """It joins the batch, with so much of its prompt to be computed."""
        job.prefilling = True
        job.left = left
        job.arrived = False
        job.begun = False
        job.been_in = True
        if math.isnan(job.start_s):
            job.start_s = now_s
            job.cached = cached
        machine.batch.append(job)
        if not job.sent:
            job.holds = job.prefix
            for name in job.prefix:
                machine.idle.pop(name, None)
        machine.forget()

    def gives(self, machine: Machine, in_prefill: list[Job]) -> tuple[int, float, int, float]:
        """What the decoding leave of the next iteration's tokens goes to prompts.

        How many tokens that is, the square term of their attention, who makes a first token without any, their context.
        """
        spec = machine.spec
        budget = spec.max_batched_tokens - len(machine.decoding) * (1 + spec.drafted)
        prompt_tokens, squares, whole, context = 0, 0.0, 0, 0.0
        for job in in_prefill:
            if budget <= 0 or (not spec.chunked and job.left > budget):
                break
            job.begun = True
            chunk = min(job.left, budget)
            before = job.prompt + job.recompute - job.left
            squares += chunk * (2 * before + chunk)
            if chunk == 0:  # nothing to prefill: its first token is a decode step
                whole += 1
                context += job.context
            job.left -= chunk
            budget -= max(chunk, 1)
            prompt_tokens += chunk
        return prompt_tokens, squares, whole, context

    def iterate(self, machine: Machine, given: tuple[int, float, int, float], now_s: float) -> None:
        """The next iteration: one step of all that decode, and the prompts that were given tokens."""
        spec = machine.spec
        prompt_tokens, squares, whole, held = given
        context = held + sum(job.context for job in machine.decoding) + len(machine.decoding) * machine.mean_ahead()
        drafted = len(machine.decoding) * spec.drafted
        if not machine.batch:
            machine.ends_s = math.inf
            machine.idle_since_s = now_s
            return
        decoding = len(machine.decoding) + whole
        duration_s = (
            spec.base_s
            + spec.prefill_s_per_token * (prompt_tokens + drafted)
            + spec.decode_s_per_seq * decoding
            + spec.attention_s_per_token * context
            + spec.prefill_s_per_token_sq * squares
            + spec.tokens_s[min(prompt_tokens + decoding + drafted, len(spec.tokens_s) - 1)]
            + (spec.mixed_s if prompt_tokens else 0.0)
            + (0.0 if spec.seqs_s is None else spec.seqs_s[decoding])
        )
        machine.ends_s = now_s + duration_s
        machine.busy_s += duration_s
        machine.running_s += duration_s * len(machine.batch)
        machine.kv_s += duration_s * machine.kv()
