"""What a shared link holds, unpacked: base64url of deflated JSON, in a browser made by its CompressionStream."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib

from pydantic import ValidationError

from sim.config.errors import ConfigError, Problem
from sim.ui.wire.asked import Shared
from sim.ui.wire.limits import Limits

__all__ = ["packed", "unpacked"]


def unpacked(link: str, limits: Limits) -> Shared:
    """The state that a link holds. Raises `ConfigError` for anything else, however large it would become."""
    text = link.strip().removeprefix("#").removeprefix("s=").rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise _wrong("it holds letters that no such link has; copy it whole")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        open_ = zlib.decompressobj(-zlib.MAX_WBITS)
        found = open_.decompress(raw, limits.link_bytes + 1)
    except (binascii.Error, zlib.error):
        raise _wrong("it is cut short or changed; copy it whole") from None
    if len(found) > limits.link_bytes:
        raise _wrong(f"it holds more than {limits.link_bytes // 1000} kB")
    if not open_.eof:
        raise _wrong("it is cut short; copy it whole")
    try:
        return Shared.model_validate(json.loads(found))
    except (ValidationError, ValueError, RecursionError):
        raise _wrong("what it holds is no state of this page (of this version)") from None


def packed(shared: Shared) -> str:
    """The text that `unpacked` reads."""
    raw = json.dumps(shared.model_dump(mode="json")).encode()
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.urlsafe_b64encode(squeeze.compress(raw) + squeeze.flush()).decode().rstrip("=")


def _wrong(why: str) -> ConfigError:
    return ConfigError(Problem(f"this link cannot be read: {why}", "link"))
