"""Membership: trust ages in stages, a stale registry only narrows, and its faults change nothing verified."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.core.ageing import DEFAULT_GRACE_MS
from node.core.channel import HeadAt, head_leaf
from node.core.errors import XinqiaoError, to_refusal
from node.core.membership import Cut, Member, Standing
from node.core.rules import VERSION_1
from node.core.workdays import WEEKENDS_ONLY
from node.node import Node
from node.pb import envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import RegistryNews, RegistryState, Stage, Writer
from tests.builders import NETWORK, list_keys, make_address, make_matters, make_measures, make_node, signing_key
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of, write_row
from tests.duties.rows import manifest, row
from tests.wire import WEEK_MS, Network

Scenario = Coroutine[Any, Any, None]
HOUR_MS = 3_600_000
UNREACHABLE = XinqiaoError("REGISTRY_UNREACHABLE", detail="no answer")
CUT = Cut(frozenset({b"\x01" * 32}))


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


class SilentRegistry:
    """Sources of which none brings anything good."""

    def __init__(self, *faults: XinqiaoError, state: RegistryState | None = None) -> None:
        self.faults = [(f"source {at}", to_refusal(fault)) for at, fault in enumerate(faults)]
        self.state = state

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:  # noqa: ARG002
        return RegistryNews(self.state, self.faults)

    async def report_heads(self, report: envelope_pb2.Envelope) -> None:  # noqa: ARG002
        raise UNREACHABLE

    async def share_addresses(
        self,
        address: envelope_pb2.Envelope,  # noqa: ARG002
        known_digest: bytes,  # noqa: ARG002
    ) -> Sequence[envelope_pb2.Envelope]:
        raise UNREACHABLE


def silence(node: Node, *faults: XinqiaoError) -> SilentRegistry:
    """Let the registry of a node fail from now on."""
    registry = SilentRegistry(*faults)
    node.membership._registry = registry
    return registry


def alarms_of(node: Node) -> dict[str, str]:
    return {alarm.code: alarm.subject for alarm in node.answering.alarms()}


# --- No authority for 72 hours ---------------------------------------------------------------------------------------


def test_g10_without_any_registry_for_72_hours_exchange_goes_on_and_then_recovers_by_itself() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115", "330100")
        await network["310000"].publishing.create_channel("base", manifest())
        for node in network.nodes.values():
            silence(node, UNREACHABLE)
        stages = []
        # From the last hour before it expires to two hours after the grace has ended.
        network.clock.time_ms += WEEK_MS - HOUR_MS
        for hour in range(76):
            network.clock.time_ms += HOUR_MS
            await network["310000"].publishing.publish(BASE, [row(hour + 1)])
            for node in network.nodes.values():
                await node.refresh_registry()
                await node.report_heads()
            await network.settle(1)
            stages.append(network["310115"].membership.stage)
        assert [stages.count(stage) for stage in (Stage.FRESH, Stage.STALE, Stage.EXPIRED)] == [0, 72, 4]
        assert stages == sorted(stages)
        for node in network.nodes.values():
            held = node.answering.channel(BASE)
            assert (held.log.size, held.records, held.fresh_at_ms) == (77, 76, network.clock.time_ms)
            assert "REGISTRY_UNREACHABLE" in alarms_of(node)
            assert_sound(node)
        for id_, node in network.nodes.items():
            node.membership._registry = network.registries[id_]
        renewed = replace(network.state(), expires_ms=network.clock.time_ms + WEEK_MS)
        network.state = lambda: replace(  # type: ignore[method-assign]
            renewed, versions=registry_pb2.RegistryVersions(root_version=1, timestamp_version=network.registry_version)
        )
        await network.publish_registry()
        for node in network.nodes.values():
            assert (node.membership.stage, alarms_of(node)) == (Stage.FRESH, {})
        await network["310000"].publishing.publish(BASE, [row(99)])
        await network.settle()
        assert {node.answering.channel(BASE).records for node in network.nodes.values()} == {77}

    run(scenario())


def test_g10_an_edition_that_arrives_while_no_registry_does_waits_and_is_settled_afterwards() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node, writer = network["310115"], base_of(network, rows=1)
        silence(node, UNREACHABLE)
        write_row(writer, 2, version="2027.1")
        await node.receive(run_of(writer))
        for _ in range(3):
            network.clock.time_ms += HOUR_MS
            await node.refresh_registry()
        assert node.answering.channel(BASE).applied_size == 2
        node.membership._registry = network.registries["310115"]
        network.clock.time_ms += HOUR_MS
        await node.refresh_registry()
        assert node.answering.channel(BASE).applied_size == 3

    run(scenario())


# --- The calendar of working days ------------------------------------------------------------------------------------


def test_the_calendar_issued_last_is_in_force_and_one_that_cannot_be_read_is_not_there() -> None:
    def calendar(version: str, issued_on: str, year: int) -> bytes:
        years = {str(year): {"holidays": [f"{year}-01-01"], "workdays": []}}
        document = {"format": 1, "version": version, "issued_on": issued_on, "source": "made up", "years": years}
        return json.dumps(document).encode()

    async def scenario() -> None:
        network = Network("310000")
        membership = network["310000"].membership
        assert membership.calendar is WEEKENDS_ONLY
        published: dict[str, bytes] = {}
        plain = network.state
        network.state = lambda: replace(plain(), targets={**plain().targets, **published})  # type: ignore[method-assign]
        for path, content, in_force in [
            ("calendar/2026.2.json", calendar("2026.2", "2026-01-05", 2026), "2026.2"),
            ("calendar/2026.1.json", calendar("2026.1", "2025-11-04", 2025), "2026.2"),
            ("calendar/2026.10.json", calendar("2026.10", "2026-03-01", 2027), "2026.10"),
            (
                "calendar/2027.1.json",
                calendar("2027.1", "2026-11-05", 2027).replace(b'"format": 1', b'"format": 2'),
                "2026.10",
            ),
        ]:
            published[path] = content
            await network.publish_registry()
            assert membership.calendar.version == in_force
        network.start("310000")
        assert network["310000"].membership.calendar.version == "2026.10"

    run(scenario())


# --- The rules -------------------------------------------------------------------------------------------------------


def test_the_rules_in_force_are_those_whose_day_came_last_and_unreadable_ones_are_not_there() -> None:
    file = Path(__file__).resolve().parents[2] / "registry" / "editions" / "rules-2026.1.json"

    def rules(version: str, in_force_from: str) -> bytes:
        return json.dumps(json.loads(file.read_bytes()) | {"version": version, "in_force_from": in_force_from}).encode()

    async def scenario() -> None:
        network = Network("310000")
        membership = network["310000"].membership
        assert (membership.rules_in_force, set(membership.rules)) == (VERSION_1, {"1"})
        published: dict[str, bytes] = {}
        plain = network.state
        network.state = lambda: replace(plain(), targets={**plain().targets, **published})  # type: ignore[method-assign]
        for path, content, in_force in [
            ("rules/a.json", rules("a", "2000-01-01"), "a"),
            ("rules/b.json", rules("b", "1999-01-01"), "a"),
            ("rules/c.json", rules("c", "9000-01-01"), "a"),
            ("rules/d.json", b'{"face": 2}', "a"),
            ("rules/e.json", rules("1", "2001-01-01"), "a"),
        ]:
            published[path] = content
            await network.publish_registry()
            assert membership.rules_in_force.version == in_force
        # What the software always has cannot be replaced.
        assert membership.rules["1"] is VERSION_1
        network.start("310000")
        assert set(network["310000"].membership.rules) == {"1", "a", "b", "c"}

    run(scenario())


# --- The measures and the matters ------------------------------------------------------------------------------------


def test_measures_and_matters_in_force_are_those_whose_day_came_last_and_unreadable_ones_are_not_there() -> None:
    async def scenario() -> None:
        network = Network("310000")
        network.editions.clear()
        await network.publish_registry()
        membership, now_ms = network["310000"].membership, network.clock.now_ms()

        def versions(at_ms: int) -> tuple[str | None, str | None]:
            measures, matters = membership.measures_in_force(at_ms), membership.matters_in_force(at_ms)
            return measures.version if measures else None, matters.version if matters else None

        assert versions(now_ms) == (None, None)
        for name, day, in_force in [("a", "2000-01-01", "a"), ("b", "1999-01-01", "a"), ("c", "9000-01-01", "a")]:
            network.editions[f"measures/{name}.json"] = make_measures("SHR-31-1", version=name, in_force_from=day)
            network.editions[f"matters/{name}.json"] = make_matters(version=name, in_force_from=day)
            network.editions["measures/d.json"] = network.editions["matters/d.json"] = b'{"face": 2}'
            await network.publish_registry()
            assert versions(now_ms) == (in_force, in_force)
        # Whoever asks says as of when.
        assert versions(221_845_363_199_999) == ("a", "a")
        assert versions(221_845_363_200_000) == ("c", "c")
        assert versions(0) == (None, None)
        network.start("310000")
        restarted = network["310000"].membership
        assert set(restarted.measures) == set(restarted.matters) == {"a", "b", "c"}

    run(scenario())


# --- Stale: narrower only ---------------------------------------------------------------------------------------------


def member(node: Node, id_: str = "310000") -> Member:
    found = node.membership.members.get(id_)
    assert found is not None
    return found


async def stale_news(**changes: object) -> tuple[Network, Node]:
    """A node that reads changes about 310000 from a registry whose files have expired."""
    network = Network("310000", "310115")
    network.clock.time_ms += WEEK_MS + HOUR_MS
    await network.relist("310000", **changes)
    assert network["310115"].membership.stage is Stage.STALE
    return network, network["310115"]


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REMOVED])
def test_a_stale_registry_takes_standing_away(standing: Standing) -> None:
    async def scenario() -> None:
        _, node = await stale_news(standing=standing, reason="测试", cut=CUT)
        found = member(node)
        assert (found.standing, found.reason, found.cut) == (standing, "测试", CUT)

    run(scenario())


def test_a_stale_registry_gives_no_standing_back_and_lists_nobody_new() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network.relist("310000", standing=Standing.SUSPENDED, reason="测试", cut=CUT)
        network.clock.time_ms += WEEK_MS + HOUR_MS
        network.signing["320500"] = make_node("320500")
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        node = network["310115"]
        assert member(node).standing is Standing.SUSPENDED
        assert node.membership.members.get("320500") is None
        # Nor does it forget a cut, or who it no longer lists.
        await network.relist("310000", standing=Standing.SUSPENDED, cut=None)
        assert member(node).cut == CUT
        del network.signing["310000"]
        network.down.add("310000")
        await network.publish_registry()
        assert member(node).standing is Standing.SUSPENDED

    run(scenario())


def test_a_stale_registry_revokes_keys_and_adds_none() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        before, after = network.signing["310000"], make_node("310000")
        network.clock.time_ms += WEEK_MS + HOUR_MS
        both = [signing_key(before.signer), signing_key(after.signer)]
        network.signing["310000"] = list_keys(after, both, before, after)
        await network.publish_registry()
        node = network["310115"]
        assert [key.key_id for key in member(node).active_keys] == [before.signer.key_id]
        revoked = signing_key(before.signer, registry_pb2.KEY_STATE_REVOKED)
        network.signing["310000"] = list_keys(after, [revoked, signing_key(after.signer)], after)
        await network.publish_registry()
        assert member(node).active_keys == []
        assert [key.key_id for key in member(node).all_keys] == [before.signer.key_id]

    run(scenario())


def test_a_stale_registry_closes_an_epoch_that_officers_have_cut() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(4, writer.log.root))}))
        network.clock.time_ms += WEEK_MS + HOUR_MS
        # It was suspended and reinstated while this node read nothing.
        await network.relist("310000", cut=cut, open_epoch=1)
        assert await refused(node.receive([write_row(writer, 9)])) == "ENTRY_ABOVE_CUT"

    run(scenario())


def test_what_was_narrowed_is_whole_again_when_the_clock_is_put_right() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        right_ms = network.clock.time_ms
        network.clock.time_ms += 2 * WEEK_MS
        network.signing["320500"] = make_node("320500")
        await network.publish_registry()
        node = network["310115"]
        assert node.membership.members.get("320500") is None
        network.clock.time_ms = right_ms
        assert not await refused(node.refresh_registry())
        assert node.membership.members.get("320500") is not None

    run(scenario())


def test_trust_is_stale_for_the_grace_and_expired_after_it() -> None:
    async def scenario() -> None:
        network = Network("310115")
        stages = {}
        start = network.clock.time_ms
        for after in (-1, 0, DEFAULT_GRACE_MS - 1, DEFAULT_GRACE_MS):
            network.clock.time_ms = start + WEEK_MS + after
            stages[after] = network["310115"].membership.stage
        assert list(stages.values()) == [Stage.FRESH, Stage.STALE, Stage.STALE, Stage.EXPIRED]

    run(scenario())


# --- Faults of the registry -------------------------------------------------------------------------------------------

FAULTS = [
    XinqiaoError("REGISTRY_ROLLBACK", source="x", role="snapshot", found=1, held=2),
    XinqiaoError("REGISTRY_TWO_FACES", role="snapshot", version=2),
    XinqiaoError("REGISTRY_EXPIRED", role="timestamp", expires="2026-01-01"),
    XinqiaoError("REGISTRY_INVALID", source="x", detail="y"),
    UNREACHABLE,
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.code for fault in FAULTS])
def test_a_registry_that_is_at_fault_changes_nothing_and_its_alarm_ends_with_the_fault(fault: XinqiaoError) -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310115"]
        before, read_at_ms = node.membership.state, node.membership.read_at_ms
        silence(node, fault)
        network.clock.time_ms += HOUR_MS
        await node.refresh_registry()
        await node.refresh_registry()
        assert node.membership.state is before
        assert node.membership.read_at_ms == read_at_ms
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.subject, alarm.count) == (fault.code, "source 0", 2)
        assert_sound(node)
        node.membership._registry = network.registries["310115"]
        await node.refresh_registry()
        assert node.answering.alarms() == []

    run(scenario())


def test_one_bad_source_beside_a_good_one_is_an_alarm_and_no_more() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310115"]
        registry = silence(node, FAULTS[0])
        registry.state = network.state()
        await node.refresh_registry()
        assert alarms_of(node) == {"REGISTRY_ROLLBACK": "source 0"}
        assert node.membership.read_at_ms == network.clock.time_ms

    run(scenario())


def test_a_peer_that_was_shown_another_snapshot_of_the_same_version_is_named() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310115"]
        other = registry_pb2.RegistryVersions()
        other.CopyFrom(node.membership.versions)
        other.snapshot_hash = b"\x07" * 32
        request = exchange_service_pb2.HelloRequest(network=NETWORK, time_unix_ms=network.clock.time_ms, registry=other)
        for _ in range(3):
            await node.hello("310000", request)
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.count) == ("REGISTRY_TWO_FACES", 3)
        assert "310000" in XinqiaoError(alarm.code, **dict(alarm.parameters)).text
        # Of another version it says nothing.
        request.registry.snapshot_version += 1
        await node.hello("310000", request)
        assert node.answering.alarms()[0].count == 3

    run(scenario())


def test_cuts_that_could_not_be_noted_are_noted_by_the_next_tick() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        inner, failing = node.receiving._writer, True

        class Failing(Writer):
            async def run(self, lane: Any, step: Any) -> Any:
                if failing:
                    raise XinqiaoError("DISK_FULL", home="here")
                return await inner.run(lane, step)

        node.receiving._writer = Failing()
        cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(4, writer.log.root))}))
        network.signing["310000"] = network.signing["310000"].listed_as(standing=Standing.SUSPENDED, cut=cut)
        network.down.add("310000")
        assert await refused(network.publish_registry()) == "DISK_FULL"
        assert node.answering.channel(BASE).log.cut is None
        failing = False
        await node.refresh_registry()
        assert node.answering.channel(BASE).log.cut == HeadAt(4, writer.log.root)

    run(scenario())


def test_a_log_whose_cut_is_not_found_is_not_searched_again_until_something_changes() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        searches = 0
        search = node.receiving._own_roots

        def counted(log: Any, start: int = 0) -> Any:
            nonlocal searches
            searches += 1
            return search(log, start)

        node.receiving._own_roots = counted  # type: ignore[method-assign]
        await network.relist("310000", standing=Standing.SUSPENDED, cut=CUT)
        for _ in range(5):
            await node.refresh_registry()
        assert searches == 1
        found = Cut(frozenset({head_leaf(BASE, 0, HeadAt(4, writer.log.root))}))
        await network.relist("310000", cut=found)
        assert (searches, node.answering.channel(BASE).log.cut) == (2, HeadAt(4, writer.log.root))

    run(scenario())


# --- Who calls, and where members are ---------------------------------------------------------------------------------


def test_g11_a_call_is_refused_by_the_standing_of_its_caller_with_who_must_act() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310115"]
        with pytest.raises(XinqiaoError, match="MEMBER_UNKNOWN"):
            node.caller(b"\x00" * 32)
        assert node.membership.explain("310000") is None
        for standing in (Standing.SUSPENDED, Standing.REMOVED):
            await network.relist("310000", standing=standing, reason="密钥泄露")
            said = node.membership.explain("310000")
            assert said is not None
            assert said.code == f"MEMBER_{standing.name}"
            assert "密钥泄露" in said.text
            assert said.who == "310000"
        unknown = node.membership.explain("999999")
        assert unknown is not None
        assert unknown.code == "MEMBER_UNKNOWN"

    run(scenario())


def test_addresses_are_taken_from_active_members_only_and_handed_out_once_they_differ() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115", "330100")
        node = network["310115"]
        _, address = make_address(network.signing["310000"], 1)
        _, other = make_address(network.signing["330100"], 1)
        assert list(await node.share_addresses(address, b"")) == []
        assert list(await node.share_addresses(other, b"")) == [address]
        assert list(await node.share_addresses(other, node._address_digest())) == []
        await network.relist("310000", standing=Standing.SUSPENDED, reason="测试")
        assert (
            await refused(node.share_addresses(make_address(network.signing["310000"], 2)[1], b""))
            == "MEMBER_SUSPENDED"
        )
        assert await refused(node.share_addresses(make_address(make_node("310000"), 9)[1], b"")) == "SIGNATURE"
        held = node.world.store.address("310000")
        assert held is not None
        assert held.record.sequence == 1

    run(scenario())


def test_heads_are_reported_once_and_again_after_a_while_or_a_change() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node, registry = network["310115"], network.registries["310115"]
        await node.receive(run_of(base_of(network)))
        for _ in range(3):
            await node.report_heads()
        assert len(registry.reports) == 1
        network.clock.time_ms += HOUR_MS
        await node.report_heads()
        assert len(registry.reports) == 2
        report = registry_pb2.HeadReport.FromString(registry.reports[-1].payload)
        assert [(each.origin, len(each.head_leaves)) for each in report.origins] == [("310000", 1)]

    run(scenario())
