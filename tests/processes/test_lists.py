"""`xinqiao list` against real nodes: two officers put a subject on a list and take it off, at every reader."""

import csv
from pathlib import Path
from typing import Any

import pytest

from scripts.xq_generate import example_uscc
from tests.lists import DEFINITION
from tests.processes import officers
from tests.processes.commands import wait_until
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town
from tests.processes.test_memory import peak_mib

CHANNEL = "310000/lists/serious-tax"
NODE, READERS = SHANGHAI.id, (PUDONG.id, HANGZHOU.id)
SUBJECT = example_uscc("91", "310000", 7)
DECISION = ("--decision", "税稽罚〔2026〕1号", "--reason", "逃避缴纳税款")
BOUND_MIB = 80
DATES = ("--decided-on", "2026-01-15", "--notice-served", "2025-12-20")


@pytest.fixture
def listing(town: Town, tmp_path: Path) -> Town:
    """Shanghai has two officers and a serious list."""
    town.serve(NODE, *READERS)
    officers.add(town, NODE, "李明", "王芳")
    file = tmp_path / "serious-tax.yaml"
    file.write_text(DEFINITION, "utf-8")
    defined = town.run(NODE, "list", "define", file)
    assert (defined["changed"], defined["list"]["channel"]["head"]["channel"]) == (True, CHANNEL)
    assert town.run(NODE, "list", "define", file)["changed"] is False
    return town


def by(town: Town, name: str) -> tuple[object, ...]:
    return "--officer", name, "--passphrase-file", officers.passphrase_of(town, name)


def decided(town: Town, *argv: object) -> dict[str, Any]:
    """Propose a change by one officer and approve it by the other; returns what became of it."""
    proposed = town.run(NODE, "list", *argv, *by(town, "李明"))
    assert proposed["state"] == "pending"
    return town.run(NODE, "list", "approve", proposed["change"]["id"], *by(town, "王芳"))


def applied_by(town: Town, node: str, entry: str) -> set[str]:
    """The nodes that have applied the last step of an entry, as a node knows by their receipts."""
    last = town.run(node, "list", "entry", entry)["steps"][-1]
    return {holder["node"] for holder in last["holders"] if holder["state"] == "applied"}


def test_a_subject_is_listed_and_lifted_by_two_officers_at_every_reader(listing: Town) -> None:
    town = listing
    add = ("list", "add", "serious-tax", "--subject", SUBJECT, *DECISION, *DATES, "--measures", "SHR-31-1")
    proposed = town.run(NODE, *add, *by(town, "李明"))
    change = proposed["change"]["id"]
    assert (proposed["state"], proposed["entries"], proposed["change"]["kind"]) == ("pending", [], "LIST_KIND_SERIOUS")
    (line,) = town.run(NODE, "list", "pending")["changes"]
    assert (line["id"], [each["officer"] for each in line["signatures"]]) == (change, ["李明"])
    shown = town.run(NODE, "list", "pending", change)
    assert shown["operations"][0]["subject"] == SUBJECT
    # neither the proposer nor somebody without a key decides
    assert town.refused(NODE, "list", "approve", change, *by(town, "李明"))["code"] == "LIST_SAME_OFFICER"
    wrong = ("--officer", "王芳", "--passphrase-file", officers.passphrase_of(town, "李明"))
    assert town.refused(NODE, "list", "approve", change, *wrong)["code"] == "OFFICER_PASSPHRASE"
    # what is proposed survives a crash
    town.kill(NODE)
    town.serve(NODE)
    approved = town.run(NODE, "list", "approve", change, *by(town, "王芳"))
    assert (approved["state"], approved["fault"]["code"]) == ("published", "")
    (entry,) = approved["entries"]
    assert entry == f"{CHANNEL}#0/1/0"
    town.wait_for_agreement(CHANNEL, READERS)
    for node in (NODE, *READERS):
        shown = town.run(node, "list", "show", CHANNEL)
        (line,) = shown["entries"]
        assert (line["entry"], line["subject"], line["state"]) == (entry, SUBJECT, "listed")
        assert (shown["digest"], shown["live"]) == ("match", 1)
    lifted = decided(town, "exit", "serious-tax", "0/1/0", "--decision", "税稽撤〔2026〕9号", "--reason", "已缴清")
    assert (lifted["change"]["subject"], lifted["change"]["entry"]["index"]) == (SUBJECT, 1)
    assert lifted["state"] == "published"
    town.wait_for_agreement(CHANNEL, READERS)
    for node in (NODE, *READERS):
        assert town.run(node, "list", "show", CHANNEL)["entries"] == []
        (line,) = town.run(node, "list", "show", CHANNEL, "--all")["entries"]
        assert line["state"] == "exited"
        wait_until(lambda: applied_by(town, node, entry) == {NODE, *READERS}, "every receipt is there")  # noqa: B023
        steps = town.run(node, "list", "entry", entry)["steps"]
        assert [step["op"]["act"] for step in steps] == ["LIST_ACT_ENTER", "LIST_ACT_EXIT"]
        for step in steps:
            assert [(each["act"], each["officer"]) for each in step["signatures"]] == [
                ("list.propose", "李明"),
                ("list.approve", "王芳"),
            ]
    (one,) = town.run(READERS[0], "list", "show")["lists"]
    assert (one["own"], one["live"], one["digest"]) == (False, 0, "match")
    exit_ = ("list", "exit", "serious-tax", entry, "--decision", "再", "--reason", "再", *by(town, "李明"))
    assert town.refused(NODE, *exit_)["code"] == "LIST_STATE"
    assert (
        town.refused(READERS[0], "list", "exit", CHANNEL, "0/1/0", *DECISION, "--officer", "x")["code"]
        == "LIST_NOT_OURS"
    )
    assert town.run(NODE, "list", "pending")["changes"] == []


def test_a_change_is_signed_where_no_node_is(listing: Town, tmp_path: Path) -> None:
    town = listing
    statement = tmp_path / "propose.statement"
    add = ("list", "add", "serious-tax", "--subject", SUBJECT, *DECISION, *DATES)
    drafted = town.run(NODE, *add, "--officer", "李明", "-o", statement)
    change = drafted["change"]["id"]
    key = town.home(NODE) / "officers" / "李明.pem"
    officers.offline(town, "李明", "officer", "sign", statement, "--key", key, "--yes")
    assert town.run(NODE, "officer", "submit", statement)["state"] == "pending"
    refused = town.run(NODE, "list", "refuse", change, "--reason", "证据不足", *by(town, "王芳"))
    assert refused["state"] == "refused"
    assert town.refused(NODE, "list", "approve", change, *by(town, "王芳"))["code"] == "LIST_CHANGE_SETTLED"


def test_a_command_that_nobody_signs_leaves_nothing(listing: Town) -> None:
    town = listing
    add = ("list", "add", "serious-tax", "--subject", SUBJECT, *DECISION, *DATES)
    assert town.refused(NODE, *add, "--officer", "赵强", "--passphrase-file", officers.passphrase_of(town, "赵强"))
    assert town.run(NODE, "list", "pending", "--all")["changes"] == []


@pytest.mark.parametrize(
    ("argv", "code", "rule"),
    [
        (("--subject", SUBJECT, "--reason", "逃税", *DATES), "LIST_DECISION", "R-LST-2"),
        (("--subject", SUBJECT, *DECISION, "--decided-on", "2026-01-15"), "LIST_NOTICE", "R-LST-2"),
        (("--subject", SUBJECT, *DECISION, *DATES, "--measures", "SHR-30-1"), "LIST_MEASURE", "R-MSR-2"),
        (("--subject", SUBJECT[:-1], *DECISION, *DATES), "FIELD_USCC_SHAPE", ""),
        ((*DECISION, *DATES), "ARGUMENT_INVALID", ""),
    ],
)
def test_bad_input_is_refused_with_rule_and_article(
    listing: Town, argv: tuple[object, ...], code: str, rule: str
) -> None:
    error: dict[str, Any] = dict(listing.refused(NODE, "list", "add", "serious-tax", *argv, *by(listing, "李明")))
    assert (error["code"], error["parameters"].get("rule", "")) == (code, rule)
    assert error["who"]
    assert bool(rule) == bool(error["parameters"].get("article"))


def bulk(path: Path, count: int, wrong: int) -> Path:
    """A file of subjects, the first ones of which have a code that is none."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["主体代码", "主体名称", "决定文书号"])
        for at in range(count):
            code = example_uscc("91", "310000", 100 + at)
            rows.writerow([code if at >= wrong else code[:-1], f"示例{at}", f"税稽罚〔2026〕{at}号"])
    return path


def test_a_file_with_wrong_rows_returns_them_and_proposes_nothing_unless_told_to(listing: Town, tmp_path: Path) -> None:
    town, file = listing, bulk(tmp_path / "bulk.csv", 700, 3)
    add = ("list", "add", "serious-tax", "--file", file, "--reason", "逃避缴纳税款", *DATES, *by(town, "李明"))
    command = town.start(NODE, *add)
    command.wait()
    (document,) = command.documents()
    assert (command.status, document["change"], document["wrong"]) == (1, None, 3)
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        rejected = list(csv.DictReader(opened))
    assert [(row["xq_row"], row["xq_code"], row["xq_column"]) for row in rejected] == [
        (str(number), "FIELD_USCC_SHAPE", "subject") for number in (2, 3, 4)
    ]
    assert town.run(NODE, "list", "pending")["changes"] == []
    proposed = town.run(NODE, *add, "--skip-wrong")
    assert proposed["change"]["operations"] == 697
    approved = town.run(NODE, "list", "approve", proposed["change"]["id"], *by(town, "王芳"))
    assert (approved["state"], len(approved["change"]["entries"])) == ("published", 3)
    town.wait_for_agreement(CHANNEL, READERS)
    # the same file again is refused row by row
    again = town.start(NODE, *add, "--skip-wrong")
    again.wait()
    assert (again.status, again.documents()[0]["wrong"]) == (1, 700)


def test_publication_goes_on_after_a_crash(listing: Town, tmp_path: Path) -> None:
    town, file = listing, bulk(tmp_path / "bulk.csv", 4000, 0)
    add = ("list", "add", "serious-tax", "--file", file, "--reason", "逃避缴纳税款", *DATES, *by(town, "李明"))
    change = town.run(NODE, *add)["change"]["id"]
    approving = town.start(NODE, "list", "approve", change, *by(town, "王芳"))
    wait_until(lambda: (town.channel(NODE, CHANNEL) or {"head": {"size": 0}})["head"]["size"] > 2, "some of it is out")
    town.kill(NODE)
    approving.wait()
    town.serve(NODE)
    wait_until(
        lambda: town.run(NODE, "list", "pending", change)["change"]["state"] == "published", "all of it is out", 90
    )
    assert len(town.run(NODE, "list", "pending", change)["change"]["entries"]) == 16
    assert town.channel(NODE, CHANNEL)["head"]["size"] == 17  # type: ignore[index]
    town.wait_for_agreement(CHANNEL, READERS, 60)


@pytest.mark.long
def test_g12_a_file_of_100000_rows_with_1000_wrong_ones_returns_these_and_needs_little_memory(
    listing: Town, tmp_path: Path
) -> None:
    town, file = listing, bulk(tmp_path / "bulk.csv", 100_000, 1_000)
    before = peak_mib(town.serving[NODE].pid)
    add = ("list", "add", "serious-tax", "--file", file, "--reason", "逃避缴纳税款", *DATES, *by(town, "李明"))
    command = town.start(NODE, *add)
    command.wait(600)
    (document,) = command.documents()
    assert (command.status, document["change"], document["wrong"]) == (1, None, 1_000)
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        assert [int(row["xq_row"]) for row in csv.DictReader(opened)] == list(range(2, 1_002))
    assert town.run(NODE, "list", "pending", "--all")["changes"] == []
    proposing = town.start(NODE, *add, "--skip-wrong")
    proposing.wait(600)
    assert proposing.documents()[0]["change"]["operations"] == 99_000
    assert peak_mib(town.serving[NODE].pid) - before < BOUND_MIB
