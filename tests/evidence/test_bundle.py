"""What a node can prove, what it cannot yet, and what it never can any more."""

from dataclasses import replace

import pytest

from node.core.entry import SignedEntry, commitment
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.core.state import Place
from node.core.suites import ECDSA_P256
from node.evidence.bundle import build, serialize
from node.evidence.verify import Verified, verify
from node.pb import channel_pb2, evidence_pb2, registry_pb2
from tests.evidence.network import CHANNEL, DAY_MS, NATIONAL, ORIGIN, OTHER, WITNESS, Network


def verified(network: Network, bundle: evidence_pb2.EvidenceBundle) -> Verified:
    return verify(serialize(bundle), network.fingerprint)


def missing(network: Network, at: str = WITNESS, index: int = 1, position: int = 0, epoch: int = 0) -> str:
    """Why a node has no evidence for a record."""
    with pytest.raises(XinqiaoError) as refused:
        network.bundle(index, position, at, epoch)
    assert refused.value.code == "EVIDENCE_UNAVAILABLE", refused.value
    return refused.value.parameters["detail"]


def confirmed_by(network: Network, bundle: evidence_pb2.EvidenceBundle) -> list[str]:
    return [each.node for each in verified(network, bundle).confirmations]


# --- What can be proven -------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [ORIGIN, WITNESS, OTHER, NATIONAL])
def test_every_holder_can_prove_every_record(at: str) -> None:
    network = Network()
    network.publish(3)
    network.publish(2)
    for index, position in [(1, 0), (1, 2), (2, 0), (2, 1)]:
        bundle = network.bundle(index, position, at)
        assert (bundle.record.index, bundle.record.position) == (index, position)
        assert verified(network, bundle).record == bundle.slot.record


def test_nodes_whose_keys_are_on_p256_prove_and_confirm_as_well() -> None:
    network = Network(suite=ECDSA_P256)
    network.publish()
    assert confirmed_by(network, network.bundle()) == [OTHER, NATIONAL]


def test_the_receipts_of_others_go_before_the_own_one() -> None:
    network = Network()
    network.publish()
    assert confirmed_by(network, network.bundle(at=WITNESS)) == [OTHER, NATIONAL]
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [OTHER, WITNESS, NATIONAL]


def test_the_own_receipt_is_taken_where_there_is_no_other() -> None:
    network = Network((ORIGIN, WITNESS))
    network.publish()
    assert confirmed_by(network, network.bundle(at=WITNESS)) == [WITNESS]


def test_a_receipt_before_and_one_after_the_heartbeat_are_both_tied_to_it() -> None:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.publish()
    network.append()
    network.carry(WITNESS)
    network.beat()
    network.append()
    network.carry(WITNESS)
    found = verified(network, network.bundle(at=ORIGIN))
    assert found.head.size == 3
    assert {each.node: each.size for each in found.confirmations} == {WITNESS: 4, OTHER: 2}


def test_a_heartbeat_shows_no_other_channel() -> None:
    network = Network()
    manifest = channel_pb2.Manifest()
    held = network.nodes[ORIGIN].world.store.channel(CHANNEL)
    assert held is not None
    manifest.CopyFrom(held.manifest)
    for name in ("licences", "zoning"):
        network.run(network.nodes[ORIGIN].publishing.create_channel(name, manifest))
    network.publish()
    bundle = network.bundle()
    assert [item.head.channel for item in bundle.heartbeat.heads] == [CHANNEL]
    assert b"zoning" not in serialize(bundle)
    assert verified(network, bundle).head == network.head()


def test_only_the_signature_that_counts_goes_into_a_bundle() -> None:
    network = Network((ORIGIN, WITNESS))
    network.append()
    entries = network._missing(WITNESS)
    for entry in entries:
        entry.envelope.signatures.add(sig=b"of nobody", keyid="0" * 64)
        entry.envelope.signatures.reverse()
    receipt = network.run(network.nodes[WITNESS].receive(entries)).receipt
    network.run(network.nodes[ORIGIN].take_receipts([receipt]))
    network.beat()
    bundle = network.bundle(at=WITNESS)
    assert [each.keyid for each in bundle.entry.signatures] == [network.keys[ORIGIN].signer.key_id]
    assert verified(network, bundle).origin == ORIGIN


def test_the_chain_of_roots_and_only_the_regions_in_question_go_along() -> None:
    network = Network((ORIGIN, WITNESS, OTHER, NATIONAL, "110000"))
    network.officers.renew(network.clock.at_ms, "root")
    network.follow()
    network.publish()
    names = [file.name for file in network.bundle(at=WITNESS).registry_files]
    assert {"1.root.json", "2.root.json", "1.region-11.json"} <= set(names)
    assert "1.region-33.json" not in names
    assert not any(name.endswith(f"{WITNESS}.json") for name in names)
    assert names == sorted(names)


# --- What cannot be proven yet ------------------------------------------------------------------------------


def test_there_is_no_evidence_before_a_heartbeat_covers_the_entry() -> None:
    network = Network()
    network.append()
    network.carry(WITNESS, OTHER)
    assert missing(network) == "no heartbeat of 310000 covers its entry yet"
    network.beat()
    assert network.bundle().record.index == 1
    network.append()
    network.carry(WITNESS, OTHER)
    assert missing(network, index=2) == "no heartbeat of 310000 covers its entry yet"


def test_there_is_no_evidence_from_a_heartbeat_whose_date_is_forgotten() -> None:
    network = Network()
    network.append()
    network.carry(WITNESS, OTHER)
    network.beat()
    network.bundle()
    with network.nodes[WITNESS].world.store.transaction() as tx:
        tx.forget_dates(network.clock.at_ms - 1)
    assert missing(network) == "no heartbeat of 310000 covers its entry yet"
    network.beat()
    assert network.bundle().record.index == 1


def test_there_is_no_evidence_before_another_node_confirms() -> None:
    network = Network()
    network.append()
    network.beat()
    assert missing(network, at=ORIGIN) == "no other node has confirmed its entry by a receipt yet"
    network.carry(OTHER)
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [OTHER]


def test_there_is_no_evidence_while_the_log_ends_before_the_heartbeat() -> None:
    network = Network()
    network.publish()
    network.append()
    network.carry(OTHER)
    network.beat()
    assert missing(network, at=WITNESS) == "only 2 of 3 entries of its log are here"


def test_there_is_no_evidence_while_the_registry_is_expired() -> None:
    network = Network()
    network.clock.at_ms += 4 * DAY_MS
    network.publish()
    assert "timestamp had expired at 2026-09-24" in missing(network)
    network.officers.renew(network.clock.at_ms)
    network.follow()
    assert network.bundle().as_of_unix_ms == network.clock.at_ms


def test_evidence_of_a_quiet_channel_can_be_made_with_newer_files() -> None:
    network = Network()
    network.publish()
    before = network.bundle()
    network.clock.at_ms += 30 * DAY_MS
    network.officers.renew(network.clock.at_ms)
    network.follow()
    after = network.bundle()
    assert after.as_of_unix_ms == before.as_of_unix_ms
    assert verified(network, after).valid_until_ms > verified(network, before).valid_until_ms + 29 * DAY_MS


def test_what_is_dated_in_the_future_is_not_used() -> None:
    network = Network()
    network.append()
    network.carry(WITNESS, OTHER)
    hour_ago = network.clock.at_ms
    network.clock.at_ms += 3_600_000
    network.beat()
    node = network.nodes[WITNESS]
    with pytest.raises(XinqiaoError, match="dated in the future"):
        build(node.world.store, node.membership.state, CHANNEL, Place(0, 1, 0), hour_ago, me=WITNESS)


def test_a_receipt_dated_in_the_future_spoils_nothing() -> None:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.append()
    network.clock.at_ms += DAY_MS
    network.carry(OTHER)
    network.clock.at_ms -= DAY_MS
    network.carry(WITNESS)
    network.beat()
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [WITNESS]
    assert confirmed_by(network, network.bundle(at=WITNESS)) == [WITNESS]


def test_a_node_without_the_registrys_files_says_so() -> None:
    network = Network()
    network.publish()
    node = network.nodes[WITNESS]
    state = replace(node.membership.state, files={})
    with pytest.raises(XinqiaoError, match="the registry's files are not held here"):
        build(node.world.store, state, CHANNEL, Place(0, 1, 0), network.clock.at_ms, me=WITNESS)


def test_not_more_than_three_receipts_go_along() -> None:
    network = Network((ORIGIN, WITNESS, OTHER, NATIONAL, "110000", "440000"))
    network.publish()
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == ["110000", OTHER, WITNESS]


@pytest.mark.parametrize("place", [(1, 3, 0), (0, 0, 0), (9, 0, 0), (1, 0, 1)])
def test_a_place_without_a_record_is_unknown(place: tuple[int, int, int]) -> None:
    network = Network()
    network.publish(3)
    with pytest.raises(XinqiaoError, match="RECORD_UNKNOWN"):
        network.bundle(*place[:2], epoch=place[2])


# --- What can never be proven any more ----------------------------------------------------------------------


def test_an_erased_record_has_no_evidence_and_its_neighbours_keep_theirs() -> None:
    network = Network()
    network.publish(3)
    network.run(network.nodes[ORIGIN].publishing.erase(CHANNEL, Place(0, 1, 1), "示例决定", "示例"))
    network.spread()
    for at in (ORIGIN, WITNESS):
        assert missing(network, at, position=1) == "it was erased"
        assert verified(network, network.bundle(position=2, at=at)).place.position == 2


def test_a_withheld_record_is_told_from_an_erased_one() -> None:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.append(2)
    entries = network._missing(WITNESS)
    body = channel_pb2.EntryBody.FromString(entries[1].body or b"")
    body.slots[0].CopyFrom(channel_pb2.Slot(commitment=commitment(body.slots[0].salt, body.slots[0].record)))
    entries[1] = SignedEntry(CHANNEL, 0, 1, entries[1].envelope, body.SerializeToString())
    network.run(network.nodes[WITNESS].receive(entries))
    network.carry(OTHER)
    network.beat()
    assert missing(network) == "its content is withheld here"


# --- Suspended origins, changed keys ------------------------------------------------------------------------


def suspended_network(cut_at: int) -> Network:
    """Four entries after the manifest; the origin suspended with a cut at that size."""
    network = Network()
    heads = [network.head()]
    for _ in range(4):
        network.publish(2)
        heads.append(network.head())
    network.clock.at_ms += 60_000
    network.suspend(ORIGIN, *[head for head in heads if head.size == cut_at])
    return network


@pytest.mark.parametrize("cut_at", [3, 5])
def test_what_a_suspended_origin_published_up_to_its_cut_stays_provable(cut_at: int) -> None:
    network = suspended_network(cut_at)
    bundle = network.bundle(index=cut_at - 1)
    found = verified(network, bundle)
    assert (found.standing, found.cut_size, found.head.size) == (Standing.SUSPENDED, cut_at, 5)
    assert found.standing_reason == "示例：核查中"
    assert found.as_of_ms == network.clock.at_ms, "the decision is the latest thing signed"


def test_what_lies_above_the_cut_is_not_provable() -> None:
    assert missing(suspended_network(3), index=3) == "310000 is suspended, and its log is cut at 3"


def test_a_log_that_the_cut_does_not_list_is_not_provable() -> None:
    detail = missing(suspended_network(99), index=1)
    assert detail == "310000 is suspended, and no cut of its log is known here"


def test_an_earlier_epoch_of_a_reinstated_origin_stays_provable_by_its_cut() -> None:
    network = suspended_network(4)
    network.list_as(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
    old = network.head()
    assert old.size == 5
    network.publish(1)
    assert verified(network, network.bundle(index=1, epoch=1)).cut_size is None
    found = verified(network, network.bundle(index=3, epoch=0))
    assert (found.standing, found.cut_size, found.place.epoch) == (Standing.ACTIVE, 4, 0)
    # Stores keep the largest receipt of a subscriber over all epochs: the officers' cut remains as the foreign word.
    assert found.confirmations == ()


def test_two_histories_make_no_evidence_before_the_officers_cut() -> None:
    network = Network()
    network.publish()
    with network.nodes[WITNESS].world.store.transaction() as tx:
        tx.set_quarantined(ORIGIN, True)
    assert missing(network) == "310000 signed two histories; the officers have to cut its logs first"


def test_an_entry_of_a_retired_key_is_provable_once_a_heartbeat_of_the_new_key_covers_it() -> None:
    network = Network()
    network.publish()
    network.clock.at_ms += 60_000
    network.change_key(ORIGIN, registry_pb2.KEY_STATE_RETIRED)
    assert missing(network) == "the newest heartbeat of 310000 is not by a key active now"
    network.beat()
    bundle = network.bundle()
    assert bundle.entry.signatures[0].keyid != bundle.heartbeat.heartbeat.signatures[0].keyid
    assert verified(network, bundle).cut_size is None


def test_an_entry_of_a_revoked_key_is_not_provable_without_a_cut() -> None:
    network = Network()
    network.publish()
    network.clock.at_ms += 60_000
    network.change_key(ORIGIN, registry_pb2.KEY_STATE_REVOKED)
    network.beat()
    assert "bears no signature by an accepted key of 310000" in missing(network)


def test_an_entry_of_a_revoked_key_is_provable_below_a_cut() -> None:
    network = Network()
    network.publish()
    network.clock.at_ms += 60_000
    network.suspend(ORIGIN, network.head())
    network.change_key(ORIGIN, registry_pb2.KEY_STATE_REVOKED)
    network.list_as(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
    network.beat()
    assert verified(network, network.bundle()).cut_size == 2


def test_receipts_count_by_a_retired_key_but_not_by_a_revoked_one() -> None:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.publish()
    network.clock.at_ms += 60_000
    network.change_key(OTHER, registry_pb2.KEY_STATE_RETIRED)
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [OTHER, WITNESS]
    network.change_key(WITNESS, registry_pb2.KEY_STATE_REVOKED)
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [OTHER]


def test_receipts_of_suspended_members_do_not_count() -> None:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.publish()
    network.list_as(OTHER, standing=Standing.SUSPENDED, reason="示例")
    assert confirmed_by(network, network.bundle(at=ORIGIN)) == [WITNESS]
    network.list_as(WITNESS, standing=Standing.REMOVED, reason="示例")
    assert missing(network, at=ORIGIN) == "no other node has confirmed its entry by a receipt yet"


def test_a_record_of_an_authority_that_the_origin_does_not_speak_for_is_not_provable() -> None:
    network = Network()
    network.publish()
    network.list_as(ORIGIN, descriptor=network.keys[ORIGIN].describe(ORIGIN, []))
    assert missing(network) == "310000 may not speak for the authority 11319900MX00000199"
