"""How much the page may ask of this machine. Owns every limit of the server, in one place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What is refused, and when work is ended; the defaults suit a laptop."""

    connections: int = 400
    """Connections that are open at one time, asking or silent; one more is told to come back."""
    head_s: float = 5.0
    """How long a client may take to send the head of a request, from its connection or its first byte."""
    body_bytes: int = 1_000_000
    """A request's body; a scenario is a few kilobytes."""
    body_s: float = 10.0
    """How long a client may take to send it."""
    text_chars: int = 400_000
    """A scenario that is pasted."""
    link_chars: int = 600_000
    """A link."""
    link_bytes: int = 500_000
    """A link's state, once it is unpacked."""
    live_requests: int = 250_000
    """Requests of one run that charts follow at once: twelve runs take about a second. Above, it is a job."""
    most_requests: int = 5_000_000
    """Requests of one run, at all."""
    live_s: float = 8.0
    """Wall time of one run while the page waits."""
    job_s: float = 900.0
    """Wall time of a job."""
    worker_bytes: int = 2 * 2**30
    """Memory that a run may take beside the compiled engine."""
    live_workers: int = 2
    looks: int = 8
    """Questions of sliders that are answered or wait at one time; one more is told to come back."""
    jobs: int = 8
    """Jobs that run or wait at one time."""
    jobs_kept: int = 40
    """Jobs that are over and can still be read."""
    sizes: int = 12
    """Fleet sizes of the curve."""
    stored: int = 500
    """Stored runs and studies that are listed, the newest."""
    stored_bytes: int = 64 * 2**20
    """The largest stored page that is shown."""
