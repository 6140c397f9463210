"""The same seed is the same run: in another process, environment and folder, and as docs/SIMULATOR.md says."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from node.simulator import simulation
from node.simulator.running import SWARM, run_once
from scripts import gen_digests

ROOT = Path(__file__).resolve().parents[2]

# Every database under its node. The directory in memory that a run looks for is the argument, there or not.
PROGRAM = """
import json, pathlib, sys
from node.simulator import simulation
from node.simulator import simulation
from node.simulator.running import scenario_for
from scripts.gen_digests import SEEDS

simulation.MEMORY = pathlib.Path(sys.argv[1])
runs = [simulation.simulate(scenario_for("swarm", seed), seed) for seed in SEEDS]
print(json.dumps([[run.trace_digest, dict(run.contents)] for run in runs]))
"""

Found = list[tuple[str, Mapping[str, str]]]


def started(folder: Path, memory: str, **environment: str) -> "subprocess.Popen[str]":
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, memory],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def found_by(process: "subprocess.Popen[str]") -> Found:
    told, _ = process.communicate()
    assert process.returncode == 0
    return [(trace, contents) for trace, contents in json.loads(told)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Found, Found]]:
    """What two processes find that have nothing in common but the code."""
    home, memory = tmp_path_factory.mktemp("processes"), simulation.MEMORY
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as elsewhere:
        one = started(home / "one", f"{memory}", PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")
        strange = {"TMPDIR": elsewhere, "TZ": "Asia/Shanghai", "LC_ALL": "C", "PYTHONUTF8": "0"}
        other = started(home / "other", f"{home / 'no memory'}", PYTHONHASHSEED="4711", **strange)
        yield found_by(one), found_by(other)


def test_two_processes_make_the_same_trace_and_the_same_databases(two: tuple[Found, Found]) -> None:
    one, other = two
    assert [trace for trace, _ in one] == [trace for trace, _ in other]
    assert [contents for _, contents in one] == [contents for _, contents in other]
    assert len({trace for trace, _ in one}) == len(gen_digests.SEEDS)
    assert all(len(set(contents.values())) == len(contents) >= 3 for _, contents in one)


def test_the_page_shows_the_digests_of_five_seeds(two: tuple[Found, Found]) -> None:
    shown = gen_digests.digests_shown(gen_digests.PAGE.read_text("utf-8"))
    assert {seed: trace for seed, (trace, _) in shown.items()} == {
        seed: trace for seed, (trace, _) in zip(gen_digests.SEEDS, two[0], strict=True)
    }, "run scripts/gen_digests and commit docs/SIMULATOR.md"


def test_the_page_is_written_as_it_is_read() -> None:
    page = "before\n<!-- begin digests -->\nold\n<!-- end digests -->\nafter\n"
    digests = {seed: (f"{seed:064x}", "ab" * 32) for seed in gen_digests.SEEDS}
    written = gen_digests.rewritten(page, digests)
    assert gen_digests.digests_shown(written) == digests
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert gen_digests.rewritten(written, digests) == written


@pytest.mark.parametrize("seed", [12, 25])
def test_a_run_that_keeps_its_timeline_is_the_same_run(seed: int) -> None:
    brief, whole = run_once(SWARM, seed), run_once(SWARM, seed, keep_trace=True)
    assert (brief.trace_digest, brief.contents_digest) == (whole.trace_digest, whole.contents_digest)


@pytest.mark.parametrize("seed", [12, 14])
def test_nobody_gathers_what_is_done_already(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio.gather takes a turn for it in Python 3.11 and none in 3.12: the seed would be two different runs."""
    done: list[Any] = []
    gather = asyncio.gather

    def watched(*awaited: Any, **options: Any) -> Any:
        done.extend(each for each in awaited if asyncio.isfuture(each) and each.done())
        return gather(*awaited, **options)

    monkeypatch.setattr(asyncio, "gather", watched)
    run_once(SWARM, seed)
    assert done == []
