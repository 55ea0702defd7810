"""`fleetcast validate` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from sim.cli import main
from tests.unit.test_measured_files import GOOD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_json_is_one_document_and_nothing_else(file: Path) -> None:
    done = CliRunner().invoke(main, ["validate", str(file), "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["metric"] for row in rows] == ["ttft_s_mean", "e2e_s_mean", "e2e_s_mean"]
    for row in rows:
        assert set(row) == {"case", "metric", "measured", "predicted", "error_share"}
        assert row["error_share"] == pytest.approx(row["predicted"] / row["measured"] - 1)


def test_table_and_picture(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "fidelity.svg"
    done = CliRunner().invoke(main, ["validate", str(file), "--out", str(out), "--quiet"])
    assert done.exit_code == 0, done.output
    for word in ("chat/4/s", "E2E mean", "MAPE", "predicted", str(out)):
        assert word in done.stdout
    svg = "{http://www.w3.org/2000/svg}"
    dots = [
        dot
        for dot in ElementTree.fromstring(out.read_text()).iter(f"{svg}circle")
        if dot.find(f"{svg}title") is not None
    ]
    assert len(dots) == 3


def test_laws_differ(file: Path) -> None:
    def e2e_s(law: str) -> float:
        done = CliRunner().invoke(main, ["validate", str(file), "--json", "--quiet", "--law", law])
        assert done.exit_code == 0, done.output
        return float(json.loads(done.stdout)[-1]["predicted"])

    assert e2e_s("shipped") != e2e_s("roofline")
    # it is the only experiment of its pair that is given
    assert e2e_s("held-out") == e2e_s("roofline")


def test_a_wrong_file_is_wrong_data(file: Path) -> None:
    file.write_text(GOOD.replace("[1, 0.02, 0.4]", "[1, 0.02]"))
    done = CliRunner().invoke(main, ["validate", str(file)])
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "mine.yaml:11:9" in done.stderr
    assert CliRunner().invoke(main, ["validate", str(file.parent / "none.yaml")]).exit_code == 3


def test_a_knee_is_told(file: Path) -> None:
    text = GOOD.replace("poisson, duration: 20s", "even").replace(
        "[rate_per_s, ttft_s_mean, e2e_s_mean]", "[rate_per_s, requests, max_in_flight, sent_per_s]"
    )
    text = text.replace("[1, 0.02, 0.4]", "[1, 20, 2, 1]").replace("[4, null, 0.42]", "[50, 200, 2, 5]")
    file.write_text(text)
    done = CliRunner().invoke(main, ["validate", str(file), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "measured not sustained from 50/s on, predicted not sustained from 50/s on" in done.stdout
