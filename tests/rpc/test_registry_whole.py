"""The node's side against the real registry: its officers' ceremony, its server, then a node that serves it on."""

import asyncio
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.core.membership import Standing, fingerprint_of
from node.pb import registry_pb2
from node.ports import RegistryState
from node.rpc import registry_client
from node.rpc.registry_source import TufRegistry, bootstrap, load
from tests.registry.town import Node, Town, now_ms, serving
from tests.rpc.registry_authority import FixedClock, SeededEntropy, node_port, served
from tests.rpc.registry_authority import serving as serving_node


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town")).found()


def first_contact(endpoint: str, town: Town) -> RegistryState:
    return asyncio.run(bootstrap(endpoint, bytes.fromhex(town.root_fingerprint), now_ms()))


def refreshed(held: RegistryState, *endpoints: str) -> RegistryState:
    sources = [(endpoint, endpoint) for endpoint in endpoints]
    news = asyncio.run(TufRegistry(lambda: sources, SeededEntropy()).refresh(held, now_ms()))
    assert news.faults == ()
    assert news.state is not None
    return news.state


def test_a_node_follows_the_real_registry(town: Town) -> None:
    with serving(town.store) as registry:
        before = first_contact(registry.address, town)
        assert before.network == town.network
        assert before.members.by_id == {}
        town.admit(Node("310115"))
        listed = refreshed(before, registry.address)
        assert listed.members.by_id["310115"].standing is Standing.ACTIVE
        assert refreshed(listed, registry.address) is listed
        town.decide("suspend", "310115", "--reason", "密钥泄露")
        suspended = refreshed(listed, registry.address)
        assert suspended.members.by_id["310115"].standing is Standing.SUSPENDED
        assert suspended.members.by_id["310115"].cut is not None
    # A node that holds it serves it on, and a newcomer needs nobody else.
    assert load(suspended.files) == suspended

    async def newcomer() -> RegistryState:
        async with served(suspended.files) as endpoint:
            return await bootstrap(endpoint, bytes.fromhex(town.root_fingerprint), now_ms())

    assert asyncio.run(newcomer()) == suspended


def test_the_real_registry_answers_an_applicant(town: Town) -> None:
    applicant = Node("330100", "杭州市", "city")
    envelope = applicant.request()
    fingerprint = bytes.fromhex(fingerprint_of(envelope))
    with serving(town.store) as registry:

        async def ask() -> list[int]:
            unknown = await registry_client.request_state(registry.address, "330100", fingerprint)
            filed = await registry_client.request_membership(registry.address, envelope)
            again = await registry_client.request_state(registry.address, "330100", fingerprint)
            return [unknown.state, filed.state, again.state]

        assert asyncio.run(ask()) == [
            registry_pb2.JOIN_STATE_UNKNOWN,
            registry_pb2.JOIN_STATE_PENDING,
            registry_pb2.JOIN_STATE_PENDING,
        ]
        explained = asyncio.run(registry_client.explain(registry.address, "330100"))
        assert explained.refusal.code == "MEMBER_UNKNOWN"
        with pytest.raises(XinqiaoError) as caught:
            asyncio.run(registry_client.request_membership(registry.address, Node("3301").request()))
        assert caught.value.code == "JOIN_REQUEST"


def test_a_members_head_report_reaches_the_real_registry(town: Town) -> None:
    reporter = town.admit(Node("320500", "苏州市", "city"))
    report = reporter.report(town.network, {"310115": [bytes(32)]})
    with serving(town.store) as registry:

        async def hand_over() -> None:
            async with serving_node(node_port(lambda _: None, clock=FixedClock())) as node:
                sources = [("the registry", registry.address), ("310000", node)]
                await TufRegistry(lambda: sources, SeededEntropy()).report_heads(report)

        asyncio.run(hand_over())
    assert [each.reporter for each in town.store.reports()] == ["320500"]


def test_a_registry_restored_from_an_old_backup_is_noticed(town: Town, tmp_path: Path) -> None:
    with serving(town.store) as registry:
        old = first_contact(registry.address, town)
        town.admit(Node("110105", "朝阳区"))
        held = refreshed(old, registry.address)

    async def ask_restored() -> list[str]:
        async with served(old.files) as endpoint:
            news = await TufRegistry(lambda: [("the registry", endpoint)], SeededEntropy()).refresh(held, now_ms())
            return [refusal.code for _, refusal in news.faults]

    assert asyncio.run(ask_restored()) == ["REGISTRY_ROLLBACK"]
