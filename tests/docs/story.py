"""The story that README.md and docs/OPERATING.md tell in transcripts: one network, in the order things happen."""

from pathlib import Path

from scripts.xq_generate import Plan, write_file
from tests.docs.replay import ROOT, Replay
from tests.docs.transcript import Step, steps

README = ROOT / "README.md"
README_ZH = ROOT / "README.zh-CN.md"
OPERATING = ROOT / "docs" / "OPERATING.md"

AUTHORITY = "11319900MX00000199"
# (page, heading): what is replayed, one after the other on the same machines
FOUNDED = (OPERATING, "Found a network")
FIRST_MEMBER = (OPERATING, "Bring a node into the network")
THREE_COMMANDS = (README, "Join a network in three commands")
FIRST_RECORDS = (README, "Publish, look up, prove")
REST = (
    (OPERATING, "Daily operation"),
    (OPERATING, "Keys and their rotation"),
    (OPERATING, "Backup and restore"),
    (OPERATING, "Suspension and reinstatement"),
    (OPERATING, "Metrics and logs"),
    (OPERATING, "When something fails"),
)
START = (FOUNDED, FIRST_MEMBER, THREE_COMMANDS, FIRST_RECORDS)


def section(page: Path, heading: str) -> list[Step]:
    """The steps of one section."""
    return steps(page, heading)


def tell(replay: Replay, *, rest: bool = True) -> None:
    """Replay the beginning, or all of it."""
    prepare(replay)
    for page, heading in (*START, *(REST if rest else ())):
        replay.play(section(page, heading))


def prepare(replay: Replay) -> None:
    """Put the files onto the machines that an operator would export from the systems of the authority."""
    for machine, name, plan in (
        ("pudong", "penalties.csv", Plan("penalty.2018", 500, 7, "310115", AUTHORITY, 0.01)),
        ("pudong", "more.csv", Plan("penalty.2018", 20, 8, "310115", AUTHORITY)),
        ("pudong", "later.csv", Plan("penalty.2018", 30, 9, "310115", AUTHORITY)),
    ):
        write_file(plan, replay.machine(machine) / name)
