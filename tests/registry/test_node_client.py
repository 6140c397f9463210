"""The node's own client against this registry: what officers decide here is what a node sees there."""

import asyncio

import pytest

from node.core.errors import XinqiaoError
from node.core.membership import Standing, fingerprint_of
from node.pb import registry_pb2
from node.rpc import registry_client
from node.rpc.registry_source import bootstrap
from tests.registry.town import Node, Town, now_ms, serving


def test_a_node_joins_reads_the_members_and_learns_of_a_suspension(town: Town) -> None:
    node = Node("310115")
    envelope = node.request()
    root = bytes.fromhex(town.root_fingerprint)
    with serving(town.store) as caller:
        asked = asyncio.run(registry_client.request_membership(caller.address, envelope))
        assert asked.state == registry_pb2.JOIN_STATE_PENDING
        town.decide("approve", "310115", "--fingerprint", fingerprint_of(envelope))
        listed = asyncio.run(bootstrap(caller.address, root, now_ms()))
        assert listed.network == town.network
        assert listed.members.active("310115").descriptor.fingerprint == fingerprint_of(envelope)
        asyncio.run(registry_client.report_heads(caller.address, node.report(town.network, {"310115": [b"h" * 32]})))
        town.decide("suspend", "310115", "--reason", "forked its history")
        suspended = asyncio.run(bootstrap(caller.address, root, now_ms())).members.by_id["310115"]
        assert (suspended.standing, suspended.reason) == (Standing.SUSPENDED, "forked its history")
        assert suspended.cut is not None
        assert suspended.cut.head_leaves == {b"h" * 32}
        explained = asyncio.run(registry_client.explain(caller.address, "310115"))
        assert explained.refusal.code == "MEMBER_SUSPENDED"


def test_a_node_that_was_told_another_root_fingerprint_stores_nothing(town: Town) -> None:
    with serving(town.store) as caller, pytest.raises(XinqiaoError, match="REGISTRY_FINGERPRINT"):
        asyncio.run(bootstrap(caller.address, bytes(32), now_ms()))


def test_a_refusal_reaches_the_node_as_the_error_it_is(member: tuple[Town, Node]) -> None:
    town, _ = member
    with serving(town.store) as caller, pytest.raises(XinqiaoError, match="JOIN_ID_TAKEN"):
        asyncio.run(registry_client.request_membership(caller.address, Node("310115").request()))


def test_nobody_is_listed_with_a_key_of_another_member(member: tuple[Town, Node]) -> None:
    town, listed = member
    theirs = listed.descriptor().tls_certificates[0]
    thief = Node("330100")
    with serving(town.store) as caller, pytest.raises(XinqiaoError, match="JOIN_REQUEST") as refused:
        asyncio.run(registry_client.request_membership(caller.address, thief.request(tls_certificates=[theirs])))
    assert "another member" in refused.value.text
