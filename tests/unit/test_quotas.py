"""Token quotas that no request of their tenant fits: refused before the run, at their place in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sim import load, simulate
from sim.cli import main
from sim.config.errors import ConfigError

SCENARIO = """\
name: small-bucket
horizon: 60s
workload:
  streams:
    asks:
      tenant: acme
      arrivals: {kind: poisson, rate: 1/s}
      prompt_tokens: {kind: constant, value: 900}
      output_tokens: {kind: constant, value: 100}
tenants:
  acme:
    quota: {tokens: 2k/s, token_burst: 999}
pools:
  chat:
    latency: {base_s: 0.01, prefill_s_per_token: 5e-5, decode_s_per_seq: 5e-5, attention_s_per_token: 3e-8}
    kv_capacity_tokens: 100k
    autoscaler: {kind: fixed, replicas: 1}
"""


def run(tmp_path: Path, *sets: str) -> Any:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    return simulate(load(file, sets))


def test_a_bucket_that_never_holds_a_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tenants\.acme\.quota\.token_burst: is 999 tokens, .* takes 1,000"):
        run(tmp_path)


def test_a_bucket_that_holds_one_is_fine(tmp_path: Path) -> None:
    assert run(tmp_path, "tenants.acme.quota.token_burst=1000").summary()["requests"]["rejected"] < 60


def test_the_command_says_where_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    done = CliRunner().invoke(main, ["run", str(file), "--quiet"])
    assert done.exit_code == 2
    assert "small.yaml:12:40: tenants.acme.quota.token_burst: is 999 tokens" in done.output
