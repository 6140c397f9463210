"""Nobody outside an audience learns of a person, and no log, metric or message of anybody names one."""

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.processes import happenings
from tests.processes.happenings import (
    CLASS_C,
    ERASED,
    EVERYBODY,
    LEAVER,
    LICENSED,
    LIED_ABOUT,
    OF_A_LIAR,
    ORIGIN,
    OUTSIDE,
    PUBLISHED,
    READER,
    REPRESENTING,
    Happened,
)
from tests.processes.network import Town
from tests.processes.persons import person
from tests.processes.wiretap import Conversation, Tap, coded_texts
from tests.searching import Search, forms

TELLS_OF_RECORDS = ("records", "verify")
"""Commands whose answer is the record itself."""


@pytest.fixture(scope="module")
def told(founded: Town, tmp_path_factory: pytest.TempPathFactory) -> Happened:
    """A network after all that has happened, its nodes ended as by a loss of power."""
    folder = tmp_path_factory.mktemp("privacy")
    town = founded.copy(folder / "town")
    (folder / "files").mkdir()
    tap = Tap(folder)
    try:
        found = happenings.happen(town, tap, folder / "files")
    finally:
        town.close()
        tap.close()
    return found


@pytest.fixture(scope="module")
def search() -> Search:
    """The search for every person."""
    return happenings.search()


def everything_of(told: Happened, node: str, search: Search) -> list[str]:
    """What is found in a node's home and in what its process left elsewhere."""
    return search.in_folder(told.town.home(node)) + search.in_folder(told.temporary(node))


def heard_in(conversations: Iterable[Conversation], search: Search) -> set[str]:
    """What is found in what was said."""
    return {each for one in conversations for said in one.readable() for each in search.in_bytes(said)}


def test_what_happened_is_what_was_to_happen(told: Happened) -> None:
    counts = told.counts
    assert counts["c.csv"] == {"rows": 30, "accepted": 30}
    assert counts["c.xlsx"] == {"rows": 10, "accepted": 10}
    assert counts["c.jsonl"] == {"rows": 5, "accepted": 5}
    assert counts["b.csv"] == {"rows": 10, "accepted": 10}
    assert counts["revised.csv"] == {"rows": 5, "revised": 5}
    for name in ("bad.csv", "numbers.xlsx", "broken.csv", "broken.jsonl", "a-persons.csv", "a-words.csv"):
        assert set(counts[name]) == {"rows", "rejected"}, (name, counts[name])
    assert counts["a.csv"] == {"rows": 10, "accepted": 10}
    assert counts["interrupted.xlsx"]["duplicate"] > 0
    assert told.refusals, "the liar was refused nothing"
    with (told.folder / "a-words.rejected.csv").open(encoding="utf-8-sig", newline="") as opened:
        codes = [row["xq_code"] for row in csv.DictReader(opened)]
    assert codes == ["FIELD_RESIDENT_ID_PUBLIC"] * 6 + ["FIELD_USCC_CHECK_DIGIT"]


@pytest.mark.parametrize("node", OUTSIDE)
def test_a_node_outside_the_audience_holds_no_trace_of_any_person(told: Happened, search: Search, node: str) -> None:
    assert everything_of(told, node, search) == []


def test_the_registry_and_its_officers_hold_no_trace_of_any_person(told: Happened, search: Search) -> None:
    town = told.town
    folders = [town.registry_home, *(town.officer_key(number).parent for number in (1, 2, 3))]
    assert [found for folder in folders for found in search.in_folder(folder)] == []


def test_who_was_dropped_from_the_audience_holds_no_trace_any_more(told: Happened, search: Search) -> None:
    assert everything_of(told, LEAVER, search) == []


def test_nothing_about_a_person_travels_to_anybody_outside(told: Happened, search: Search) -> None:
    conversations = told.tap.heard(*OUTSIDE, "registry", "anybody")
    assert {each.caller for each in conversations} >= {*OUTSIDE, ORIGIN, "anybody"}
    found = heard_in(conversations, search)
    assert found == set()
    document = Search({"a penalty of a company": [f"示示字〔2024〕{REPRESENTING[0]:06d}号"]})
    assert heard_in(conversations, document), "not even what everybody may read has been read on the wire"
    assert sum(coded_texts(bytes(said)) for each in conversations for said in (each.asked, each.answered)) == 0


def test_the_tap_reads_what_travels_inside(told: Happened, search: Search) -> None:
    found = heard_in(told.tap.heard(READER), search)  # from the origin, or from the other reader who had it first
    for serial in (*PUBLISHED, *LICENSED):
        for value in person(serial).values:
            assert f"person {serial}: {value} as utf-8" in found


def test_no_log_of_any_process_names_a_person(told: Happened, search: Search) -> None:
    logs = "\n".join(command.stderr + command.stdout for _, command in told.town.log)
    assert all(f'"node": "{node}"' in logs for node in EVERYBODY)
    assert search.in_bytes(logs.encode()) == []


def test_no_metric_of_any_node_names_a_person(told: Happened, search: Search) -> None:
    assert set(told.metrics) == set(EVERYBODY)
    assert f'xinqiao_channel_records{{channel="{CLASS_C}"' in told.metrics[READER]
    assert search.in_bytes("\n".join(told.metrics.values()).encode()) == []


def test_no_message_of_any_command_names_a_person(told: Happened, search: Search) -> None:
    found, codes = [], set()
    for command in told.commands():
        if command.argv[0] not in TELLS_OF_RECORDS or str(told.town.home(OUTSIDE[0])) in command.argv:
            said = (command.stdout + command.stderr).encode()
            found += [f"{command.argv[:3]}: {each}" for each in search.in_bytes(said)]
        codes |= set(_codes_in(command.stdout))
    found += search.in_bytes("\n".join(told.refusals).encode())
    assert found == []
    assert codes >= {"FILE_HEADER", "FILE_COLUMNS_UNKNOWN", "FILE_COLUMNS_REPEATED", "FILE_ENCODING", "RECORD_UNKNOWN"}


def _codes_in(stdout: str) -> Iterator[str]:
    for line in stdout.splitlines():
        if line.startswith("{") and isinstance(error := json.loads(line).get("error"), dict):
            yield error["code"]


def test_what_was_erased_is_gone_wherever_it_was(told: Happened) -> None:
    erased = Search({f"person {serial}": person(serial).values for serial in ERASED})
    for node in EVERYBODY:
        assert everything_of(told, node, erased) == []


def test_what_may_never_be_public_has_left_class_a_before_it_was_signed(told: Happened) -> None:
    """Nobody holds the numbers of the representatives, not even the node that published their companies."""
    wanted = {f"person {serial}": person(serial).values[:1] for serial in (*REPRESENTING, *happenings.IN_WORDS)}
    wanted |= {f"person {serial}": person(serial).values for serial in happenings.NOT_PUBLIC}
    never = Search(wanted)
    for node in EVERYBODY:
        assert everything_of(told, node, never) == []
    said = [piece for each in told.tap.conversations for piece in each.readable()]
    assert [found for piece in said for found in never.in_bytes(piece)] == []


def test_what_a_liar_signs_into_class_a_is_kept_by_nobody(told: Happened) -> None:
    lied = Search({f"person {serial}": person(serial).values for serial in LIED_ABOUT})
    for node in (ORIGIN, READER, *OUTSIDE):
        assert everything_of(told, node, lied) == []
        with sqlite3.connect(f"file:{told.town.home(node) / 'xinqiao.db'}?mode=ro", uri=True) as database:
            found = database.execute(
                "SELECT o.code, o.count FROM outcomes o JOIN channels c ON c.id = o.channel_id WHERE c.name = ?",
                (OF_A_LIAR,),
            ).fetchall()
        if node == OUTSIDE[0]:
            assert {"RULE_NATURAL_PERSON_PUBLIC", "FIELD_NEVER_PUBLIC", ""} <= {code for code, _ in found}


def test_those_inside_hold_the_persons_and_the_search_finds_them(told: Happened, search: Search) -> None:
    for node in (ORIGIN, READER):
        found = search.in_folder(told.town.home(node))
        for serial in (*PUBLISHED[3:10], *LICENSED[3:]):
            if serial not in ERASED:
                assert any(f"person {serial}: {person(serial).id_no} as utf-8" in each for each in found)
                assert any(f"the key of the record of person {serial}" in each for each in found)


# --- Whether the search can find -----------------------------------------------------------------------------------


@pytest.fixture
def copied(told: Happened, tmp_path: Path) -> Path:
    """A copy of the home of a node outside, in which things may be planted."""
    home = tmp_path / "home"
    shutil.copytree(told.town.home(OUTSIDE[0]), home, ignore=shutil.ignore_patterns("*.sock", "serve.lock"))
    return home


def test_planted_in_a_file_every_form_of_every_value_is_found(search: Search, copied: Path) -> None:
    place = copied / "evidence" / "one.evidence"
    content = place.read_bytes()
    for value in person(1).values:
        for form, pattern in forms(value):
            place.write_bytes(content[:100] + pattern + content[100:200])
            assert search.in_file(place), f"{value} as {form} is not found"
    assert any("one.evidence" in each for each in search.in_folder(copied))


def test_planted_in_a_database_a_value_is_found_also_where_it_was_deleted(search: Search, copied: Path) -> None:
    database = sqlite3.connect(copied / "xinqiao.db", isolation_level=None)
    database.execute("PRAGMA secure_delete = OFF")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.execute("INSERT INTO alarms VALUES ('X', ?, '{}', 0, 0, 1)", (person(1).id_no,))
    assert any("xinqiao.db-wal" in each for each in search.in_folder(copied))
    assert any("in a cell" in each for each in search.in_folder(copied))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("DELETE FROM alarms WHERE code = 'X'")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    found = search.in_folder(copied)
    assert found
    assert not any("in a cell" in each for each in found), "a freed place of a page is where it is"


def test_planted_in_a_log_a_metric_a_message_or_a_packed_file_a_value_is_found(search: Search, copied: Path) -> None:
    line = json.dumps({"event": "示例", "detail": person(1).name}, ensure_ascii=False).encode()
    assert search.in_bytes(line)
    assert search.in_bytes(json.dumps({"detail": person(1).name}).encode())
    assert search.in_bytes(f'xinqiao_alarms{{subject="{person(1).id_no}"}} 1'.encode())
    shutil.make_archive(str(copied / "packed"), "gztar", copied)
    (copied / person(2).id_no).write_text("")
    assert search.in_folder(copied)
