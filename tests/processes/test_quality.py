"""`xinqiao quality` against real nodes: at the writer and at a reader, as a table, as JSON and in metrics."""

import csv
import re
import urllib.request
from pathlib import Path

from tests.processes.files import penalties, registrations, subject
from tests.processes.network import LOOPBACK, PUDONG, SHANGHAI, Town, free_port

CHANNEL = "310000/base"


def ratios(document: dict[str, object]) -> dict[str, float | None]:
    figures = document["figures"]
    assert isinstance(figures, list)
    return {each["name"]: each["ratio"] for each in figures}


def test_rows_returned_and_records_corrected_show_at_the_writer_and_its_reader(town: Town, tmp_path: Path) -> None:
    port = free_port()
    town.set(SHANGHAI.id, metrics_listen=f"{LOOPBACK}:{port}")
    town.serve(SHANGHAI.id, PUDONG.id)
    town.create(CHANNEL, "registration.base", "everyone")
    file = registrations(tmp_path / "rows.csv", range(1, 41))
    with file.open("a", encoding="utf-8", newline="") as out:
        # Ten rows whose code is none.
        csv.writer(out).writerows([f"NO-CODE-{at}", "示例", "存续", "示例登记机关", ""] for at in range(10))
    counts = town.publish(CHANNEL, file)
    assert (counts["accepted"], counts["rejected"]) == (40, 10)
    town.publish(CHANNEL, registrations(tmp_path / "changed.csv", range(1, 5), state="注销"))
    town.wait_for_agreement(CHANNEL, [PUDONG.id])
    # A dry run offers nothing.
    town.run(SHANGHAI.id, "publish", CHANNEL, file, "--check")
    own, other = (town.run(node, "quality", CHANNEL) for node in (SHANGHAI.id, PUDONG.id))
    assert (own["records"], own["revised"], own["rows_offered"], own["rows_rejected"]) == (44, 4, 54, 10)
    assert ratios(own)["accuracy"] == ratios(other)["accuracy"] == round(40 / 44, 6)
    assert ratios(other)["standardisation"] == 1
    # Only the address is filled in, of ten optional fields.
    assert ratios(own)["completeness"] == ratios(other)["completeness"] == 0.1
    assert ratios(own)["timeliness"] is None
    assert (own["counted"], own["entries"]) == (3, 3)
    (month,) = own["months"]
    assert town.run(SHANGHAI.id, "quality", CHANNEL, "--month", month)["figures"] == own["figures"]
    assert town.refused(SHANGHAI.id, "quality", CHANNEL, "--month", "2026")["code"] == "ARGUMENT_INVALID"
    assert town.refused(SHANGHAI.id, "quality", "310000/none")["code"] == "CHANNEL_UNKNOWN"
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics") as answer:
        page = answer.read().decode()
    shown = re.findall(
        r'^xinqiao_channel_quality\{channel="310000/base",figure="accuracy",period="all"\} (.*)$', page, re.M
    )
    assert [round(float(each), 6) for each in shown] == [round(40 / 44, 6)]
    assert not any(subject(serial) in page for serial in range(1, 41))


def test_decisions_are_timed_by_the_rules_and_people_read_it_in_their_language(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id)
    town.create("310000/penalties", "penalty.2018", "everyone")
    file = tmp_path / "penalties.csv"
    penalties(file, 30, town.plans[SHANGHAI.id].authority)
    town.publish("310000/penalties", file)
    found = town.run(SHANGHAI.id, "quality", "310000/penalties")
    # What the generator dates years back is late, by the edition of the rules that the registry publishes.
    assert (found["duty_days"], found["late"], ratios(found)["timeliness"]) == (7, found["records"], 0)
    assert found["days"] == [{"days": 61, "count": found["records"]}]
    # Published in Shanghai, they are to be followed by more within a month, and their query periods end some day.
    ends = town.run(SHANGHAI.id, "forecast", "--days", 3660)["endings"]
    codes = [each["code"] for each in ends if each["node"] == SHANGHAI.id]
    assert {"TERM_ENDS", "RECORDS_END"} <= set(codes)
    home = ("--home", town.home(SHANGHAI.id))
    english = town.commands.start("quality", "310000/penalties", *home)
    assert english.wait() == 0, english.stderr
    assert re.search(r"timeliness +0\.0 % +0/", english.stdout)
    assert "half after more than 60 working days, 90 % after more than 60 working days" in english.stdout
    chinese = town.commands.start("quality", "310000/penalties", *home, "--lang", "zh")
    assert chinese.wait() == 0, chinese.stderr
    for word in ("完整性", "及时性", "规范性", "准确性", "规则规定的期限：7 个工作日"):
        assert word in chinese.stdout
