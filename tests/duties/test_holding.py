"""Rows that a rule holds: kept at the origin alone, and published when two officers have released them."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from node.core.audience import parse_audience
from node.core.catalogue import parse_edition
from node.core.errors import XinqiaoError
from node.core.holds import REFUSE, RELEASE, WITHDRAW, HoldState
from node.core.limits import Limits
from node.core.membership import Standing
from node.core.record import Candidate, Outcome, Row, content_hash
from node.core.state import Place
from node.deciding import Taken
from node.ingest.batching import batches
from node.metrics import NodeCollector
from node.pb import channel_pb2, record_pb2
from node.storage.passed_rows import TemporaryPassedRows
from node.storage.sqlite import SqliteStore
from scripts.xq_generate import RESIDENT_ID, Plan, generate
from tests.builders import make_node
from tests.duties.test_judging import RULES
from tests.officers import adding, disabling, make_keys, statement
from tests.wire import EDITION, Network

ORIGIN, READER = "310115", "330100"
CHANNEL = f"{ORIGIN}/penalties"
LI, WANG, ZHAO = make_keys(3)
DAY_MS = 24 * 3600 * 1000
WORDS = "当事人患有肝炎"
PLAN = Plan("penalty.2018", 40, 1)


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


@cache
def sound() -> dict[str, str]:
    rows = (one.row for one in generate(PLAN))
    return next(row for row in rows if row["CF_XDR_LB"] == "法人及非法人组织" and row["CF_CFLB"] != "警告")


def person(number: int, facts: str = WORDS, **changes: str) -> dict[str, str]:
    """A penalty of a natural person."""
    row = sound() | {"CF_XDR_LB": "自然人", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID, "CF_SY": facts}
    row |= {"CF_JDRQ": "2026-09-18", "CF_YXQ": "2027-09-18", "CF_GSJZQ": "2027-09-18"}
    row |= {"CF_WSH": f"示罚字〔2026〕{number}号", **changes}
    return {code: text for code, text in row.items() if text and code != "CF_XDR_SHXYM"}


class Town:
    """An origin with two officers and a reader."""

    def __init__(self) -> None:
        self.network = Network(ORIGIN, READER)
        plain = self.network.state
        rules = {"rules/2026.1.json": RULES.read_bytes()}
        self.network.state = lambda: replace(plain(), targets={**plain().targets, **rules})  # type: ignore[method-assign]

    async def open(self) -> "Town":
        self.network.signing[ORIGIN] = make_node(ORIGIN, authorities=[{"uscc": PLAN.authority_uscc}])
        await self.network.publish_registry()
        for name, key in (("李明", LI), ("王芳", WANG)):
            await self.node.deciding.submit(*adding(name, key, self.network.signing[ORIGIN].signer, node=ORIGIN))
        manifest = channel_pb2.Manifest(
            title="示例",
            item="penalty.2018",
            audience=parse_audience("everyone"),
            disclosure=channel_pb2.DISCLOSURE_CLASS_C,
        )
        await self.node.publishing.create_channel("penalties", manifest)
        return self

    @property
    def node(self):  # type: ignore[no-untyped-def]
        return self.network[ORIGIN]

    def candidates(self, *rows: dict[str, str]) -> list[Candidate]:
        item = parse_edition(EDITION.read_bytes()).item("penalty.2018")
        found = [Row(number, values) for number, values in enumerate(rows, start=2)]
        (batch,) = batches(found, item, "C", 4096, 1 << 22, "2026-09-21", law=self.node.judging.law(()))
        assert batch.rejections == ()
        return list(batch.candidates)

    async def publish(self, *rows: dict[str, str]) -> list[Outcome]:
        found: list[Outcome] = await self.node.publishing.publish(CHANNEL, self.candidates(*rows), "2026.1", "file.csv")
        return found

    def check(self, *rows: dict[str, str], passed: TemporaryPassedRows | None = None) -> list[Outcome]:
        """What a dry run says of rows."""
        passed = passed or TemporaryPassedRows()
        found: list[Outcome] = self.node.publishing.check(CHANNEL, self.candidates(*rows), passed)[0]
        return found

    async def hold(self, number: int = 1) -> str:
        (outcome,) = await self.publish(person(number))
        assert outcome.kind.value == "held"
        return outcome.hold

    async def sign(self, act: str, hold: str, key: object, reason: str = "医院名称") -> Taken:
        digest, clock = self.node.holding.row(hold).digest, self.network.clock
        clock.time_ms += 1  # nobody signs twice in one millisecond
        signed = statement(act, hold, digest, key, reason=reason, node=ORIGIN, at_ms=clock.time_ms)  # type: ignore[arg-type]
        taken: Taken = await self.node.deciding.submit(signed)
        return taken

    async def refused(self, act: str, hold: str, key: object, **given: str) -> XinqiaoError:
        with pytest.raises(XinqiaoError) as caught:
            await self.sign(act, hold, key, **given)
        return caught.value

    def records(self, node: str = ORIGIN) -> list[bytes]:
        return [held.record for held in self.network[node].world.store.records(channel=CHANNEL)]

    def state(self, hold: str) -> str:
        return str(self.node.holding.row(hold).state)


def test_r_inc_2_a_row_of_a_natural_person_waits_at_the_origin_and_reaches_nobody() -> None:
    async def scenario() -> None:
        town = await Town().open()
        company = sound() | {"CF_JDRQ": "2026-09-18", "CF_YXQ": "2027-09-18", "CF_GSJZQ": "2027-09-18", "CF_SY": WORDS}
        outcomes = await town.publish(person(1), {k: v for k, v in company.items() if v}, person(2, "未按规定申报"))
        assert [each.kind.value for each in outcomes] == ["held", "accepted", "accepted"]
        await town.network.settle()
        assert len(town.records()) == len(town.records(READER)) == 2
        (row,) = town.node.holding.rows(everything=False)
        assert (row.id, row.source, row.row, row.rules, row.record) == (
            outcomes[0].hold,
            "file.csv",
            2,
            ["R-INC-2"],
            None,
        )
        assert WORDS.encode() in (town.node.holding.row(row.id).record or b"")
        assert WORDS not in str(row.reasons)
        # The same row again is the same hold.
        again = await town.publish(person(1))
        assert [(each.kind.value, each.hold) for each in again] == [("held", row.id)]
        assert town.network[READER].world.store.holds() == []

    run(scenario())


def test_two_officers_release_a_row_and_every_reader_learns_that_it_was_reviewed() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        assert (await town.sign(RELEASE, hold, LI)).state == "proposed"
        assert await town.node.holding.finish(hold) == (HoldState.PENDING, None)
        assert (await town.refused(RELEASE, hold, LI)).code == "HOLD_SAME_OFFICER"
        assert town.records() == []
        assert (await town.sign(RELEASE, hold, WANG, "已核对")).state == "approved"
        assert await town.node.holding.finish(hold) == (HoldState.PUBLISHED, None)
        await town.network.settle()
        assert town.records() == town.records(READER) != []
        # Its content is gone from among what waits, and the decision is not.
        gone = town.node.holding.row(hold)
        assert (gone.record, gone.salt) == (None, None)
        assert [(each.act, each.officer) for each, _ in town.node.holding.signatures(hold)] == [
            (RELEASE, "李明"),
            (RELEASE, "王芳"),
        ]
        assert town.state(hold) == "published"
        for node in (ORIGIN, READER):
            ref = record_pb2.RecordRef(channel=CHANNEL, index=1)
            found = {
                each.rule: each for each in town.network[node].judging.explain(ref, "").rules if each.effect == "hold"
            }
            assert found["R-INC-2"].verdict.code == "RULE_PROHIBITED_WORDS"
            assert found["R-INC-2"].reviewed == f"{hold}; R-INC-2: 医院名称"
            (answer,) = town.network[node].answering.records("", CHANNEL, 0)
            assert (answer.condition.state.value, len(answer.condition.acts)) == ("in force", 1)
        # Published again, it is what the channel holds already.
        assert [each.kind.value for each in await town.publish(person(1))] == ["duplicate"]

    run(scenario())


def test_what_two_officers_refuse_is_gone_and_goes_back_when_it_comes_again() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        await town.sign(REFUSE, hold, WANG, "确系病史")
        assert (await town.refused(RELEASE, hold, LI)).code == "HOLD_PROPOSED"
        assert (await town.sign(REFUSE, hold, LI)).state == "refused"
        assert town.node.holding.row(hold).record is None
        (again,) = await town.publish(person(1))
        assert again.rejection is not None
        assert (again.rejection.code, again.rejection.defects[0].params) == ("HOLD_REFUSED", {"hold": hold})
        # Rewritten, it is published at once.
        assert [each.kind.value for each in await town.publish(person(1, "未按规定申报"))] == ["accepted"]

    run(scenario())


def test_who_disagrees_withdraws_what_is_proposed_and_the_row_waits_on() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        assert (await town.refused(WITHDRAW, hold, LI)).code == "HOLD_NOTHING_PROPOSED"
        await town.sign(RELEASE, hold, LI)
        assert (await town.sign(WITHDRAW, hold, WANG, "不同意")).state == "pending"
        assert town.node.holding.review(hold).proposed is None
        assert (await town.refused(RELEASE, hold, WANG, reason=" ")).code == "OFFICER_STATEMENT"
        assert (await town.sign(RELEASE, hold, WANG)).state == "proposed"

    run(scenario())


def test_a_disabled_officer_decides_no_more_and_what_he_signed_before_stands() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        await town.sign(RELEASE, hold, LI)
        await town.node.deciding.submit(*disabling("李明", LI, WANG, node=ORIGIN))
        assert (await town.refused(WITHDRAW, hold, LI)).code == "OFFICER_DISABLED"
        assert (await town.sign(RELEASE, hold, WANG)).state == "approved"
        assert [each.officer for each, _ in town.node.holding.signatures(hold)] == ["李明", "王芳"]

    run(scenario())


def test_nobody_decides_about_a_row_he_was_not_shown() -> None:
    async def scenario() -> None:
        town = await Town().open()
        first, second = await town.hold(1), await town.hold(2)
        other = statement(RELEASE, first, town.node.holding.row(second).digest, LI, reason="x", node=ORIGIN)
        with pytest.raises(XinqiaoError, match="OFFICER_STATEMENT"):
            await town.node.deciding.submit(other)
        with pytest.raises(XinqiaoError, match="HOLD_UNKNOWN"):
            await town.node.deciding.submit(statement(RELEASE, "x", bytes(32), LI, reason="x", node=ORIGIN))
        assert (await town.refused(RELEASE, first, ZHAO)).code == "OFFICER_SIGNATURE"
        assert town.node.world.store.statements("hold") == []

    run(scenario())


def test_a_later_row_of_the_same_decision_takes_the_place_of_a_held_one() -> None:
    async def scenario() -> None:
        town = await Town().open()
        first = await town.hold()
        (second,) = await town.publish(person(1, WORDS + "，已改正"))
        assert (town.state(first), second.kind.value) == ("superseded", "held")
        # A row that nothing holds is published meanwhile: the held one is not brought over it.
        town.network.clock.time_ms += 1000
        assert [each.kind.value for each in await town.publish(person(1, "未按规定申报"))] == ["accepted"]
        assert (await town.refused(RELEASE, second.hold, LI)).code == "HOLD_SUPERSEDED"
        assert len(town.records()) == 1

    run(scenario())


def test_a_crash_at_any_point_of_publishing_an_approved_row_does_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        for fails in ("_append_records", "_append_status"):
            for before in (True, False):
                town = await Town().open()
                hold = await town.hold()
                await town.sign(RELEASE, hold, LI)
                await town.sign(RELEASE, hold, WANG)
                publishing = town.node.publishing
                works = getattr(publishing, fails)

                async def crash(*given: object, works=works, before: bool = before) -> None:  # type: ignore[no-untyped-def]
                    if not before:
                        await works(*given)
                    raise ZeroDivisionError

                monkeypatch.setattr(publishing, fails, crash)
                with pytest.raises(ZeroDivisionError):
                    await town.node.holding.finish(hold)
                assert town.state(hold) == "approved"
                town.network.start(ORIGIN, town.node.world.store)
                await town.node.holding.tick()
                assert town.state(hold) == "published"
                held = town.node.answering.channel(CHANNEL)
                assert (held.log.size, held.records) == (3, 1)
                (act,) = town.node.world.store.acts(CHANNEL, Place(0, 1, 0))
                assert act.place == Place(0, 2, 0)

    run(scenario())


def test_what_cannot_be_published_now_waits_with_its_reason_and_is_published_later() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        await town.sign(RELEASE, hold, LI)
        await town.sign(RELEASE, hold, WANG)
        await town.network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="核查")
        for _ in range(2):
            state, fault = await town.node.holding.finish(hold)
            assert (state, fault is not None and fault.code) == (HoldState.APPROVED, "MEMBER_SUSPENDED")
            await town.node.holding.tick()
        assert b"MEMBER_SUSPENDED" in town.node.holding.row(hold).fault
        await town.network.relist(ORIGIN, standing=Standing.ACTIVE, reason="")
        await town.node.holding.tick()
        assert (town.state(hold), town.node.holding.row(hold).fault) == ("published", b"")

    run(scenario())


def test_what_the_law_bars_by_now_is_not_released() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        plain = town.network.state
        changed = RULES.read_bytes().replace(b'"effect": "hold"', b'"effect": "reject"').replace(b"2026.1", b"2026.2")
        assert changed != RULES.read_bytes().replace(b"2026.1", b"2026.2")
        town.network.state = lambda: replace(plain(), targets={**plain().targets, "rules/2026.2.json": changed})  # type: ignore[method-assign]
        await town.network.publish_registry()
        assert (await town.refused(RELEASE, hold, LI)).code == "HOLD_BARRED"
        assert (await town.sign(REFUSE, hold, LI)).state == "proposed"

    run(scenario())


def test_a_row_that_nobody_decides_goes_after_thirty_days_and_somebody_is_told() -> None:
    async def scenario() -> None:
        town = await Town().open()
        hold = await town.hold()
        town.network.clock.time_ms += 30 * DAY_MS - 1
        await town.node.holding.tick()
        assert town.state(hold) == "pending"
        town.network.clock.time_ms += 1
        await town.node.holding.tick()
        assert (town.state(hold), town.node.holding.row(hold).record) == ("expired", None)
        (alarm,) = (each for each in town.node.world.store.alarms() if each.code == "HOLDS_EXPIRED")
        assert (alarm.subject, alarm.parameters["count"]) == (CHANNEL, "1")
        town.network.clock.time_ms += 30 * DAY_MS + 1
        await town.node.holding.tick()
        assert town.node.holding.rows(everything=True) == []

    run(scenario())


def test_held_rows_are_bounded_and_what_does_not_fit_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "limits", Limits(max_held_rows=2))

    async def scenario() -> None:
        town = await Town().open()
        outcomes = await town.publish(person(1), person(2), person(3))
        assert [each.kind.value for each in outcomes] == ["held", "held", "rejected"]
        assert outcomes[2].rejection is not None
        assert outcomes[2].rejection.code == "HOLDS_FULL"
        # One that takes the place of another needs no room.
        (again,) = await town.publish(person(2, WORDS + "。"))
        assert again.kind.value == "held"

    run(scenario())


def test_a_dry_run_says_of_rows_that_a_rule_holds_what_publishing_then_does() -> None:
    async def scenario() -> None:
        town = await Town().open()
        refused, approved, waiting = [await town.hold(number) for number in (1, 2, 3)]
        for key in (LI, WANG):
            await town.sign(REFUSE, refused, key)
            await town.sign(RELEASE, approved, key)
        rows = (person(1), person(2, WORDS + "。"), person(3), person(4), person(1, "未按规定申报"))
        holds = town.node.world.store.holds()
        tried = town.check(*rows)
        assert town.node.world.store.holds() == holds
        done = await town.publish(*rows)
        assert [_told(each) for each in tried[:3]] == [_told(each) for each in done[:3]]
        assert [_told(each) for each in done[:3]] == [("HOLD_REFUSED", ""), ("HOLD_APPROVED", ""), ("held", waiting)]
        assert [each.kind for each in tried] == [each.kind for each in done]
        # The id is given when the row is kept.
        assert (tried[3].hold, done[3].hold != "") == ("", True)

    run(scenario())


def test_a_dry_run_of_more_rows_than_may_wait_says_which_would_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "limits", Limits(max_held_rows=3))

    async def scenario() -> None:
        town = await Town().open()
        await town.hold(1)
        batches_ = ((person(1), person(2), person(1, WORDS + "。")), (person(2, WORDS + "。"), person(3), person(4)))
        passed = TemporaryPassedRows()
        tried = [_told(each)[0] for rows in batches_ for each in town.check(*rows, passed=passed)]
        assert tried == ["held"] * 5 + ["HOLDS_FULL"]
        assert tried == [_told(each)[0] for rows in batches_ for each in await town.publish(*rows)]

    run(scenario())


def test_metrics_count_the_rows_that_wait_by_channel_and_tell_nothing_of_them() -> None:
    async def scenario() -> None:
        town = await Town().open()

        def shown(node: str = ORIGIN) -> dict[tuple[str, ...], float]:
            families = {each.name: each for each in NodeCollector(town.network[node], list, "1").collect()}
            return {tuple(each.labels.values()): each.value for each in families["xinqiao_held_rows"].samples}

        assert shown() == {(CHANNEL,): 0}
        hold, _ = await town.hold(1), await town.hold(2)
        await town.network.settle()
        assert (shown(), shown(READER)) == ({(CHANNEL,): 2}, {})
        for key in (LI, WANG):
            await town.sign(REFUSE, hold, key)
        assert shown() == {(CHANNEL,): 1}

    run(scenario())


def _told(outcome: Outcome) -> tuple[str, str]:
    """What becomes of a row, and under which id it waits."""
    return (outcome.rejection.code if outcome.rejection is not None else outcome.kind.value), outcome.hold


def test_right_values_of_a_record_are_never_held() -> None:
    async def scenario() -> None:
        town = await Town().open()
        await town.publish(person(1, "未按规定申报"))
        (candidate,) = town.candidates(person(1))
        with pytest.raises(XinqiaoError, match="RULE_PROHIBITED_WORDS"):
            await town.node.publishing.correct(
                CHANNEL, Place(0, 1, 0), candidate, "2026.1", "示更〔2026〕1号", "数据有误"
            )
        assert (town.node.holding.rows(everything=True), len(town.records())) == ([], 1)

    run(scenario())


def test_held_rows_and_signatures_outlive_a_restart_and_refused_content_leaves_the_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        town = Town()
        with SqliteStore.open(tmp_path / "node.db", create=True) as store:
            town.network.start(ORIGIN, store)
            await town.open()
            hold = await town.hold()
            await town.sign(REFUSE, hold, LI)
        assert WORDS.encode() in disk(tmp_path)
        with SqliteStore.open(tmp_path / "node.db", create=False) as store:
            town.network.start(ORIGIN, store)
            await town.network.publish_registry()
            assert town.state(hold) == "pending"
            assert (await town.sign(REFUSE, hold, WANG)).state == "refused"
            assert WORDS.encode() not in disk(tmp_path)

    run(scenario())


def disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_the_record_that_is_released_is_the_one_that_was_held() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (candidate,) = town.candidates(person(1))
        hold = await town.hold()
        await town.sign(RELEASE, hold, LI)
        await town.sign(RELEASE, hold, WANG)
        await town.node.holding.finish(hold)
        assert list(map(content_hash, town.records())) == [candidate.content_hash]

    run(scenario())
