"""How many records of a CSV file a node publishes in a second: reading, judging, and the whole way through a node.

    python -m tests.bench.publishing [--rows 100000] [--item penalty.2018] [--check] [--stages]

Figures depend on the machine: this measures and asserts nothing. Each stage contains those before it; the last one is
the command itself, with a node of its own process, its rules, its signatures and every commit on the disk. --stages
leaves that one out.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from node.core.rules import Law
from node.core.rules_edition import parse_rules
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from scripts.xq_generate import Plan, load_edition, write_file
from tests.processes.commands import Commands
from tests.processes.network import SHANGHAI, Town

RULES = Path(__file__).resolve().parents[2] / "registry" / "editions" / "rules-2026.1.json"
BATCH_RECORDS, BATCH_BYTES = 1000, 2 * 1024 * 1024
TODAY = time.strftime("%Y-%m-%d")
DIVISION = "310000"


def read(file: Path, item: str) -> int:
    """Read rows and judge none."""
    with file.open("rb") as stream:
        return sum(1 for _ in read_rows(stream, file.name, load_edition().item(item)))


def judge(file: Path, item: str) -> int:
    """Read rows, judge them by catalogue and rules, and build their records."""
    found, law = load_edition().item(item), Law(parse_rules(RULES.read_bytes()), DIVISION)
    with file.open("rb") as stream:
        rows = read_rows(stream, file.name, found)
        judged = batches(rows, found, "C", BATCH_RECORDS, BATCH_BYTES, TODAY, law=law)
        return sum(batch.rows for batch in judged)


def publish(town: Town, file: Path, item: str, *options: str) -> int:
    """Publish with the command; its process and the node's are others."""
    channel = f"{SHANGHAI.id}/{item.replace('.', '-')}"
    if town.channel(SHANGHAI.id, channel) is None:
        town.create(channel, item, "everyone")
    document = town.run(SHANGHAI.id, "publish", channel, file, *options)
    return int(document["files"][0]["counts"]["rows"])


def busy_s(process: int) -> float:
    """Seconds of processor time that a process has used; 0 where the system does not say."""
    status = Path(f"/proc/{process}/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(name: str, work: Callable[[], int], process: int = 0) -> dict[str, object]:
    """Time one piece of work, and what a process does for it: a loaded machine takes longer and does no more."""
    process = process or os.getpid()
    began, busy = time.perf_counter(), busy_s(process)
    count = work()
    seconds, busy = time.perf_counter() - began, busy_s(process) - busy
    print(
        f"{name:24} {count:8d} rows  {seconds:7.2f} s {count / seconds:9.0f} records/s,"
        f" processor {busy:7.2f} s {count / busy if busy else 0:9.0f} records/s",
        file=sys.stderr,
    )
    found = {"stage": name, "rows": count, "seconds": round(seconds, 3), "records_per_s": round(count / seconds)}
    return found | {"processor_s": round(busy, 3)}


def stages(folder: Path, rows: int, item: str, *, with_node: bool, check: bool) -> Iterator[dict[str, object]]:
    """Measure each stage with the same file."""
    file = folder / "rows.csv"
    write_file(Plan(item, rows, 1, authority=SHANGHAI.authority), file)
    yield measured("reading", lambda: read(file, item))
    yield measured("reading and judging", lambda: judge(file, item))
    if not with_node:
        return
    (folder / "commands").mkdir()
    commands = Commands(folder / "commands")
    town = Town(folder / "town", commands).found()
    try:
        town.serve_registry()
        town.admit(SHANGHAI)
        town.serve(SHANGHAI.id)
        node = town.serving[SHANGHAI.id].pid
        if check:
            yield measured("xinqiao publish --check", lambda: publish(town, file, item, "--check"), node)
        yield measured("xinqiao publish", lambda: publish(town, file, item), node)
        yield measured("xinqiao publish again", lambda: publish(town, file, item), node)
    finally:
        town.close()
        commands.close()


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--item", choices=("penalty.2018", "licence.2018"), default="penalty.2018")
    parser.add_argument("--check", action="store_true", help="also measure a dry run")
    parser.add_argument("--stages", action="store_true", help="leave the node out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xinqiao-bench-") as folder:
        options = {"with_node": not given.stages, "check": given.check}
        found = list(stages(Path(folder), given.rows, given.item, **options))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    print(json.dumps({"processors": os.cpu_count(), "load": load, "stages": found}))


if __name__ == "__main__":
    main()
