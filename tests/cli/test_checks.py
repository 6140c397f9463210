"""`xinqiao check` and `xinqiao queries` as people and programs use them, against the service on a real socket."""

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest
from click.testing import CliRunner, Result

from node.cli import answer_files
from node.cli.main import main
from node.core.list_type import RED, SERIOUS
from node.core.membership import Standing
from node.pb import query_service_pb2_grpc
from node.rpc.query_server import QueryServicer
from tests.builders import UNIT, make_measures
from tests.duties.test_answers import LIMIT_S, NOT_ON_IT, ON_IT, ORIGIN, Town, run
from tests.duties.test_querying import CountingWriter
from tests.list_writer import subject_of

LIST = f"{ORIGIN}/lists/serious-tax"
ASKED = ("--matter", "bidding.tender", "--unit", UNIT, "--officer", "李明", "--ground", "招标投标法第三十三条")


class Shell:
    """Commands of the home whose node a town has as its reader."""

    def __init__(self, town: Town, home: Path) -> None:
        self.town = town
        self._home = home

    async def run(self, *argv: object, chinese: bool = False) -> Result:
        language = {"XINQIAO_LANG": "zh" if chinese else "en", "XINQIAO_HOME": str(self._home)}
        words = [str(word) for word in argv]
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=language, catch_exceptions=False)

    async def check(self, *argv: object, chinese: bool = False) -> Result:
        return await self.run("check", *argv, *ASKED, chinese=chinese)


@asynccontextmanager
async def shell(tmp_path: Path, *kinds: int) -> AsyncIterator[Shell]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "xinqiao.toml").touch()
    town = await Town(*(kinds or (SERIOUS,))).open()
    server = grpc.aio.server()
    query_service_pb2_grpc.add_QueryServiceServicer_to_server(QueryServicer(town.node), server)
    server.add_insecure_port(f"unix:{home / 'admin.sock'}")
    await server.start()
    try:
        yield Shell(town, home)
    finally:
        await server.stop(None)


def test_the_exit_status_tells_clear_listed_unconfirmed_and_refused_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            assert (await at.check("--subject", NOT_ON_IT)).exit_code == 0
            assert (await at.check("--subject", ON_IT)).exit_code == 3
            at.town.network.clock.time_ms += LIMIT_S * 1000 + 1
            for subject in (ON_IT, NOT_ON_IT):
                assert (await at.check("--subject", subject)).exit_code == 4
            refused = await at.check("--subject", "somebody", "--json")
            assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, "QUERY_SUBJECT")
            assert (await at.check()).exit_code == 2
            assert (await at.check("--subject", ON_IT, "--file", __file__)).exit_code == 2

    run(scenario())


def test_a_listed_subject_is_shown_with_entry_days_measures_and_legal_basis_in_both_languages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            english = (await at.check("--subject", ON_IT)).output
            assert english.startswith(f"LISTED  {ON_IT}\n")
            assert f"  {LIST}  List of serious tax offenders (serious list): listed\n" in english
            assert f"entry {LIST}#0/1/0  since 2026-01-05, until 2028-12-31\n" in english
            assert "measure SHR-31-1 measure SHR-31-1 (上海市社会信用条例 art. 31)\n" in english
            assert "legal basis: 税收征收管理法 第六十三条\n" in english
            assert "the measures shown may be applied to the subject, and to nobody else\n" in english
            chinese = (await at.check("--subject", ON_IT, chinese=True)).output
            assert chinese.startswith(f"已列入  {ON_IT}\n")
            assert f"  {LIST}  重大税收违法失信主体名单（严重失信主体名单）：已列入\n" in chinese
            assert "措施 SHR-31-1 措施SHR-31-1（上海市社会信用条例第31条）\n" in chinese
            assert "所列措施可对该主体实施，且仅限该主体\n" in chinese
            found = json.loads((await at.check("--subject", ON_IT, "--json")).stdout)
            assert (found["verdict"], found["query"]) == ("QUERY_VERDICT_LISTED", 3)
            assert found["lists"][0]["entries"][0]["since"] == "2026-01-05"

    run(scenario())


def test_measures_that_are_not_published_and_red_entries_that_conflict_are_told_as_such(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path, SERIOUS, RED) as at:
            editions = at.town.network.editions
            editions["measures/2026.2.json"] = make_measures("SHR-31-3", version="2026.2")
            await at.town.network.publish_registry()
            said = (await at.check("--subject", ON_IT)).output
            assert "left out, as not published: 1 measures (R-MSR-1)\n" in said
            assert "SHR-31-1" not in said
            assert "not applicable: the subject stands on a serious list (R-LST-8)\n" in said

    run(scenario())


def test_an_unconfirmed_subject_is_shown_with_the_doubt_and_whom_to_ask_in_both_languages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            await at.town.network.relist(ORIGIN, standing=Standing.SUSPENDED)
            english = (await at.check("--subject", ON_IT)).output
            assert english.startswith(f"UNCONFIRMED  {ON_IT}\n")
            assert "origin suspended: its origin is suspended or removed" in english
            assert "apply no measure of this list; ask its origin\n" in english
            assert f"ask {ORIGIN} node {ORIGIN}\n" in english
            assert "SHR" not in english
            chinese = (await at.check("--subject", ON_IT, chinese=True)).output
            assert chinese.startswith(f"未能确认  {ON_IT}\n")
            assert "来源节点被暂停：其来源节点被暂停或移除" in chinese
            assert "不得实施本名单的任何措施；请询问其来源节点\n" in chinese

    run(scenario())


def test_a_file_is_answered_row_by_row_and_rows_that_cannot_be_asked_are_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source, target = tmp_path / "subjects.csv", tmp_path / "answers.csv"
            rows = [["name", "subject"], ["甲", ON_IT], ["乙", "示例"], [], ["丙", NOT_ON_IT.lower()], ["丁"]]
            source.write_text("\n".join(",".join(row) for row in rows), "utf-8-sig")
            done = await at.check("--file", source, "-o", target)
            assert done.exit_code == 1
            assert "4 subjects checked: clear 1, listed 1, unconfirmed 0, refused 2" in done.stderr
            written = list(csv.DictReader(target.read_text("utf-8").splitlines()))
            assert [(row["row"], row["verdict"]) for row in written] == [
                ("2", "listed"),
                ("3", "refused"),
                ("5", "clear"),
                ("6", "refused"),
            ]
            assert (written[0]["lists"], written[0]["measures"]) == (LIST, "SHR-31-1")
            assert written[0]["entries"] == f"{LIST}#0/1/0"
            assert "neither a unified social credit code" in written[1]["why"]
            (entry,) = at.town.node.querying.entries()
            assert entry.query.count == 2
            again = await at.check("--file", source, "-o", target, "--json")
            assert json.loads(again.stdout)["error"]["code"] == "FILE_ACCESS"

    run(scenario())


def test_a_file_without_a_heading_is_answered_as_lines_of_json(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source = tmp_path / "subjects.csv"
            source.write_text(f"{ON_IT}\n{NOT_ON_IT}\n{subject_of(5)}\n", "utf-8")
            at.town.network.clock.time_ms += LIMIT_S * 1000 + 1
            done = await at.check("--file", source, "--json")
            assert done.exit_code == 0
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert [(line["row"], line["answer"]["subject"]) for line in lines] == [
                (1, ON_IT),
                (2, NOT_ON_IT),
                (3, subject_of(5)),
            ]
            assert {line["answer"]["verdict"] for line in lines} == {"QUERY_VERDICT_UNCONFIRMED"}

    run(scenario())


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", "代码\n".encode("gb18030")])
def test_a_file_in_another_encoding_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source = tmp_path / "subjects.csv"
            source.write_bytes(content)
            done = await at.check("--file", source, "--json")
            assert done.exit_code == 1
            assert "UTF-8" in json.loads(done.stdout.splitlines()[-1])["error"]["text"]
            assert at.town.node.world.store.last_query() is None

    run(scenario())


def test_who_has_asked_is_shown_and_the_chain_is_proven_or_the_break_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            for subject in (ON_IT, NOT_ON_IT):
                await at.check("--subject", subject)
            every, one = await at.run("queries"), await at.run("queries", "--subject", ON_IT, "--json")
            assert ON_IT in every.output
            assert NOT_ON_IT in every.output
            assert [line["sequence"] for line in json.loads(one.stdout)["queries"]] == [1]
            assert [line["officer"] for line in json.loads(one.stdout)["queries"]] == ["李明"]
            sound = await at.run("queries", "verify")
            assert sound.exit_code == 0
            head = sound.output.splitlines()[1]
            assert head.startswith("2:")
            await at.check("--subject", ON_IT)
            assert (await at.run("queries", "verify", "--head", head)).exit_code == 0
            assert "ARGUMENT_INVALID" in (await at.run("queries", "verify", "--head", "2:no")).output
            forked = await at.run("queries", "verify", "--head", f"2:{'0' * 64}", "--json")
            error = json.loads(forked.stdout)["error"]
            assert (forked.exit_code, error["code"], error["parameters"]["sequence"]) == (1, "QUERY_LOG", "2")
            chinese = await at.run("queries", "verify", "--head", f"2:{'0' * 64}", chinese=True)
            assert "查询日志自第 2 条起损坏：该条完好，但不是先前记下的那一条" in chinese.output

    run(scenario())


# -- sweeps that break off ------------------------------------------------------------------------------------


def subjects_file(tmp_path: Path, count: int) -> Path:
    """A file with a heading, whose third row cannot be asked and whose fifth stands on a list."""
    rows = [subject_of(at + 10) for at in range(count)]
    rows[1], rows[3] = "示例", ON_IT
    source = tmp_path / "subjects.csv"
    source.write_text("\n".join(["subject", *rows]) + "\n", "utf-8")
    return source


@pytest.fixture
def chunks_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_files, "ROWS_PER_CHUNK", 5)


@pytest.mark.usefixtures("chunks_of_five")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_sweep_that_broke_off_goes_on_behind_its_last_whole_row_and_ends_as_if_it_never_had(
    tmp_path: Path, form: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source, whole, target = subjects_file(tmp_path, 23), tmp_path / "whole", tmp_path / "answers"
            assert (await at.check("--file", source, "-o", whole, *form)).exit_code == 1
            writer = CountingWriter(at.town.node.world.store)
            writer.failing = {2: ("DISK_FULL", False)}
            at.town.node.querying._writer = writer
            broken = await at.check("--file", source, "-o", target, *form)
            assert broken.exit_code == 1
            assert "DISK_FULL" in broken.output
            assert "10 rows are answered; the same with --resume goes on" in broken.stderr
            written = target.read_bytes()
            assert written.count(b"\n") == 10 + (not form)
            target.write_bytes(written + whole.read_bytes()[len(written) :][:9])  # a row that was being written
            done = await at.check("--file", source, "-o", target, "--resume", *form)
            assert (done.exit_code, numbered(target.read_text("utf-8"))) == (0, numbered(whole.read_text("utf-8")))
            assert "13 subjects checked: clear 13, listed 0" in done.stderr
            asked = [entry.query.count for entry in at.town.node.querying.entries()]
            assert asked[5:] == [4, 5, 5, 5, 3], "what was answered is not asked again"
            again = await at.check("--file", source, "-o", target, "--resume", *form)
            assert "0 subjects checked" in again.stderr

    run(scenario())


def numbered(text: str) -> list[str]:
    """The rows without what differs from one time of asking to another."""
    return [re.sub(r'"(answered_at_unix_ms|query)": [0-9]+', "", line) for line in text.splitlines()]


@pytest.mark.usefixtures("chunks_of_five")
def test_nothing_goes_on_in_answers_to_something_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source, target = subjects_file(tmp_path, 9), tmp_path / "answers"
            assert (await at.check("--file", source, "--resume")).exit_code == 2
            first = await at.check("--file", source, "-o", target, "--resume")
            assert (first.exit_code, target.read_text("utf-8").count("\n")) == (1, 10)
            kept, before = target.read_bytes(), at.town.node.querying.head
            others = source.read_text("utf-8").splitlines()
            for rows in (others[:5], [*others[:3], subject_of(2), *others[4:]], [others[0], "", *others[1:]]):
                source.write_text("\n".join(rows), "utf-8")
                refused = await at.check("--file", source, "-o", target, "--resume", "--json")
                assert json.loads(refused.stdout)["error"]["code"] == "ARGUMENT_INVALID"
            source.write_text("\n".join(others), "utf-8")
            assert (await at.check("--file", source, "-o", target, "--resume", chinese=True)).exit_code == 1
            assert (target.read_bytes(), at.town.node.querying.head) == (kept, before)

    run(scenario())


@pytest.mark.usefixtures("chunks_of_five")
def test_rows_that_cannot_be_asked_come_in_their_place_however_many_there_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shell(tmp_path) as at:
            source, target = tmp_path / "subjects.csv", tmp_path / "answers"
            rows = ["示例"] * 12 + [ON_IT] + ["示例"] * 11 + [NOT_ON_IT] + ["示例"] * 3
            source.write_text("\n".join(rows), "utf-8")
            done = await at.check("--file", source, "-o", target)
            assert "28 subjects checked: clear 1, listed 1, unconfirmed 0, refused 26" in done.stderr
            verdicts = [row["verdict"] for row in csv.DictReader(target.read_text("utf-8").splitlines())]
            assert verdicts == ["refused"] * 12 + ["listed"] + ["refused"] * 11 + ["clear"] + ["refused"] * 3
            source.write_bytes("\n".join([ON_IT] * 9).encode() + b"\n\xff\n")
            broken = await at.check("--file", source, "--json")
            lines = [json.loads(line) for line in broken.stdout.splitlines()]
            assert [line.get("row", 0) for line in lines][-1] == 0
            assert "UTF-8" in lines[-1]["error"]["text"]

    run(scenario())
