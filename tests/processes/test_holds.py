"""`xinqiao holds` against real nodes: what a rule holds is published when two officers say so, and leaks nowhere."""

import csv
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scripts.xq_generate import RESIDENT_ID, Plan, generate
from tests.processes import officers
from tests.processes.commands import wait_until
from tests.processes.network import PUDONG, SHANGHAI, Town, outcomes

CHANNEL = "310115/penalties"
NODE, READER = PUDONG.id, SHANGHAI.id
WORDS = "当事人患有肝炎"


def penalties(path: Path, *facts: str) -> Path:
    """A file of penalties of one natural person, whose facts say this."""
    rows = (one.row for one in generate(Plan("penalty.2018", 40, 1, NODE, PUDONG.authority)))
    sound = next(row for row in rows if row["CF_XDR_LB"] == "法人及非法人组织" and row["CF_CFLB"] != "警告")
    person = {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(sound | person))
        writer.writeheader()
        for number, said in enumerate(facts, start=1):
            writer.writerow(sound | person | {"CF_SY": said, "CF_WSH": f"示罚字〔2026〕{number}号"})
    return path


@pytest.fixture
def holding(town: Town) -> Town:
    """Pudong has two officers and a channel; what stands in held rows must be in no log."""
    town.secrets += [WORDS, RESIDENT_ID]
    town.serve(NODE, READER)
    officers.add(town, NODE, "李明", "王芳")
    town.create(CHANNEL, "penalty.2018", "everyone")
    return town


def pass_of(town: Town, name: str) -> tuple[str, str, str, Path]:
    return "--officer", name, "--passphrase-file", officers.passphrase_of(town, name)


def held(town: Town) -> list[dict[str, Any]]:
    return list(town.run(NODE, "holds", "list")["holds"])


def test_r_inc_2_a_held_row_is_released_by_two_officers_with_a_crash_between_their_signatures(
    holding: Town, tmp_path: Path
) -> None:
    town = holding
    file = penalties(tmp_path / "facts.csv", WORDS, "未按规定申报")
    # (1) tried, then published: one row waits, the other one is out
    tried = town.run(NODE, "publish", CHANNEL, file, "--check")["files"][0]
    assert (tried["counts"]["held"], [each["hold"] for each in tried["held"]], held(town)) == (1, [""], [])
    published = town.run(NODE, "publish", CHANNEL, file)["files"][0]
    assert published["counts"] == outcomes(accepted=1, held=1)
    assert WORDS not in str(published)
    (line,) = held(town)
    hold = line["id"]
    assert (line["state"], line["row"], line["reasons"][0]["why"]["parameters"]["rule"]) == ("pending", 2, "R-INC-2")
    assert town.publish(CHANNEL, file) == outcomes(duplicate=1, held=1)
    assert [each["id"] for each in held(town)] == [hold]
    # (2) what stands in it is for a terminal
    assert town.run(NODE, "holds", "show", hold)["values"] is None
    assert WORDS not in str(town.run(NODE, "holds", "show", hold)) + str(line)
    assert town.run(NODE, "holds", "show", hold, "--reveal")["values"]["CF_SY"] == WORDS
    # (3) one officer proposes; nobody else can do his part, and he cannot do the other's
    release = ("holds", "release", hold, "--reason", "医院名称")
    assert town.run(NODE, *release, *pass_of(town, "李明"))["state"] == "proposed"
    assert town.refused(NODE, *release, *pass_of(town, "李明"))["code"] == "HOLD_SAME_OFFICER"
    wrong = ("--officer", "王芳", "--passphrase-file", officers.passphrase_of(town, "李明"))
    assert town.refused(NODE, *release, *wrong)["code"] == "OFFICER_PASSPHRASE"
    town.kill(NODE)
    town.serve(NODE)
    (line,) = held(town)
    assert (line["proposed"], [each["officer"] for each in line["signatures"]]) == ("hold.release", ["李明"])
    # (4) the other one reviews: it is published, and every reader is told
    done = town.run(NODE, *release, *pass_of(town, "王芳"))
    assert (done["state"], done["fault"]["code"]) == ("published", "")
    town.wait_for_agreement(CHANNEL, [READER])
    for node in (NODE, READER):
        (record,) = [each for each in town.records(node, "--channel", CHANNEL) if each["values"]["CF_SY"] == WORDS]
        (act,) = record["acts"]
        assert (act["kind"], act["decision"]) == ("STATUS_KIND_REVIEW", hold)
        ref = record["ref"]
        place = f"{CHANNEL} {ref['epoch']}/{ref['index']}/{ref['position']}"
        rules = town.run(node, "rules", "explain", *place.split())["rules"]
        assert [each["reviewed"] for each in rules if each["reviewed"]] == [f"{hold}; R-INC-2: 医院名称"]
    assert held(town) == []
    assert town.refused(NODE, *release, *pass_of(town, "王芳"))["code"] == "HOLD_SETTLED"
    assert town.publish(CHANNEL, file) == outcomes(duplicate=2)


def test_a_held_row_is_refused_by_two_and_a_disabled_officer_signs_nothing(holding: Town, tmp_path: Path) -> None:
    town = holding
    file = penalties(tmp_path / "facts.csv", WORDS)
    town.publish(CHANNEL, file)
    hold = held(town)[0]["id"]
    refuse = ("holds", "refuse", hold, "--reason", "病史")
    # The statement is signed where no node is, and handed over.
    statement = tmp_path / "refuse.statement"
    town.run(NODE, *refuse, "--officer", "李明", "-o", statement)
    key = town.home(NODE) / "officers" / "李明.pem"
    officers.offline(town, "李明", "officer", "sign", statement, "--key", key, "--yes")
    assert town.run(NODE, "officer", "submit", statement)["state"] == "proposed"
    assert town.refused(NODE, "officer", "submit", statement)["code"] == "OFFICER_STATEMENT"
    assert (
        town.refused(NODE, "holds", "release", hold, "--reason", "x", *pass_of(town, "王芳"))["code"] == "HOLD_PROPOSED"
    )
    withdrawn = town.run(NODE, "holds", "withdraw", hold, "--reason", "再议", *pass_of(town, "王芳"))
    assert withdrawn["state"] == "pending"
    town.run(NODE, *refuse, *pass_of(town, "王芳"))
    town.run(NODE, "officer", "disable", "李明", "--reason", "调离", *pass_of(town, "王芳"))
    assert town.refused(NODE, *refuse, *pass_of(town, "李明"))["code"] == "OFFICER_DISABLED"
    officers.add(town, NODE, "赵强")
    assert town.run(NODE, *refuse, *pass_of(town, "赵强"))["state"] == "refused"
    # Its content is gone from the disk of the node, and the same row goes back.
    wait_until(lambda: WORDS.encode() not in disk(town), "the content has left the disk")
    tried = town.run(NODE, "publish", CHANNEL, file, "--check")["files"][0]
    assert (tried["counts"], tried["held"]) == (outcomes(rejected=1), [])
    assert "HOLD_REFUSED" in Path(tried["rejected_file"]).read_text("utf-8")
    assert town.publish(CHANNEL, file) == outcomes(rejected=1)
    assert [each["state"] for each in town.run(NODE, "holds", "list", "--all")["holds"]] == ["refused"]
    assert town.refused(NODE, "holds", "show", "0" * 16)["code"] == "HOLD_UNKNOWN"


def test_rows_that_nobody_decides_show_in_status_and_after_a_day_in_doctor(holding: Town, tmp_path: Path) -> None:
    town = holding
    assert town.run(NODE, "status")["held_rows"] == 0
    assert "holds list" not in said(town, "status", "en")
    town.publish(CHANNEL, penalties(tmp_path / "facts.csv", WORDS, WORDS + "。"))
    assert town.run(NODE, "status")["held_rows"] == 2
    assert "2 rows wait for two officers; next: xinqiao holds list" in said(town, "status", "en")
    assert "2 行等待两名经办人员处理；下一步：xinqiao holds list" in said(town, "status", "zh")
    assert "HOLDS_WAIT" not in said(town, "doctor", "en")
    # Since the day before yesterday.
    town.kill(NODE)
    with closing(sqlite3.connect(town.home(NODE) / "xinqiao.db")) as database, database:
        database.execute("UPDATE held_rows SET held_at_ms = held_at_ms - 2 * 86400000 WHERE source_row = 3")
    town.serve(NODE)
    (found,) = (each for each in town.run(NODE, "doctor")["findings"] if each["code"] == "HOLDS_WAIT")
    assert (found["subject"], found["severity"], found["figures"]["count"]) == (CHANNEL, "warning", "2")
    english, chinese = said(town, "doctor", "en"), said(town, "doctor", "zh")
    assert f"[warning] held rows {CHANNEL}: HOLDS_WAIT: {CHANNEL}: 2 rows wait for two officers" in english
    assert "who must act: officers of this node" in english
    assert f"[注意] 待复核行 {CHANNEL}: HOLDS_WAIT: {CHANNEL}：2 行等待两名经办人员处理" in chinese
    assert all("`xinqiao holds list`" in text for text in (english, chinese))
    assert WORDS not in english + chinese
    assert "HOLDS_WAIT" not in str(town.run(NODE, "doctor", "--peer", READER))


def said(town: Town, what: str, language: str) -> str:
    """What a command of the node says to people."""
    command = town.commands.start(what, "--home", town.home(NODE), "--lang", language)
    assert command.wait() == 0, command.stdout
    return command.stdout


def disk(town: Town) -> bytes:
    return b"".join(path.read_bytes() for path in town.home(NODE).glob("xinqiao.db*"))
