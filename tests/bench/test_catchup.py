"""`xinqiao bench catchup`: a node that was away has its list right and every record, and what that took is counted."""

import json
from pathlib import Path

import pytest

from node.bench.catchup import Report, Side
from node.bench.sockets import Traffic
from node.bench.supply import Volume
from tests.bench.test_removal import processes_in, start


def test_what_was_moved_is_told_beside_what_was_missed() -> None:
    side, missed = Side(1.0, 100.0), Volume(records=10, record_bytes=700, entries=1, entry_bytes=1000)
    found = Report(missed, 20, 1.0, 1.5, 2.0, 10.0, Traffic(sent=50, received=450, packets=9), side, side)
    assert found.bytes_per_missed_byte == 0.5


@pytest.mark.long
def test_a_node_that_comes_back_has_its_list_right_and_every_record(tmp_path: Path) -> None:
    measuring = start(tmp_path / "work", "--records", "1500", bench="catchup")
    out, prose = measuring.communicate(timeout=600)
    assert measuring.returncode == 0, prose
    document = json.loads(out)
    assert (document["missed"]["records"], document["missed"]["entries"]) == (1500, 3)
    assert 0 < document["serving_s"] <= document["list_s"]
    assert document["serving_s"] <= document["records_s"]
    assert document["records_per_s"] > 0
    assert document["traffic"]["received"] > 0.1 * document["missed"]["entry_bytes"]
    assert "the list without 20 entries was right" in prose
    assert processes_in(tmp_path) == []
