"""The documentation says what the program does: every quoted number, command, block, picture and link."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [path for pattern in ("*.md", "docs/*.md", "docs/gallery/*.md") for path in sorted(ROOT.glob(pattern))]
IMAGES = ROOT / "docs/img"
PICTURES = sorted(path for path in IMAGES.rglob("*") if path.is_file())

INSTALLS = [
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/fleetcast run chatgpt-2023",
    "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest",
]
NOT_RUN = [
    *INSTALLS,
    "make install",
    "make check",
    "make validate",
    "make coverage",
    "make mutate",
    "make bench",
    "make docs",
    "fleetcast sweep chat-h100 --over pools.chat.autoscaler.replicas=8..11:1 --study buffer --cluster tcp://scheduler:8786",
    "fleetcast import prometheus http://prometheus:9090 --out traffic.yaml    # your traffic, as a workload",
    "fleetcast tune chat.yaml --out tuned                                     # a better autoscaler, as a manifest",
    "fleetcast plan chat.yaml --out plan                                      # the cheapest fleet, certified",
    "fleetcast import prometheus http://prometheus:9090 --last 28d --out traffic.yaml --history demand.csv",
    "fleetcast import prometheus saved-1.json saved-2.json --shape week --out traffic.yaml",
]
NOT_RUN_GUIDE = [
    "python3 -m venv .venv",
    ".venv/bin/pip install .",
    ".venv/bin/fleetcast run mmc",
    ".venv/bin/pip install -e '.[dev]'",
    "apt-get install chromium prometheus",
    "promtool tsdb create-blocks-from openmetrics fleet.om data/",
    "pip install 'fleetcast[ui]'",
    "fleetcast ui chat.yaml",
    "fleetcast ui chat-h100",
    "fleetcast ui chat.yaml --set horizon=20m --outputs studies --port 8400",
    "fleetcast ui chat.yaml --set horizon=10m --token a-secret-of-yours --no-browser",
]
"""Commands that pages show and nobody runs here: they install, test, need a cluster or a server, or stand with
other names on pages of their own. There are no others."""


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("pages", "not_run"),
    [
        pytest.param(("--part", "manual"), NOT_RUN, id="manual"),
        pytest.param(("--part", "guide"), NOT_RUN_GUIDE, id="guide"),
        pytest.param(("--part", "questions"), [], id="questions"),
        pytest.param(("--part", "tutorial"), [], id="tutorial"),
        # whose scenarios all run in tests/e2e/gallery as well
        pytest.param(("--part", "gallery"), [], id="gallery", marks=pytest.mark.slow),
        pytest.param(("docs/gallery/energy-bill.md", "docs/gallery/own-or-rent.md"), [], id="of the gallery"),
    ],
)
def test_every_page_says_what_its_runs_give(pages: tuple[str, ...], not_run: list[str]) -> None:
    """Each part takes minutes; apart, workers share them."""
    done = subprocess.run(
        [sys.executable, "docs/build.py", "--check", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(f"not run: {command}" for command in not_run)


def built(builder: ModuleType, folder: Path, text: str) -> str:
    """A page of this text, as the builder would have it."""
    page = folder / "page.md"
    page.write_text(text)
    scratch = folder / "scratch" / "page"
    scratch.mkdir(parents=True, exist_ok=True)
    result: str = builder.Page(page, {"answer": 42}, scratch).built()
    return result


def test_the_tutorial_has_six_commands() -> None:
    """What they print is compared with what the page says by the test above."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    verbs = re.findall(r"^\$ fleetcast (\w+)", text, re.MULTILINE)
    assert verbs == ["import", "run", "tune", "export", "plan", "plan"]
    assert "not run" not in text


def test_a_value_is_put_in_place_and_a_wrong_one_replaced(builder: ModuleType, tmp_path: Path) -> None:
    assert built(builder, tmp_path, "It is <!--= answer -->41<!--/-->.") == "It is <!--= answer -->42<!--/-->."
    with pytest.raises(builder.PageError, match="must not begin a line"):
        built(builder, tmp_path, "It is\n<!--= answer -->42<!--/-->.")
    with pytest.raises(builder.PageError, match="answer: is not closed"):
        built(builder, tmp_path, "It is <!--= answer -->, and <!--= answer -->42<!--/-->.")
    with pytest.raises(builder.PageError, match="no_such_name"):
        built(builder, tmp_path, "It is <!--= no_such_name --><!--/-->.")


def test_python_blocks_are_run_in_order(builder: ModuleType, tmp_path: Path) -> None:
    text = "```python\nx = 2\n```\n\n```python\nx + 1\n```\n\n```text\n7\n```\n"
    assert built(builder, tmp_path, text) == text.replace("7", "3")
    with pytest.raises(builder.PageError, match="ZeroDivisionError"):
        built(builder, tmp_path, "```python\n1 / 0\n```\n")


def test_commands_are_run_and_their_exit_code_counts(builder: ModuleType, tmp_path: Path) -> None:
    assert built(builder, tmp_path, "```console\n$ fleetcast --version\nold\n```\n").endswith("fleetcast 0.1.0\n```\n")
    with pytest.raises(builder.PageError, match="left with 2, not 0"):
        built(builder, tmp_path, "```console\n$ fleetcast run no-such\n```\n")
    said = built(builder, tmp_path, "<!-- exit 2 -->\n```console\n$ fleetcast run mcc\n```\n")
    assert "did you mean 'mmc'?" in said


def test_yaml_blocks_are_loaded(builder: ModuleType, tmp_path: Path) -> None:
    good = "```yaml\narrivals: {kind: poisson, rate: 5/s}\n```\n"
    assert built(builder, tmp_path, good) == good
    with pytest.raises(builder.PageError, match="did you mean 'poisson'"):
        built(builder, tmp_path, good.replace("poisson", "poison"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_no_machine(page: Path) -> None:
    found = re.search(r"/(tmp|work|root|usr|var)/|(?<!\.)\.\./shared|localhost", page.read_text(encoding="utf-8"))
    assert found is None, found


def linked(page: Path) -> set[Path]:
    """The pages that a page links to."""
    targets = re.findall(r"\]\(([\w/.-]+\.md)\)", page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve() for target in targets}


def test_every_page_is_reached_from_the_index_or_the_gallery() -> None:
    index = ROOT / "docs/index.md"
    assert index in linked(ROOT / "README.md")
    assert {page for page in PAGES if page.parent.name == "docs"} <= linked(index) | {index}
    assert {page for page in PAGES if page.parent.name == "gallery"} == linked(ROOT / "docs/gallery.md")


def test_the_ten_questions_take_two_commands_each() -> None:
    text = (ROOT / "docs/questions.md").read_text(encoding="utf-8")
    questions = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(questions) == 10
    for question in questions:
        assert 1 <= len(re.findall(r"^\$ fleetcast ", question, re.MULTILINE)) <= 2, question.partition("\n")[0]
        assert re.search(r"<!--= printed\(.*-->[^<]+<!--/-->", question), question.partition("\n")[0]
    assert "not run" not in text


def test_values_come_from_what_the_last_commands_printed(builder: ModuleType, tmp_path: Path) -> None:
    text = "```console\n$ echo it is 5\n```\n\nIt is <!--= printed(r'is (.)') -->4<!--/-->.\n"
    more = "\n```console\n$ echo it is 7\n```\n\nIt is <!--= printed(r'is (.)') -->4<!--/-->.\n"
    said = built(builder, tmp_path, text + more)
    assert re.findall(r"-->(.)<!--/-->", said) == ["5", "7"]
    with pytest.raises(builder.PageError, match="nothing like it"):
        built(builder, tmp_path, text.replace("is (.)", "was (.)"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 200_000
    shown = f"img/{picture.relative_to(IMAGES).as_posix()})"
    assert any(shown in page.read_text(encoding="utf-8") for page in PAGES)


def test_the_readme_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in INSTALLS:
        assert f"$ {command}\n" in text


# -- the recipes of the architecture page, applied to a copy of the project --------------------------------------------

SCENARIO = """
name: recipes
horizon: 100s
workload:
  streams:
    even:
      arrivals: {kind: evenly, rate: 2/s}
      prompt_tokens: {kind: constant, value: 100}
      output_tokens: {kind: constant, value: 10}
    log: {trace: log.csv}
pools:
  chat:
    gpu: rtx-pro-6000
    latency: {base_s: 0.01, prefill_s_per_token: 5e-5, decode_s_per_seq: 5e-5, attention_s_per_token: 3e-8}
    kv_capacity_tokens: 100k
    autoscaler: {kind: headroom, per_replica: 1, spare: 100%, start_replicas: 3}
    boot: 20s
    book: next-door
slowness:
  - {kind: late_fee, metric: ttft, beyond: 0s, usd: $0.01}
"""

LOG = "ms,tokens_in,tokens_out\n500,100,20\n1500,200,3\n"


def recipes() -> list[str]:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    how = text[text.index("## How to add") :]
    return re.findall(r"^```(?:py|yaml)\n(.*?)^```", how, re.MULTILINE | re.DOTALL)


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file.name}: {old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_recipes_work(tmp_path: Path) -> None:
    for part in ("sim", "configs", "workloads"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    law, form, policy, gpu, slowness, book = recipes()
    sim = tmp_path / "sim"
    replaced(sim / "workload/arrivals.py", "\n# The union is the registry", f"\n{law}\n\n# The union is the registry")
    replaced(sim / "workload/arrivals.py", "| Spike | Cox", "| Spike | Cox | Evenly")
    (sim / "workload/traces/gateway.py").write_text(form)
    replaced(
        sim / "workload/traces/__init__.py",
        "AnyFormat = Azure",
        "from sim.workload.traces.gateway import Gateway\nAnyFormat = Gateway | Azure",
    )
    (sim / "autoscaling/headroom.py").write_text(policy)
    replaced(
        sim / "autoscaling/__init__.py",
        "\n# The union is the registry",
        "\nfrom sim.autoscaling.headroom import Headroom\n\n# The union is the registry",
    )
    replaced(
        sim / "autoscaling/__init__.py",
        "    | Annotated[External, Tag(EXTERNAL)],",
        '    | Annotated[Headroom, Tag("headroom")]\n    | Annotated[External, Tag(EXTERNAL)],',
    )
    (tmp_path / "configs/gpus/rtx-pro-6000.yaml").write_text(gpu)
    (sim / "pricing/slowness/late_fee.py").write_text(slowness)
    replaced(
        sim / "pricing/slowness/__init__.py",
        "\n# The union is the registry",
        "\nfrom sim.pricing.slowness.late_fee import LateFee\n\n# The union is the registry",
    )
    replaced(sim / "pricing/slowness/__init__.py", "Annotated[Linear |", "Annotated[LateFee | Linear |")
    (tmp_path / "configs/prices/next-door.yaml").write_text(book)
    (tmp_path / "recipes.yaml").write_text(SCENARIO)
    (tmp_path / "log.csv").write_text(LOG)
    done = subprocess.run(
        [sys.executable, "-m", "sim", "run", "recipes.yaml", "--out", "out"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    decisions = (tmp_path / "out/decisions.csv").read_text().splitlines()
    assert decisions[1] == "0.0,chat,3,1,0 requests and 100% to spare / 1 wants 0"
    assert len(decisions) > 3
    # 199 at a half second's distance, two logged
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["requests"]["arrived"] == 201
    assert summary["slowness"]["total_usd"] == pytest.approx(2.01)
    assert summary["cost"]["total_usd"] == pytest.approx(summary["replicas"]["gpu_hours"] * 1.50 * 1.08)


def test_what_holds_a_relation_is_there() -> None:
    """The table of relations names files of tests."""
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8").partition("which test holds which")[2]
    table = [line for line in text.partition("What looks true")[0].splitlines() if line.startswith("| ")][2:]
    named = {name for line in table for name in re.findall(r"`([\w/]+\.py)`", line)}
    assert len(named) > 15
    assert all((ROOT / "tests" / name).is_file() for name in named), named
    told = {f"{kind}{number}" for kind, last in (("I", 13), ("M", 19)) for number in range(1, last + 1)}
    firsts = [line.split("|")[1] for line in table]
    found = {name for first in firsts for name in re.findall(r"[IM]\d+", first)}
    assert told - found == {"M3", "M2"}, "M1 to M4 are told together; every other by its number"
