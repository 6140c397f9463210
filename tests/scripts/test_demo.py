"""The demonstration keeps its promises, and leaves nothing behind, however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"
ROWS = 200
PROMISES = (
    "founding: 2 of 2 signatures, published",
    "admission: 2 of 2 signatures, published",
    "6 members",
    "every node has exchanged with a peer",
    "the same count and the same root at every node of the audience, nothing at the others",
    "national answers 1 record(s)",
    "310115 answers 0 record(s)",
    "published by 310000",
    "EVIDENCE_INVALID: the evidence does not hold at step 6 (record)",
    "refused: LIST_SAME_OFFICER: the officer li has proposed this",
    "listing: 6/6 applied, by the receipts that each has signed",
    "330100 answers LISTED: SHR-31-1 may be applied",
    "exit: 6/6 applied, by the receipts that each has signed",
    "the report of the exit verifies offline, receipt by receipt",
    "with one bit of a receipt turned: EVIDENCE_INVALID: the evidence does not hold at step 9 (receipts)",
    "330100 answers UNCONFIRMED (stale): apply no measure of this list; ask its origin",
    "everybody is back, and it answers CLEAR again",
    "suspension: 2 of 2 signatures, published",
    "refused by all 5 peers: MEMBER_SUSPENDED",
    "refused: MEMBER_SUSPENDED: 320500 is suspended",
    "the 50 rows sent after the line was drawn are answered nowhere",
    "nothing left running",
)


def start(*arguments: str) -> "subprocess.Popen[str]":
    """The demonstration, its prose on stderr and its summary on stdout."""
    return subprocess.Popen(
        [sys.executable, str(DEMO), "--json", "--rows", str(ROWS), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def assert_gone(summary: dict[str, dict[str, int]]) -> None:
    for pid in summary["processes"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.long
def test_the_demonstration_keeps_its_promises_and_leaves_nothing_running(tmp_path: Path) -> None:
    demo = start("--dir", str(tmp_path / "work"))
    out, prose = demo.communicate(timeout=300)
    assert demo.returncode == 0, prose
    assert [promise for promise in PROMISES if promise not in prose] == []
    summary = json.loads(out)
    assert len(summary["processes"]) == 7
    assert_gone(summary)
    for channel in summary["channels"].values():
        assert channel["accepted"] + channel["rejected"] == channel["rows"] == ROWS
        assert channel["records"] == channel["accepted"]
    assert len({channel["root"] for channel in summary["channels"].values()}) == 4
    assert summary["listing"]["applied"] == summary["exit"]["applied"] == 6
    assert summary["ageing"]["doubts"] == ["stale"]
    assert summary["suspension"]["kept"] == summary["channels"]["320500/licences"]["records"]
    # What a suspended member is refused with names it in the log of whoever refuses.
    log = (tmp_path / "work" / "logs" / "national.log").read_text("utf-8")
    assert "code=MEMBER_SUSPENDED peer=320500" in log


@pytest.mark.long
def test_an_interrupted_demonstration_stops_what_it_started(tmp_path: Path) -> None:
    demo = start("--dir", str(tmp_path / "work"))
    assert demo.stderr is not None
    for line in demo.stderr:
        if "6 members" in line:
            break
    demo.send_signal(signal.SIGTERM)
    out, prose = demo.communicate(timeout=60)
    assert demo.returncode == 130, prose
    assert "everything is stopped" in prose
    summary = json.loads(out)
    assert "registry" in summary["processes"]
    assert_gone(summary)


def test_a_directory_with_files_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    demo = start("--dir", str(tmp_path))
    _, prose = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "is not an empty directory" in prose
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
