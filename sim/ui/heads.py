"""Connections that ask nothing are closed: one that stays silent holds one of the few places there are.

uvicorn counts a connection against its limit from its first moment, and has a timeout only for those that have been
answered before. So a few hundred that say nothing, or send a header byte by byte, would keep everybody else out.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["prompt"]


def prompt(head_s: float) -> type[H11Protocol]:
    """HTTP/1.1, of whose clients each must have sent a request's whole head within `head_s` s of beginning one."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Prompt(H11Protocol):
        """Bytes that come do not put the end off; only a request does."""

        _end: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._forget()
            super().on_response_complete()

        def _watch(self) -> None:
            """Count from the first byte of a head, and of what nobody waits for behind an answer."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._end is None:
                self._end = self.loop.call_later(head_s, self.transport.close)

        def _forget(self) -> None:
            if self._end is not None:
                self._end.cancel()
                self._end = None

    return Prompt
