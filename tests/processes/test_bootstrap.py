"""A node that comes late: lists and removals before the bulk, nothing fetched twice, also after kill -9."""

import time
from pathlib import Path

from node.pb import admin_service_pb2 as pb
from tests.processes.commands import wait_until
from tests.processes.files import registrations
from tests.processes.network import PUDONG, SHANGHAI, Town

CHANNEL = "310000/base"
ROWS, RECORDS_PER_ENTRY = 8_000, 20
ENTRIES = 1 + ROWS // RECORDS_PER_ENTRY + 1
WITHDRAWN = "0/1/0"


def look(town: Town) -> pb.GetProgressResponse:
    with town.admin(PUDONG.id) as asked:
        return asked.progress()


def log_of(found: pb.GetProgressResponse) -> pb.LogProgress:
    logs = [log for group in found.origins for log in group.logs if log.channel == CHANNEL]
    return logs[0] if logs else pb.LogProgress()


def seen_while(town: Town, ends: int) -> list[pb.GetProgressResponse]:
    """What is shown until so many entries are here."""
    seen: list[pb.GetProgressResponse] = []
    limit = time.monotonic() + 60
    while not seen or log_of(seen[-1]).applied_entries < ends:
        assert time.monotonic() < limit
        seen.append(look(town))
        time.sleep(0.005)
    return seen


def test_g4_a_node_that_comes_late_has_the_removals_first_and_fetches_nothing_twice_after_kill_9(
    town: Town, tmp_path: Path
) -> None:
    town.set(SHANGHAI.id, max_records_per_entry=RECORDS_PER_ENTRY)
    town.serve(SHANGHAI.id)
    town.create(CHANNEL, "registration.base", "everyone", "A")
    town.publish(CHANNEL, registrations(tmp_path / "rows.csv", range(1, ROWS + 1)))
    given = ("--decision", "沪撤〔2026〕1号", "--reason", "原决定已撤销")
    assert town.run(SHANGHAI.id, "record", "withdraw", CHANNEL, WITHDRAWN, *given)["is_written"]
    wait_until(lambda: town.channel(SHANGHAI.id, CHANNEL)["fresh_at_unix_ms"], "a heartbeat covers it")  # type: ignore[index]
    time.sleep(1.5)  # two heartbeat intervals: one was signed after the withdrawal
    town.serve(PUDONG.id)
    first = seen_while(town, ENTRIES // 4)
    town.kill(PUDONG.id)
    before = log_of(first[-1])
    assert (before.removals_up_to, before.announced_entries) == (ENTRIES, ENTRIES)
    assert first[-1].is_useful
    assert before.entries < ENTRIES, "it was all here before it could be killed"
    town.serve(PUDONG.id)
    # What was withdrawn at the end of the log is not answered, though the end is not here.
    for found in seen_while(town, ENTRIES):
        log = log_of(found)
        assert log.records <= max(log.applied_entries - 1, 0) * RECORDS_PER_ENTRY
        assert log.removals_up_to == ENTRIES
    last = look(town)
    assert last.received_again_entries == last.received_again_bytes == 0
    assert last.received_entries <= ENTRIES - before.entries
    assert town.channel(PUDONG.id, CHANNEL)["records"] == ROWS - 1  # type: ignore[index]
    shown = town.run(PUDONG.id, "progress")
    assert shown["is_useful"]
    assert [(lane["lane"], lane["entries"], lane["announced_entries"]) for lane in shown["lanes"]] == [
        ("control", 0, 0),
        ("bulk", ENTRIES, ENTRIES),
    ]
    watched = town.start(PUDONG.id, "progress", "--watch")
    assert watched.wait() == 0
    assert watched.documents()[-1]["is_useful"]
