"""What the naive model is made of: requests, the replicas that serve them, and the books of a pool."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.model.specs import PoolSpec


@dataclass(eq=False, repr=False)
class Job:
    """One request, with what has become of it."""

    def __repr__(self) -> str:
        return f"Job(at {self.arrival_s}, {self.prompt} + {self.output})"

    arrival_s: float
    prompt: int = 0
    cached: int = 0
    output: int = 1
    service_s: float = 0.0
    ticket: float = 0.0
    pool: int = 0
    stream: int = 0
    start_s: float = math.nan
    first_token_s: float = math.nan
    finish_s: float = math.nan
    outcome: str = "unfinished"
    row: int = 0
    replica: int = -1
    made: int = 0  # output tokens so far
    recompute: int = 0  # output tokens that the next prefill recomputes
    left: int = 0  # prefill tokens still to do
    begun: bool = False  # an iteration serves it
    prefilling: bool = False
    sent: bool = False  # its KV cache went, or goes, to the pool that decodes
    arrived: bool = False  # and has not been admitted there
    been_in: bool = False  # the batch of the replica where it is
    lost: int = 0  # how often its replica ended under it
    ends_s: float = math.inf  # slots: its service
    prefix: tuple[int, ...] = ()  # ids of the blocks of its prompt, from the front
    sizes: tuple[int, ...] = ()  # tokens of each
    answer: int = -1  # id of what its answer adds to the prompt, if it has one
    answer_tokens: int = 0
    holds: tuple[int, ...] = ()  # of these, in memory because of it
    # what its client bears, from when it sends it
    patience_s: float = math.inf
    first_token_timeout_s: float = math.inf
    token_timeout_s: float = math.inf
    total_timeout_s: float = math.inf
    # what its client does
    then: list[Job] = field(default_factory=list)  # requests that follow it
    joins: int = 0  # how many it follows,
    waits: int = 0  # and how many of them are not over
    pause_s: float = 0.0  # after them
    due_s: float = math.inf  # so it is sent then
    first: Job | None = None  # attempt; None: itself
    attempt: int = 1  # copies have the number of what they are copies of
    copy: int = 0  # sent while another was under way: which copy of it
    unheard_s: float = 0.0  # when its client hears that a rival was turned away
    rivals: list[Job] = field(default_factory=list)  # attempts under way at the same time, itself too; one shared list
    beaten: bool = False  # another of them was first,
    beaten_s: float = math.inf  # then
    hedged: int = 0  # copies sent while it was under way
    backoff_s: float = 0.0  # the pause that went before it
    retry_s: float = math.inf  # it has failed and is sent again then
    asked: bool = False  # its client has sent it, and not only wants to
    answering: bool = False  # its client saw a first token from a replica that was lost
    token_s: float = math.nan  # when its replica made its last token
    given_up: bool = False  # its client has gone; it is still in a batch or slot, or on a link
    left_s: float = math.nan  # when it then left its replica
    drawn: tuple[float, int] = (0.0, 0)  # its service and cached tokens, which change while it is served

    def block_of(self, i: int) -> int:
        """Tokens of the i-th block of its prompt."""
        return self.sizes[i]

    def start_over(self) -> None:
        """Its replica is gone, and all that was done for it; only when it first began is still known."""
        self.first_token_s = math.nan
        self.made = self.recompute = self.left = 0
        self.begun = self.prefilling = self.sent = self.arrived = False
        self.holds = ()

    def go_on(self, now_s: float) -> None:
        """Its replica is gone, but not what its client has: tokens made are prefilled with the prompt, elsewhere."""
        if self.ends_s < math.inf:
            self.service_s = self.ends_s - now_s
            self.first_token_s = math.nan if self.service_s > 0 else self.first_token_s
        self.recompute, self.left = self.made, 0
        self.begun = self.prefilling = self.arrived = False
        self.holds = ()

    @property
    def context(self) -> int:
        """KV tokens it holds: all of its prefill while that lasts, then everything before the token being made."""
        return self.prompt + (self.recompute if self.prefilling else self.made)


def blocks(tokens: int, size: int) -> int:
    return math.ceil(tokens / size)


@dataclass(eq=False)
class Machine:
    """One replica, from when it opens to when it closes."""

    row: int
    pool: int
    spec: PoolSpec
    since_s: float = 0.0
    ready: bool = True
    batch: list[Job] = field(default_factory=list)  # in order of admission
    waiting: list[Job] = field(default_factory=list)
    ends_s: float = math.inf  # of the iteration under way
    decoding: list[Job] = field(default_factory=list)
    changed: bool = False  # somebody joined or left since the last plan
    noted_blocks: int = 0  # when the batch last changed
    iteration: int = 0  # iterations done
    sending: list[Job] = field(default_factory=list)  # still in memory
    idle_since_s: float = 0.0  # up to when its memory is accounted for while it runs nothing; slots: all is
    link_free_s: float = 0.0
    idle: dict[int, int] = field(default_factory=dict)  # blocks of prompts that nobody holds, and their tokens
    busy_s: float = 0.0
    running_s: float = 0.0
    kv_s: float = 0.0
    preemptions: int = 0

    def kv(self) -> int:
        held = sum(job.context for job in self.batch) + sum(job.prompt for job in self.sending)
        return held - sum((count - 1) * tokens for count, tokens in self.holders().values())

    def blocks(self, size: int) -> int:
        held = sum(blocks(job.context, size) for job in self.batch)
        held += sum(blocks(job.prompt, size) for job in self.sending)
        return held - sum((count - 1) * blocks(tokens, size) for count, tokens in self.holders().values())

    def holders(self) -> dict[int, tuple[int, int]]:
        """By block of a prompt: how many hold it, and its tokens."""
        found: dict[int, tuple[int, int]] = {}
        for job in self.batch + self.sending:
            for i, name in enumerate(job.holds):
                found[name] = (found.get(name, (0, 0))[0] + 1, job.block_of(i))
        return found

    def known(self, job: Job) -> tuple[int, int, list[int]]:
        """Tokens of a job's prompt in memory; of these, those that others hold, and the sizes of their blocks."""
        holders = self.holders()
        known, shared, sizes = 0, 0, []
        for i, name in enumerate(job.prefix):
            if name not in holders and name not in self.idle:
                break
            known += job.block_of(i)
            if name in holders:
                shared += job.block_of(i)
                sizes.append(job.block_of(i))
        return known, shared, sizes

    def leaves(self, job: Job, computed: int) -> None:
        """A job is gone from batch and link: its blocks that nobody else holds are idle from now on."""
        names, job.holds = job.holds, ()
        holders = self.holders()
        for i, name in reversed(list(enumerate(names))):
            if name not in holders and sum(job.sizes[: i + 1]) <= computed:
                self.idle[name] = job.block_of(i)

    def keeps(self, job: Job) -> None:
        """The answer of a job is out: if it has an id, and is new here, it stays, and is idle."""
        if job.answer >= 0 and job.answer not in self.idle and job.answer not in self.holders():
            self.idle[job.answer] = job.answer_tokens

    def forget(self) -> None:
        """Idle blocks, the oldest first, until the rest fits."""
        size = self.spec.block_tokens
        while sum(blocks(t, size) for t in self.idle.values()) > max(
            self.spec.kv_capacity_tokens // size - self.blocks(size), 0
        ):
            del self.idle[next(iter(self.idle))]

    def outstanding(self) -> int:
        return len(self.batch) + len(self.waiting)

    def next_s(self) -> float:
        """When something ends here."""
        if self.spec.batching:
            return self.ends_s
        return min((job.ends_s for job in self.batch), default=math.inf)

    def empty(self) -> bool:
        """Nothing to end, and no KV cache to hand over."""
        return not (self.batch or self.waiting or self.sending)

    def mean_ahead(self) -> float:
        """By how much of a token the mean of all that was made is ahead of whole tokens."""
        made = self.spec.tokens_per_step * self.iteration
        return made - math.floor(made)

    def account(self, now_s: float) -> None:
        """Bring the integrals up to now; an iteration under way was booked whole, so its rest comes off."""
        if not self.spec.batching:
            passed_s = now_s - self.idle_since_s
            self.busy_s += passed_s if self.batch else 0.0
            self.running_s += passed_s * len(self.batch)
        elif self.ends_s < math.inf:
            rest_s = self.ends_s - now_s
            self.busy_s -= rest_s
            self.running_s -= rest_s * len(self.batch)
            self.kv_s -= rest_s * self.kv()
        else:
            self.kv_s += self.kv() * (now_s - self.idle_since_s)
        self.idle_since_s = now_s


@dataclass
class Past:
    """What the replicas that had a row and are gone have added up to."""

    lives: int = 0
    busy_s: float = 0.0
    running_s: float = 0.0
    kv_s: float = 0.0
    preemptions: int = 0
    ready_s: float = 0.0
    seats_s: float = 0.0
    capacity_s: float = 0.0

    def add(self, machine: Machine) -> None:
        for name in ("busy_s", "running_s", "kv_s", "preemptions"):
            setattr(self, name, getattr(self, name) + getattr(machine, name))

    def close(self, machine: Machine, now_s: float) -> None:
        self.add(machine)
        served_s, spec = now_s - machine.since_s, machine.spec
        self.ready_s += served_s
        self.seats_s += served_s * spec.seats
        self.capacity_s += served_s * (spec.kv_capacity_tokens // spec.block_tokens * spec.block_tokens)


@dataclass
class Books:
    """What a pool's own metrics count."""

    present: int = 0
    present_s: float = 0.0
    since_s: float = 0.0
    arrived: int = 0
    arrived_tokens: int = 0
    answered: int = 0
    answered_tokens: int = 0
    ttft_s: list[float] = field(default_factory=list)
    itl_s: list[float] = field(default_factory=list)

    def change(self, by: int, now_s: float) -> None:
        self.present_s += self.present * (now_s - self.since_s)
        self.since_s = now_s
        self.present += by

    def answer(self, job: Job, now_s: float) -> None:
        self.change(-1, now_s)
        self.answered += 1
        self.answered_tokens += job.output
        if job.output > 1:
            self.itl_s.append((job.finish_s - job.first_token_s) / (job.output - 1))
