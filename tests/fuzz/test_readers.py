"""Every reader answers, or says in one clear message what is wrong, at once, and touches nothing else.

A sample of what `python -m tests.fuzz` tries by the million, and what it has found.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.exchange.traffic.server import _refusal
from tests.fuzz.hostile import cases
from tests.fuzz.mutate import mutated
from tests.fuzz.reader import Reader, tried
from tests.fuzz.readers import READERS, by_name
from tests.fuzz.sites import OWN, entered, sites

CASES = Path(__file__).parent / "cases"
SLOW = ("request log, fitted", "trace, in a scenario", "report.html", "Prometheus file, fitted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where inputs are put; all that is loaded late is loaded when it is handed out."""
    made = tmp_path_factory.mktemp("fuzz")
    for reader in READERS:
        _warm(reader, made)
    return made


def _warm(reader: Reader, folder: Path) -> None:
    from tests.fuzz.reader import may

    data = reader.seeds()[0]
    (folder / reader.file).write_bytes(data)
    may(reader.read, folder / reader.file)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_answers_what_is_right(reader: Reader, folder: Path) -> None:
    said = [tried(reader, data, folder) for data in reader.seeds()[:3]]
    assert "answered" in said, said


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([reader for reader in READERS if reader.name not in SLOW]), st.integers(0, 2**32))
def test_a_wrong_input_is_one_clear_message(folder: Path, reader: Reader, number: int) -> None:
    rng = random.Random(number)
    tried(reader, mutated(rng.choice(reader.seeds()), reader.shape, rng, reader.longest), folder)


@pytest.mark.parametrize(
    ("name", "what", "data"), [*cases()], ids=lambda given: given if isinstance(given, str) else ""
)
def test_what_is_made_to_hurt_is_refused_at_once(name: str, what: str, data: Callable[[], bytes], folder: Path) -> None:
    reader = by_name(name)
    _warm(reader, folder)
    assert tried(reader, data(), folder)


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_not_found_again(path: Path, folder: Path) -> None:
    reader = next(each for each in READERS if each.name.replace(" ", "-") == path.parent.name)
    assert tried(reader, path.read_bytes(), folder)


def test_no_place_that_reads_lacks_a_reader(folder: Path) -> None:
    found = sites()
    reached = entered(tuple(reader for reader in READERS if reader.name not in SLOW), folder)
    assert {site: call for site, call in found.items() if site not in reached and site not in OWN} == {}
    assert not OWN.keys() - found.keys(), "no such place any more"


@pytest.mark.parametrize("body", [b"[" * 10_000, b'{"error": "no"}', b"\xff", b"[1]", b'{"error": ' + b"9" * 9_000])
def test_a_refusal_of_a_server_is_told_whatever_its_words_are(body: bytes) -> None:
    refused = HTTPError("http://p", 422, "no", None, io.BytesIO(body))  # type: ignore[arg-type]
    assert _refusal(refused).startswith("refuses (422)")
