"""The stories that README.md and the two operating manuals tell in transcripts: a network, in the order things happen.

en        README.md and docs/OPERATING.md
zh        docs/OPERATING.zh-CN.md
en-drill  the ten failures of docs/OPERATING.md, on a network that has just been founded
zh-drill  likewise, of docs/OPERATING.zh-CN.md
zh-holds  officers and rows that wait for them, of docs/OPERATING.zh-CN.md, likewise
en-checks who stands on a joint list, of docs/OPERATING.md, likewise
zh-checks likewise, of docs/OPERATING.zh-CN.md
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.xq_generate import RESIDENT_ID, Plan, example_uscc, generate, write_file
from tests.docs.replay import MAY_MOUNT, ROOT, Replay
from tests.docs.transcript import Step, steps, subtitles
from tests.lists import DEFINITION

README = ROOT / "README.md"
README_ZH = ROOT / "README.zh-CN.md"
OPERATING = ROOT / "docs" / "OPERATING.md"
OPERATING_ZH = ROOT / "docs" / "OPERATING.zh-CN.md"

AUTHORITY = "11319900MX00000199"
LISTED, NOT_LISTED = (example_uscc("91", "310000", serial) for serial in (7, 8))
SERIOUS_LIST = DEFINITION.replace("staleness_limit_s: 3600", "staleness_limit_s: 8")
MATTERS = f"""\
version: "2026.1"
in_force_from: "2026-01-01"
matters:
  - code: bidding.tender
    title_zh: 招标投标资格审查
    title_en: qualification of bidders
    units: ["{AUTHORITY}"]
    measures: [SHR-31-1]
"""
BIDDERS = f"subject\n{LISTED}\n{NOT_LISTED}\n91319900MX0000078X\n"
Place = tuple[Path, str]


@dataclass(frozen=True)
class Story:
    """Sections, as (page, heading), that are replayed one after the other on the same machines."""

    language: str
    places: tuple[Place, ...]

    @property
    def steps(self) -> Iterator[Step]:
        """Every step of it."""
        for page, heading in self.places:
            yield from steps(page, heading)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The pages it is told on."""
        return tuple(dict.fromkeys(page for page, _ in self.places))


START: tuple[Place, ...] = (
    (OPERATING, "Found a network"),
    (OPERATING, "Bring a node into the network"),
    (README, "Join a network in three commands"),
    (README, "Publish, look up, prove"),
)
REST: tuple[Place, ...] = (
    (OPERATING, "Daily operation"),
    (OPERATING, "Keys and their rotation"),
    (OPERATING, "Backup and restore"),
    (OPERATING, "Suspension and reinstatement"),
    (OPERATING, "Metrics and logs"),
    (OPERATING, "When something fails"),
)
DRILLS: tuple[Place, ...] = ((OPERATING, "Ten failures"),)

START_ZH: tuple[Place, ...] = (
    (OPERATING_ZH, "组建网络"),
    (OPERATING_ZH, "节点加入网络"),
    (OPERATING_ZH, "第二个节点加入"),
    (OPERATING_ZH, "建通道，发布第一批数据"),
)
REST_ZH: tuple[Place, ...] = (
    (OPERATING_ZH, "日常运行"),
    (OPERATING_ZH, "数据质量"),
    (OPERATING_ZH, "密钥及其轮换"),
    (OPERATING_ZH, "备份与恢复"),
    (OPERATING_ZH, "暂停与恢复成员资格"),
    (OPERATING_ZH, "指标与日志"),
    (OPERATING_ZH, "加入和启动时的故障"),
)
DRILLS_ZH: tuple[Place, ...] = ((OPERATING_ZH, "十种故障"),)

HOLDS_ZH: tuple[Place, ...] = ((OPERATING_ZH, "经办人员"), (OPERATING_ZH, "待复核的行"))

CHECKS: tuple[Place, ...] = ((OPERATING, "Checking a subject"),)
CHECKS_ZH: tuple[Place, ...] = ((OPERATING_ZH, "查询一个主体"),)

STORIES = {
    "en": Story("en", (*START, *REST)),
    "zh": Story("zh", (*START_ZH, *REST_ZH)),
    "en-drill": Story("en", (*START, *DRILLS)),
    "zh-drill": Story("zh", (*START_ZH, *DRILLS_ZH)),
    "zh-holds": Story("zh", (*START_ZH, *HOLDS_ZH)),
    "en-checks": Story("en", (*START, *CHECKS)),
    "zh-checks": Story("zh", (*START_ZH, *CHECKS_ZH)),
}
BEGINNING = Story("en", START)


def tell(replay: Replay, story: Story) -> list[Step]:
    """Replay a story; the first steps of what is left out, as nothing may be mounted here."""
    prepare(replay)
    left_out = []
    for page, heading in story.places:
        for part in parts(page, heading):
            if os.environ.get(MAY_MOUNT) or not any(step.command.startswith("mount ") for step in part):
                replay.play(part)
            else:
                left_out.append(part[0])
    return left_out


def parts(page: Path, heading: str) -> list[list[Step]]:
    """The steps of a section: those before its first ###, then those under each."""
    titles = subtitles(page, heading)
    under = [steps(page, title) for title in titles]
    later = {step for part in under for step in part}
    return [[step for step in steps(page, heading) if step not in later], *under]


def prepare(replay: Replay) -> None:
    """Put the files onto the machines that an operator would export from the systems of the authority."""
    for machine, name, plan in (
        ("pudong", "penalties.csv", Plan("penalty.2018", 500, 7, "310115", AUTHORITY, 0.01)),
        ("pudong", "more.csv", Plan("penalty.2018", 20, 8, "310115", AUTHORITY)),
        ("pudong", "later.csv", Plan("penalty.2018", 30, 9, "310115", AUTHORITY)),
        ("pudong", "friday.csv", Plan("penalty.2018", 40, 10, "310115", AUTHORITY)),
    ):
        write_file(plan, replay.machine(machine) / name)
    (replay.machine("pudong") / "serious-tax.yaml").write_text(SERIOUS_LIST, "utf-8")
    (replay.machine("registry") / "matters.yaml").write_text(MATTERS, "utf-8")
    (replay.machine("shanghai") / "bidders.csv").write_text(BIDDERS, "utf-8")
    _write_penalties(replay.machine("pudong") / "persons.csv", "无证行医", "冒用示例肝炎研究所名义张贴广告")
    _write_penalties(replay.machine("pudong") / "notes.csv", "", "", "无证行医；当事人自述患有肝炎")


def _write_penalties(path: Path, *facts: str) -> None:
    """A file of penalties of one natural person, one for each text that is not empty, numbered from 601."""
    rows = (one.row for one in generate(Plan("penalty.2018", 40, 11, "310115", AUTHORITY)))
    sound = next(row for row in rows if row["CF_XDR_LB"] == "法人及非法人组织" and row["CF_CFLB"] != "警告")
    person = {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(sound | person))
        writer.writeheader()
        for number, said in enumerate(facts, start=601):
            if said:
                number_of_document = f"示罚字（2026）310115{number:06}号"
                writer.writerow(sound | person | {"CF_SY": said, "CF_WSH": number_of_document})
