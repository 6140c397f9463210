"""What was sampled of a process: counted by the stages of an entry, and drawn."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from node.bench import sampling
from node.bench.sampling import PER_S, STAGES, flame_graph, profile, read, sampled, stage_of, stages
from node.core.errors import XinqiaoError

LOOP = "run (asyncio/runners.py)"
FOLD = "_fold_records (/x/node/core/state.py)"
JUDGE = "judge (/x/node/core/state.py)"
STACKS = f"""{LOOP};{FOLD};{JUDGE};validate (/x/node/core/validation.py) 30
{LOOP};{FOLD} 10
{LOOP};open_body (/x/node/core/entry.py);commitment (/x/node/core/entry.py);leaf_hash (/x/node/core/merkle.py) 5
{LOOP};open_body (/x/node/core/entry.py) 4
{LOOP};append (/x/node/storage/sql_writing.py);execute (/y/sqlalchemy/engine/base.py) 3
{LOOP} 2
"""


def test_a_sample_counts_for_the_innermost_function_that_has_a_stage() -> None:
    found = stages(list(read(STACKS)))
    assert found == {"validate": 30, "fold": 10, "hash": 5, "split": 4, "store": 3, "other": 2}


@pytest.mark.parametrize(
    ("frame", "stage"),
    [
        ("PublicKey.verifies (/x/node/core/suites.py)", "verify"),
        ("Receiving._receipt (/x/node/receiving.py)", "acknowledge"),
        ("Receiving.receive (/x/node/receiving.py)", "receive"),
        ("Push (/x/node/rpc/exchange_server.py:120)", "receive"),
        ("dumps (/usr/lib/python3.11/json/__init__.py)", None),
        ("not a frame", None),
    ],
)
def test_a_function_has_the_stage_of_its_file_and_name(frame: str, stage: str | None) -> None:
    assert stage_of(frame) == stage


def test_a_flame_graph_is_as_wide_as_the_samples() -> None:
    drawn = ElementTree.fromstring(flame_graph(list(read(STACKS)), "reader"))
    widths = {
        box[0].text: float(box[1].attrib["width"]) for box in drawn if len(box) > 1 and box[0].tag.endswith("title")
    }
    assert widths[f"run, asyncio/runners.py: {54 / PER_S:.2f} s"] == pytest.approx(1400)
    assert widths[f"judge, /x/node/core/state.py: {30 / PER_S:.2f} s"] == pytest.approx(1400 * 30 / 54, abs=0.1)


def test_a_real_process_is_sampled(tmp_path: Path) -> None:
    busy = "import time\ndef burn():\n    while True: sum(range(1000))\nburn()"
    with subprocess.Popen([sys.executable, "-c", busy]) as process:
        try:
            with sampled({"reader": process.pid}, tmp_path):
                process_runs_for(process, 1.0)
        finally:
            process.kill()
    found = profile(tmp_path, "reader")
    assert found.seconds.keys() == set(STAGES)
    assert found.seconds["other"] > 0
    assert "burn" in found.flame_graph.read_text()


def process_runs_for(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)


def test_what_samples_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "PROGRAM", "not-installed-here")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(XinqiaoError, match="BENCH_PROFILER"):
        sampling.check_installed()
