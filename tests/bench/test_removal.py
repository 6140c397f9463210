"""`xinqiao bench` measures a network of real processes, and leaves none of them behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from node.bench.programs import XINQIAO

TINY = ("--nodes", "3", "--rounds", "1", "--removals", "2", "--records", "200", "--entries", "5")


def start(folder: Path, *arguments: str, bench: str = "removal") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(XINQIAO), "bench", bench, "--dir", str(folder), "--json", "--lang", "en", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def processes_in(folder: Path) -> list[str]:
    """The command lines of processes that work in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            is_there = process.name.isdigit() and Path(os.readlink(process / "cwd")).is_relative_to(folder)
            found += [(process / "cmdline").read_text()] if is_there else []
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
    return found


@pytest.mark.long
def test_every_removal_is_measured_until_all_receipts_are_there(tmp_path: Path) -> None:
    measuring = start(tmp_path / "work", *TINY)
    out, prose = measuring.communicate(timeout=300)
    assert measuring.returncode == 0, prose
    document = json.loads(out)
    (measured,) = document["measured"]["rounds"]
    assert len(measured["idle"]) == 2
    assert measured["loaded"]
    for sample in [*measured["idle"], *measured["loaded"]]:
        assert 0 < sample["published_s"] < sample["first_s"] <= sample["last_s"]
    assert document["idle"]["p99_s"]["median"] == pytest.approx(max(s["last_s"] for s in measured["idle"]), abs=1e-4)
    assert "round 1: under load" in prose
    assert processes_in(tmp_path) == []


@pytest.mark.long
def test_a_list_is_rebuilt_with_the_digest_that_its_origin_signed(tmp_path: Path) -> None:
    command = [
        str(XINQIAO),
        "bench",
        "digest",
        "--dir",
        str(tmp_path / "work"),
        "--entries",
        "20",
        "--rounds",
        "2",
        "--json",
    ]
    measured = subprocess.run(command, capture_output=True, text=True, check=True)
    document = json.loads(measured.stdout)
    assert (document["live"], document["is_floor_held"]) == (20, None)
    assert 0 < document["seconds"]["min"] <= document["seconds"]["max"]
    assert len(document["digest"]) == 64
    assert processes_in(tmp_path) == []


@pytest.mark.long
def test_an_interrupt_ends_every_process(tmp_path: Path) -> None:
    measuring = start(tmp_path / "work", *TINY)
    limit = time.monotonic() + 120
    while not (tmp_path / "work" / "logs" / "registry.log").exists():
        assert time.monotonic() < limit
        time.sleep(0.1)
    measuring.send_signal(signal.SIGINT)
    measuring.communicate(timeout=60)
    assert measuring.returncode != 0
    assert processes_in(tmp_path) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    measuring = start(tmp_path, *TINY)
    out, _ = measuring.communicate(timeout=60)
    assert measuring.returncode == 1
    assert json.loads(out)["error"]["code"] == "ARGUMENT_INVALID"
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]
