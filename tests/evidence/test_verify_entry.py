"""A bundle against entries, records, heartbeats and receipts of others: the failing step is named."""

import pytest

from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core.channel import HeadAt
from node.evidence.bundle import serialize
from node.evidence.verify import verify
from node.pb import channel_pb2, registry_pb2
from tests.evidence.bundles import Bundle, network, refusal, sound_bundle, step_of
from tests.evidence.network import CHANNEL, DAY_MS, EDITION_FILE, ORIGIN, OTHER, WITNESS, Network


def other_bundle(index: int, position: int) -> Bundle:
    return network().bundle(index, position, at=WITNESS)


# --- (5) to (8) The entry, the record, the log --------------------------------------------------------------


def test_the_entry_of_another_place_is_refused() -> None:
    assert step_of(lambda bundle: bundle.entry.CopyFrom(other_bundle(1, 0).entry)) == 5
    assert step_of(lambda bundle: setattr(bundle.record, "index", 2)) == 5


def test_an_entry_signed_by_another_node_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        signer = network().keys[WITNESS].signer
        bundle.entry.CopyFrom(envelopes.seal(bundle.entry.payload, envelopes.ENTRY_HEADER, signer))

    assert step_of(change) == 5


def test_a_foreign_record_is_refused() -> None:
    assert step_of(lambda bundle: bundle.slot.CopyFrom(other_bundle(3, 0).slot)) == 6
    assert step_of(lambda bundle: setattr(bundle.slot, "record", other_bundle(1, 0).slot.record)) == 6
    assert step_of(lambda bundle: setattr(bundle.slot, "salt", bytes(16))) == 6


def test_a_record_at_another_position_is_refused() -> None:
    assert step_of(lambda bundle: setattr(bundle.record, "position", 0)) == 6
    assert step_of(lambda bundle: setattr(bundle.record, "position", 2)) == 6


def test_a_bare_commitment_is_no_record() -> None:
    bundle = sound_bundle()
    leaf = b"\x01" * 32
    bundle.slot.CopyFrom(channel_pb2.Slot(commitment=leaf))
    assert refusal(serialize(bundle)) == (6, "the slot holds no record with its salt")
    bundle = sound_bundle()
    bundle.slot.commitment = leaf
    assert refusal(serialize(bundle))[0] == 6


def resigned_entry(bundle: Bundle, **changes: object) -> None:
    """Let the origin sign another header in place of the entry's."""
    header = channel_pb2.EntryHeader.FromString(bundle.entry.payload)
    for name, value in changes.items():
        setattr(header, name, value)
    signer = network().keys[ORIGIN].signer
    bundle.entry.CopyFrom(envelopes.seal(header.SerializeToString(), envelopes.ENTRY_HEADER, signer))


def test_slots_of_another_kind_are_no_records() -> None:
    bundle = sound_bundle()
    resigned_entry(bundle, kind=channel_pb2.ENTRY_KIND_STATUS)
    assert refusal(serialize(bundle)) == (6, "its entry holds no records")


def test_an_edition_published_under_another_version_is_refused() -> None:
    made = Network()
    made.officers.decide({"catalogue/x.json": EDITION_FILE.read_bytes()}, made.clock.at_ms)
    made.follow()
    made.publish()
    bundle = made.bundle()
    header = channel_pb2.EntryHeader.FromString(bundle.entry.payload)
    header.catalogue_version = "x"
    payload = header.SerializeToString()
    bundle.entry.CopyFrom(envelopes.seal(payload, envelopes.ENTRY_HEADER, made.keys[ORIGIN].signer))
    for file in bundle.registry_files:
        file.name = file.name.replace(".2026.1.json", ".x.json")
    assert refusal(serialize(bundle), made.fingerprint) == (6, "the catalogue edition is 2026.1")


def test_a_manifest_is_no_record() -> None:
    def change(bundle: Bundle) -> None:
        entry = network().nodes[WITNESS].world.store.entry(CHANNEL, 0, 0)
        assert entry is not None
        bundle.entry.CopyFrom(entry.envelope)
        bundle.record.index = 0

    # A manifest names no catalogue edition, which is among the files.
    assert step_of(change) == 3


def test_the_proof_of_another_entry_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        del bundle.entry_proof[:]
        bundle.entry_proof.extend(other_bundle(2, 0).entry_proof)

    assert step_of(change) == 7
    assert step_of(lambda bundle: bundle.entry_proof.append(bytes(32))) == 7
    assert step_of(lambda bundle: bundle.entry_proof.pop()) == 7


def forged_heartbeat(node: str, head: HeadAt) -> channel_pb2.HeartbeatView:
    """A heartbeat over the channel's head, signed by a node's own key."""
    heads = {(CHANNEL, 0): head}
    time_ms = sound_bundle().as_of_unix_ms
    message = heartbeats.build(network().state.network, node, time_ms, heads)
    envelope = envelopes.seal(message.SerializeToString(), envelopes.HEARTBEAT, network().keys[node].signer)
    return heartbeats.full_view(envelope, heads)


def test_the_heartbeat_of_another_node_is_refused() -> None:
    assert step_of(lambda bundle: bundle.heartbeat.CopyFrom(forged_heartbeat(WITNESS, network().head()))) == 8


@pytest.mark.parametrize("changes", [{"channel": "310000/licences"}, {"epoch": 1}])
def test_the_head_of_another_log_is_refused(changes: dict[str, object]) -> None:
    bundle = sound_bundle()
    for name, value in changes.items():
        setattr(bundle.heartbeat.heads[0].head, name, value)
    assert refusal(serialize(bundle)) == (1, "the heartbeat shows the head of another log")


def test_a_head_that_the_heartbeat_does_not_contain_is_refused() -> None:
    assert step_of(lambda bundle: setattr(bundle.heartbeat.heads[0].head, "size", 7)) in (7, 8)
    assert step_of(lambda bundle: bundle.heartbeat.hashes.append(bytes(32))) == 8
    assert step_of(lambda bundle: bundle.heartbeat.heads.pop()) == 1


def receipt_refusal(node: str, **changes: object) -> tuple[int, str]:
    """The refusal where the first receipt says something else, signed by that node."""
    bundle = sound_bundle()
    message = channel_pb2.Receipt.FromString(bundle.receipts[0].receipt.payload)
    for name, value in changes.items():
        setattr(message, name, value)
    signer = network().keys[node].signer
    envelope = envelopes.seal(message.SerializeToString(), envelopes.RECEIPT, signer)
    bundle.receipts[0].receipt.CopyFrom(envelope)
    return refusal(serialize(bundle))


# --- (9) The receipts ---------------------------------------------------------------------------------------


def test_an_altered_receipt_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        message = channel_pb2.Receipt.FromString(bundle.receipts[0].receipt.payload)
        message.observed_at_unix_ms -= 1
        bundle.receipts[0].receipt.payload = message.SerializeToString()

    assert step_of(change) == 9


def test_a_receipt_signed_by_another_node_is_refused() -> None:
    assert receipt_refusal(WITNESS, applied_size=5)[0] == 9


def test_a_receipt_over_another_history_is_refused() -> None:
    step, detail = receipt_refusal(OTHER, root=bytes(32))
    assert (step, detail) == (9, "the receipt of 320500 is of another history than the heartbeat")


@pytest.mark.parametrize(("late_ms", "holds"), [(-1, True), (0, False)])
def test_a_retired_key_confirms_nothing_after_its_life(late_ms: int, holds: bool) -> None:
    made = Network((ORIGIN, WITNESS))
    made.publish()
    retired = made.keys[WITNESS].signer
    made.clock.at_ms += 60_000
    made.change_key(WITNESS, registry_pb2.KEY_STATE_RETIRED)
    ended_ms = made.clock.at_ms
    made.beat()
    bundle = made.bundle(at=ORIGIN)
    message = channel_pb2.Receipt.FromString(bundle.receipts[0].receipt.payload)
    message.observed_at_unix_ms = ended_ms + late_ms
    envelope = envelopes.seal(message.SerializeToString(), envelopes.RECEIPT, retired)
    bundle.receipts[0].receipt.CopyFrom(envelope)
    if holds:
        assert verify(serialize(bundle), made.fingerprint).confirmations[0].observed_at_ms == ended_ms - 1
    else:
        found = refusal(serialize(bundle), made.fingerprint)
        assert found == (9, "the key of 330100 was not in force when it signed")


@pytest.mark.parametrize("changes", [{"size": 3, "applied_size": 3}, {"epoch": 1}, {"channel": "310000/licences"}])
def test_a_receipt_that_does_not_cover_the_entry_is_refused(changes: dict[str, object]) -> None:
    assert receipt_refusal(OTHER, **changes) == (9, "the receipt of 320500 does not cover the entry")


def test_a_receipt_without_any_other_node_is_none() -> None:
    bundle = sound_bundle()
    names = [file.name for file in bundle.registry_files]
    gone = {
        name for name in names if "/00/" in name or "/32/" in name or name.startswith(("1.region-00", "1.region-32"))
    }
    kept = [file for file in bundle.registry_files if file.name not in gone]
    del bundle.receipts[:], bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert refusal(serialize(bundle)) == (9, "no other node confirms it")


def test_the_origin_cannot_confirm_its_own_log() -> None:
    bundle = sound_bundle()
    message = channel_pb2.Receipt.FromString(bundle.receipts[0].receipt.payload)
    message.subscriber = ORIGIN
    envelope = envelopes.seal(message.SerializeToString(), envelopes.RECEIPT, network().keys[ORIGIN].signer)
    names = {file.name for file in bundle.registry_files if "/32/" in file.name} | {"1.region-32.json"}
    kept = [file for file in bundle.registry_files if file.name not in names]
    bundle.receipts[0].receipt.CopyFrom(envelope)
    del bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert refusal(serialize(bundle)) == (9, "310000 cannot confirm its own log")


def test_the_consistency_proof_of_another_receipt_is_refused() -> None:
    made = Network((ORIGIN, WITNESS, OTHER))
    made.publish()
    made.append()
    made.carry(OTHER)
    made.append()
    made.carry(WITNESS)
    made.beat()
    bundle = made.bundle(at=ORIGIN)
    assert [each.size for each in verify(serialize(bundle), made.fingerprint).confirmations] == [3, 4]
    bundle.receipts[0].consistency_proof[0] = bytes(32)
    assert refusal(serialize(bundle), made.fingerprint)[0] == 9
    del bundle.receipts[0].consistency_proof[:]
    assert refusal(serialize(bundle), made.fingerprint)[0] == 9


# --- (10) The date ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_ms", [-DAY_MS, -1, 1, DAY_MS])
def test_the_date_is_the_latest_signed_time_and_no_other(by_ms: int) -> None:
    assert step_of(lambda bundle: setattr(bundle, "as_of_unix_ms", bundle.as_of_unix_ms + by_ms)) == 10
