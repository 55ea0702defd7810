"""The folder of a study: the same bytes however it came about, whole at any moment, honest about damage."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sim.config.errors import ConfigError, DataError
from sim.study.executors import Ended, Here
from sim.study.replicated.estimates import figures
from sim.study.replicated.record import Task, measured
from sim.study.replicated.replications import Rule
from sim.study.store import Design, Making, made, read
from sim.study.store import folder as folders
from sim.study.store.inputs import data_of
from sim.study.store.merging import merge
from sim.study.swept import campaign
from sim.study.swept.campaign import Shard
from tests.studies import BY_GOAL, REPLICAS, SCENARIO, THREE, bytes_in, design_of, points_of, study

POINTS = points_of(5, 6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of the study made in one go, by its rule."""
    found = {}
    for name, rule in (("three", THREE), ("by goal", BY_GOAL)):
        folder = tmp_path_factory.mktemp("whole") / name
        study(folder, POINTS, rule)
        found[name] = bytes_in(folder)
    return found


RULES = {"three": THREE, "by goal": BY_GOAL}


class Backwards(Here):
    """Tasks end in another order than they were given."""

    def as_ended(self, work, tasks):  # type: ignore[no-untyped-def]
        return iter([Ended(place, work(tasks[place])) for place in reversed(range(len(tasks)))])


def test_a_row_says_all_that_is_kept_of_a_run(tmp_path: Path) -> None:
    study(tmp_path / "s", POINTS)
    table = pq.read_table(tmp_path / "s" / "runs.parquet")
    assert table.schema.metadata is None, "nothing of pandas, nothing of the day"
    rows = table.to_pylist()
    assert [(row["point"], row["replication"]) for row in rows] == [(p, r) for p in range(4) for r in range(3)]
    assert [row[f"set.{REPLICAS}"] for row in rows[::3]] == ["5", "5", "6", "6"]
    assert [row["set.seed"] for row in rows[::3]] == ["1", "2", "1", "2"]
    plain = measured(Task(POINTS[1].scenario, 2))
    row = rows[5]
    assert row["scenario_sha256"] == POINTS[1].scenario.digest
    assert row["error"] is None
    assert {path: row[path] for path in figures(plain.summary)} == figures(plain.summary)
    assert row["in_time_at_end_share"] == plain.in_time_at_end_share
    waits = plain.latency["queue_wait_s"]
    assert row["histogram.queue_wait_s.zeros"] + sum(row["histogram.queue_wait_s.counts"]) == waits.count
    assert row["histogram.queue_wait_s.most"] == waits.most
    summary = json.loads(row["summary"])
    assert {name: summary[name] for name in summary if name not in ("calendar", "run")} == {
        name: plain.summary[name] for name in plain.summary if name not in ("calendar", "run")
    }
    assert not [name for name in table.column_names if "wall" in name or "engine" in name]


def test_what_is_read_is_what_was_kept(tmp_path: Path) -> None:
    study(tmp_path / "s", POINTS)
    _, found = read(tmp_path / "s")
    run = found[(POINTS[0].scenario.digest, 1)]
    again = made(Making(POINTS[0].scenario, POINTS[0].scenario.digest, 1, compiled=True))
    assert run.text == again.text, "and which calendar made it is all the same"
    assert (run.sent, run.failed) == (again.sent, False)
    assert run.record().latency["e2e_s"].interpolated(0.5) == again.record().latency["e2e_s"].interpolated(0.5)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_in_which_runs_end_changes_nothing(tmp_path: Path, whole: dict[str, bytes], rule: str) -> None:
    study(tmp_path / "s", POINTS, RULES[rule], Backwards())
    assert bytes_in(tmp_path / "s") == whole[rule]


@pytest.mark.parametrize("rule", RULES)
def test_shards_merged_are_the_whole(tmp_path: Path, whole: dict[str, bytes], rule: str) -> None:
    parts = [study(tmp_path / f"part{n}", POINTS, RULES[rule], shard=Shard(n, 3)) for n in (1, 2, 3)]
    counts = Counter(key for part in parts for key in part)
    assert set(counts.values()) == {1}, "no run is made twice"
    assert max(map(len, parts)) < len(counts)
    folders = [tmp_path / f"part{n}" for n in (3, 1, 2)]
    merge(folders, tmp_path / "merged")
    assert bytes_in(tmp_path / "merged") == whole[rule]
    merge([tmp_path / "merged", folders[0]], tmp_path / "again")
    assert bytes_in(tmp_path / "again") == whole[rule]


@pytest.mark.parametrize("out", ["shared", "other"])
def test_shards_may_share_a_folder(tmp_path: Path, whole: dict[str, bytes], out: str) -> None:
    for number in (2, 1):
        study(tmp_path / "shared", POINTS, shard=Shard(number, 2))
    assert len(list((tmp_path / "shared").glob("journal-*-of-2.jsonl"))) == 2
    merge([tmp_path / "shared"], tmp_path / out)
    assert bytes_in(tmp_path / out) == whole["three"]


def test_the_whole_study_takes_what_shards_have_made(tmp_path: Path, whole: dict[str, bytes]) -> None:
    assert len(study(tmp_path / "s", POINTS, shard=Shard(2, 4))) == 3
    assert len(study(tmp_path / "s", POINTS)) == 9
    assert bytes_in(tmp_path / "s") == whole["three"]


def test_missing_runs_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    study(tmp_path / "one", POINTS, shard=Shard(1, 2))
    with pytest.raises(
        DataError, match=rf"{REPLICAS}=5, seed=1: replication 1; {REPLICAS}=5, seed=2: replications 0, 2"
    ):
        merge([tmp_path / "one"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    study(tmp_path / "else", points_of(5, 7), shard=Shard(2, 2))
    with pytest.raises(ConfigError, match="holds another study than"):
        merge([tmp_path / "one", tmp_path / "else"], tmp_path / "out")


def test_parts_that_disagree_are_not_merged(tmp_path: Path) -> None:
    for name in ("one", "two"):
        study(tmp_path / name, POINTS, shard=Shard(1, 2))
    journal = tmp_path / "two" / "journal-1-of-2.jsonl"
    first, *rest = folders.runs_in(journal)
    wrong = folders.Kept(first.key, first.text.replace('"zeros":', '"zeros":1'), failed=False)
    from sim.study.store.journal import line_of

    journal.write_bytes(b"".join(map(line_of, [wrong, *rest])))
    with pytest.raises(DataError, match="replication 0 is there twice and not the same"):
        merge([tmp_path / "one", tmp_path / "two"], tmp_path / "out")


# -- stopped and gone on with ------------------------------------------------------------------------------------------


class Stopped(Exception):  # noqa: N818
    pass


def _stop_after(count: int):  # type: ignore[no-untyped-def]
    def told(run: object, done: int, wanted: int) -> None:
        nonlocal count
        count -= 1
        if count == 0:
            raise Stopped

    return told


@pytest.mark.parametrize("rule", RULES)
def test_a_study_that_was_stopped_goes_on(tmp_path: Path, whole: dict[str, bytes], rule: str) -> None:
    folder, runs, sizes = tmp_path / "s", 0, random.Random(5)
    while not (folder / "runs.parquet").exists():
        count = sizes.randrange(1, 4 if rule == "three" else 15)
        try:
            study(folder, POINTS, RULES[rule], sizes.choice([Here(), Backwards()]), told=_stop_after(count))
        except Stopped:
            runs += count
            journal = folder / "journal.jsonl"
            if sizes.random() < 0.6:  # a line was being written
                with journal.open("ab") as file:
                    file.write(journal.read_bytes().splitlines(keepends=True)[0][: sizes.randrange(1, 400)])
    assert bytes_in(folder) == whole[rule]
    assert runs <= len(read(folder)[1]), "nothing was made twice"


def test_nothing_is_run_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path / "s", POINTS)
    monkeypatch.setattr(campaign, "made", None)
    before = bytes_in(tmp_path / "s")
    assert study(tmp_path / "s", POINTS) == []
    assert bytes_in(tmp_path / "s") == before


@pytest.mark.parametrize("step", range(8))
def test_an_end_between_any_two_steps_of_finishing_loses_nothing(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    left = step

    def dying(real):  # type: ignore[no-untyped-def]
        def call(*args: object, **more: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Stopped
            return real(*args, **more)

        return call

    study(tmp_path / "s", points_of(5), shard=Shard(1, 2))  # so that there are two journals to take away
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        with pytest.raises(Stopped):
            study(tmp_path / "s", POINTS)
    for part in (tmp_path / "s").glob(".*.part"):
        part.unlink()  # of a file that was being written
    study(tmp_path / "s", POINTS)
    assert bytes_in(tmp_path / "s") == whole["three"]


def test_more_values_and_more_replications_run_only_what_is_missing(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "s"
    assert len(study(folder, points_of(6, seeds=(2,)), Rule(number=2))) == 2
    assert len(study(folder, points_of(5, 6, seeds=(2,)), Rule(number=2))) == 2
    assert len(study(folder, POINTS, Rule(number=2))) == 4
    assert len(study(folder, POINTS, THREE)) == 4
    assert bytes_in(folder) == whole["three"]
    with opened_again(folder) as store:  # fewer are asked for: what is there stays
        assert [place.values["seed"] for place in store.design.places] == ["2", "1", "2", "1"]
        assert store.design.rule == THREE


def opened_again(folder: Path):  # type: ignore[no-untyped-def]
    return folders.opened(folder, design_of(points_of(6, seeds=(2,)), Rule(number=1)))


def test_a_failed_run_is_kept_and_tried_again(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.study.store import kept

    real = kept.measured

    def failing(task: Task) -> object:
        if task.replication == 1 and task.scenario.seed == 2:
            raise DataError("trace.csv: gone")
        return real(task)

    with monkeypatch.context() as patch:
        patch.setattr(kept, "measured", failing)
        study(tmp_path / "s", POINTS)
    rows = pq.read_table(tmp_path / "s" / "runs.parquet").to_pylist()
    assert [row["error"] for row in rows[3:6]] == [None, "trace.csv: gone", None]
    assert rows[4]["requests.arrived"] is None
    found = campaign.outcome(POINTS[1].scenario.digest, THREE, read(tmp_path / "s")[1])
    assert found is not None
    assert found.error == "replication 1: trace.csv: gone"
    assert len(study(tmp_path / "s", POINTS)) == 2
    assert bytes_in(tmp_path / "s") == whole["three"]


# -- what cannot be gone on with ---------------------------------------------------------------------------------------


def test_a_folder_of_another_study_is_left_alone(tmp_path: Path) -> None:
    study(tmp_path / "s", POINTS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    other = points_of(5, 6, source={**SCENARIO, "horizon": "21s"})
    with pytest.raises(
        ConfigError, match=r"another scenario \(study\), or the file or --set has changed since \(at .*name another"
    ):
        study(tmp_path / "s", other)
    from sim.study.swept.sweep import Axis, grid

    with pytest.raises(ConfigError, match="a study over other keys needs another folder"):
        study(tmp_path / "s", grid(SCENARIO, [], [Axis(REPLICAS, ("5",))]))
    elsewhere = replace(design_of(points_of(8)), base="another")
    with pytest.raises(ConfigError, match="another scenario"), folders.opened(tmp_path / "s", elsewhere):
        pass
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="holds other things and no study"):
        study(tmp_path / "mine", POINTS)
    with pytest.raises(ConfigError, match="holds no study"):
        read(tmp_path / "mine")
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


def test_a_study_of_another_version_is_not_mixed_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path / "s", POINTS)
    monkeypatch.setattr(folders, "VERSION", "99")
    with pytest.raises(ConfigError, match="this is 99: name another folder"):
        study(tmp_path / "s", POINTS)
    assert len(read(tmp_path / "s")[1]) == 12, "but it can be shown"


def test_a_study_made_with_other_libraries_is_not_mixed_with(tmp_path: Path) -> None:
    study(tmp_path / "s", POINTS)
    design = design_of(POINTS)
    other = replace(design, libraries={**design.libraries, "numpy": "0.1"})
    with pytest.raises(ConfigError, match=r"here is numpy 0\.1: name another"), folders.opened(tmp_path / "s", other):
        pass
    with folders.opened(tmp_path / "t", other):
        pass
    with pytest.raises(ConfigError, match="with the same software"):
        merge([tmp_path / "s", tmp_path / "t"], tmp_path / "u")


def test_a_study_of_a_data_file_that_has_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("t_s,rate_per_s\n0,4\n20,4\n")
    source = {**SCENARIO, "workload": {**SCENARIO["workload"], "arrivals": {"kind": "curve", "file": str(curve)}}}
    points = points_of(5, source=source)
    data = data_of(each.scenario for each in points)
    assert list(data) == [str(curve)]
    with folders.opened(tmp_path / "s", replace(design_of(points), data=data)) as store:
        assert read(tmp_path / "s")[0].data == data
        assert store.design.data == data
    curve.write_text("t_s,rate_per_s\n0,8\n20,8\n")
    again = points_of(5, source=source)
    assert [each.scenario.digest for each in again] == [each.scenario.digest for each in points], "a name says no more"
    for more in (again, points_of(7)):  # also where what is asked for now does not need it
        asked = replace(design_of(more), data=data_of(each.scenario for each in more))
        with pytest.raises(ConfigError, match=r"curve\.csv, which has changed"), folders.opened(tmp_path / "s", asked):
            pass


def test_a_folder_may_be_finished_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path / "s", POINTS)
    finished, old = folders.read_design(tmp_path / "s" / "study.json"), []

    def at_first_unfinished(path: Path) -> Design:
        old.append(path)
        return replace(finished, runs_sha256="0" * 64) if len(old) == 1 else finished

    monkeypatch.setattr(folders, "read_design", at_first_unfinished)
    assert len(read(tmp_path / "s")[1]) == 12


def test_one_process_at_a_time_or_one_a_shard(tmp_path: Path) -> None:
    design = design_of(POINTS)
    with folders.opened(tmp_path / "s", design):
        with pytest.raises(ConfigError, match="is in use by another fleetcast"), folders.opened(tmp_path / "s", design):
            pass
        read(tmp_path / "s")  # looking is free
    with folders.opened(tmp_path / "s", design, shard="1-of-2"), folders.opened(tmp_path / "s", design, shard="2-of-2"):
        for shard in ("", "1-of-2"):
            with pytest.raises(ConfigError, match="is in use"), folders.opened(tmp_path / "s", design, shard=shard):
                pass


@pytest.mark.parametrize("name", ["runs.parquet", "study.json"])
def test_a_flipped_byte_is_told_and_what_to_do_about_it(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    folder = tmp_path / "s"
    study(folder, POINTS)
    path, places = folder / name, random.Random(3)
    right = path.read_bytes()
    for place in sorted(places.sample(range(len(right)), 25)):
        path.write_bytes(right[:place] + bytes([right[place] ^ 1 << places.randrange(8)]) + right[place + 1 :])
        with pytest.raises(
            (DataError, ConfigError), match=r"is damaged; delete it|not written by fleetcast|is of schema"
        ):
            study(folder, POINTS)
    path.unlink()  # as the message says
    assert len(study(folder, POINTS)) == (12 if name == "runs.parquet" else 0)
    assert bytes_in(folder) == whole["three"]


def test_a_damaged_line_of_a_journal(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "s"
    with pytest.raises(Stopped):
        study(folder, POINTS, told=_stop_after(5))
    journal = folder / "journal.jsonl"
    first, second, *rest = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + second.replace(b'"replication":1', b'"replication":2') + b"".join(rest))
    with pytest.raises(DataError, match=r"journal.jsonl: line 2 is damaged; delete this file"):
        study(folder, POINTS)
    # at the end it is one that was being written
    journal.write_bytes(b"".join([first, second, rest[0][:-40]]))
    assert len(study(folder, POINTS)) == 10
    assert bytes_in(folder) == whole["three"]
