"""Links hold a state and nothing else, whatever somebody makes of them."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from sim.config.errors import ConfigError
from sim.ui.wire.asked import Shared, Source, State
from sim.ui.wire.limits import Limits
from sim.ui.wire.link import packed, unpacked

LIMITS = Limits()
VALUES = st.one_of(
    st.integers(-1000, 1000), st.floats(allow_nan=False, allow_infinity=False), st.text("ab 19", max_size=20)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
STATES = st.builds(
    State,
    source=st.builds(Source, kind=st.sampled_from(["name", "text", "stored"]), value=TEXTS),
    moved=st.dictionaries(st.text("abc.", max_size=10), VALUES, max_size=5),
    pool=st.none() | st.text("abc", max_size=5),
)  # fmt: skip


@given(STATES, st.none() | STATES)
def test_a_link_gives_back_what_was_packed(state: State, pinned: State | None) -> None:
    shared = Shared(state=state, pinned=pinned)
    assert unpacked("#s=" + packed(shared), LIMITS) == shared


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), st.integers(0, 400), st.text(max_size=3))
def test_any_text_is_a_link_or_one_clear_message(text: str, at: int, more: str) -> None:
    whole = packed(Shared(state=State(source=Source(kind="name", value="mmc"))))
    for link in (text, whole[:at] + more + whole[at:], whole[:at] + more + whole[at + 1 :]):
        with contextlib.suppress(ConfigError):
            assert isinstance(unpacked(link, LIMITS), Shared)
