"""A bundle against everything that can be done to it: each alteration is refused, and the step is named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.membership import Standing
from node.core.suites import ECDSA_P256, ED25519
from node.evidence.bundle import serialize
from node.evidence.explanation import explain
from node.evidence.verify import STEPS, verify
from node.pb import channel_pb2, evidence_pb2, registry_pb2
from tests.evidence.network import CHANNEL, DAY_MS, EDITION_FILE, NATIONAL, ORIGIN, OTHER, WITNESS, Network

ROOT = Path(__file__).resolve().parents[2]
Bundle = evidence_pb2.EvidenceBundle
Change = Callable[[Bundle], object]


@cache
def network_of(suite: str) -> Network:
    made = Network(suite=suite)
    for rows in (3, 1, 2, 1, 3):
        made.publish(rows)
    return made


@cache
def sound_of(suite: str) -> bytes:
    return serialize(network_of(suite).bundle(index=3, position=1, at=WITNESS))


def network() -> Network:
    """Six entries, each with a few records; no test changes it."""
    return network_of(ED25519)


def sound() -> bytes:
    """The evidence of the witness for record 1 of entry 3."""
    return sound_of(ED25519)


def sound_bundle() -> Bundle:
    return Bundle.FromString(sound())


def refusal(content: bytes, fingerprint: bytes | None = None, limits: Limits | None = None) -> tuple[int, str]:
    """The step that refuses these bytes, and why."""
    with pytest.raises(XinqiaoError) as refused:
        verify(content, network().fingerprint if fingerprint is None else fingerprint, limits or Limits())
    assert refused.value.code == "EVIDENCE_INVALID"
    step = refused.value.parameters["step"]
    number = int(step.partition(" ")[0])
    assert step == f"{number} ({STEPS[number]})"
    return number, refused.value.parameters["detail"]


def step_of(change: Change) -> int:
    """The step that refuses the sound bundle after a change."""
    bundle = sound_bundle()
    change(bundle)
    assert serialize(bundle) != sound()
    return refusal(serialize(bundle))[0]


# --- What a sound bundle says -------------------------------------------------------------------------------


def test_a_sound_bundle_tells_everything_a_person_wants_to_know() -> None:
    found = verify(sound(), network().fingerprint)
    assert (found.network, found.network_name) == (network().state.network, "delta")
    assert (found.origin, found.origin_name, found.standing) == (ORIGIN, "示例310000", Standing.ACTIVE)
    assert (found.place.channel, found.place.epoch, found.place.index, found.place.position) == (CHANNEL, 0, 3, 1)
    assert (found.item, found.item_title_zh, found.edition) == ("penalty.2018", "行政处罚", "2026.1")
    assert found.authority == "11319900MX00000199"
    assert found.head == network().head()
    assert [(each.node, each.size, each.applied) for each in found.confirmations] == [
        (OTHER, 6, True),
        (NATIONAL, 6, True),
    ]
    assert found.published_at_ms < found.confirmations[0].observed_at_ms < found.as_of_ms == found.heartbeat_at_ms
    assert found.as_of_ms < found.valid_until_ms
    values = {value.code: value for value in found.values}
    assert values["CF_CFJGDM"].text == found.authority
    assert values["CF_WSH"].title_zh == "行政处罚决定书文号"
    assert values["CF_WSH"].title_en == "Number of the penalty decision"
    held = network().nodes[NATIONAL].world.store.records(subject=found.subject)
    assert found.record in [each.record for each in held]


def test_the_explanation_shows_each_fact() -> None:
    found = verify(sound(), network().fingerprint)
    text = explain(found)
    assert text.splitlines()[0] == "VERIFIED: 310000 (示例310000) published this record."
    for fact in (
        *(f"{value.title_zh} ({value.title_en}): {value.text}" for value in found.values),
        f"for the authority {found.authority}",
        "310000/penalties, epoch 0, entry 3, record 1",
        "by 320500 (示例320500), which has applied this one",
        "by national (示例national), which has applied this one",
        network().fingerprint.hex(),
        network().state.network,
        "As of       2026-09-21",
        "valid until 2026-09-24 14:13:20 UTC",
    ):
        assert fact in text, fact


def test_a_value_cannot_forge_a_line_of_the_explanation() -> None:
    found = verify(sound(), network().fingerprint)
    first = found.values[0]
    forged = type(first)(first.code, first.title_zh, first.title_en, "x\nConfirmed   by a court\u202e\x1b[2J")
    lines = explain(type(found)(**{name: getattr(found, name) for name in found.__slots__} | {"values": (forged,)}))
    assert "\nConfirmed   by a court" not in lines
    assert "x\\nConfirmed   by a court\\u202e\\x1b[2J" in lines


def test_verifying_imports_the_core_and_nothing_of_the_node() -> None:
    program = (
        "import sys; from node.evidence.verify import verify;"
        "found = verify(sys.stdin.buffer.read(), bytes.fromhex(sys.argv[1]));"
        "print(found.origin); print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, network().fingerprint.hex()],
        input=sound(),
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    origin, loaded = done.stdout.decode().splitlines()
    assert origin == ORIGIN
    ours = {name for name in loaded.split() if name.split(".")[0] in ("node", "registry", "certs", "tests")}
    permitted = ("node.core", "node.pb", "node.evidence")
    assert {name for name in ours if not name.startswith(permitted)} == {"node"}
    assert "node.evidence.bundle" not in ours
    assert not any("_grpc" in name for name in ours)
    foreign = {name.split(".")[0] for name in loaded.split()} | {name for name in loaded.split() if "tuf." in name}
    assert not foreign & {"grpc", "sqlmodel", "sqlalchemy", "tuf.ngclient", "urllib3", "requests", "asyncio"}


# --- One flipped bit ----------------------------------------------------------------------------------------


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def check_flips(suite: str, places: Iterable[int], seed: int) -> set[int]:
    """Flip one random bit of each of these bytes; return the steps that refused."""
    random, content, fingerprint = Random(seed), sound_of(suite), network_of(suite).fingerprint
    verify(content, fingerprint)
    return {refusal(flipped(content, at, random.randrange(8)), fingerprint)[0] for at in places}


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_one_flipped_bit_fails_wherever_it_is(suite: str) -> None:
    size, files_begin = len(sound_of(suite)), sound_of(suite).index(b".json")
    random = Random(4)
    places = random.sample(range(files_begin), 200) + random.sample(range(files_begin, size), 100)
    assert check_flips(suite, places, 5) >= {1, 3, 5, 6, 7, 8, 9}


def test_one_flipped_bit_fails_in_every_signature_root_and_timestamp() -> None:
    """What no hash binds: every bit of every byte that is neither signed nor hashed elsewhere."""
    content, fingerprint = sound(), network().fingerprint
    steps = set()
    for name in ("1.root.json", "timestamp.json"):
        file = next(file.content for file in sound_bundle().registry_files if file.name == name)
        begin = content.index(file)
        for at in range(begin, begin + file.index(b'"signed"')):
            steps |= {refusal(flipped(content, at, bit), fingerprint)[0] for bit in range(0, 8, 3)}
    assert steps <= {2, 3}


@pytest.mark.long
@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_one_flipped_bit_fails_in_every_byte(suite: str) -> None:
    assert check_flips(suite, range(len(sound_of(suite))), 7) >= {1, 2, 3, 5, 6, 7, 8, 9, 10}


@pytest.mark.parametrize("cut_short", [0, 1, 5, 100, 5000])
def test_a_bundle_cut_short_fails(cut_short: int) -> None:
    assert refusal(sound()[:cut_short])[0] == 1
    assert refusal(sound()[: len(sound()) - 1 - cut_short])[0] in (1, 2, 3)


def test_random_damage_is_refused_and_never_crashes() -> None:
    random = Random(11)
    for _ in range(300):
        content = bytearray(sound())
        at = random.randrange(len(content))
        content[at : at + random.randrange(40)] = random.randbytes(random.randrange(40))
        if bytes(content) != sound():
            refusal(bytes(content))


# --- (1) The form of the bundle -----------------------------------------------------------------------------


def test_an_unknown_field_is_refused() -> None:
    assert refusal(sound() + b"\xa2\x06\x03abc") == (1, "it is not in canonical form")


def test_fields_in_another_order_are_refused() -> None:
    record = Bundle(record=sound_bundle().record).SerializeToString()
    rest = sound_bundle()
    rest.ClearField("record")
    assert Bundle.FromString(rest.SerializeToString() + record) == sound_bundle()
    assert refusal(rest.SerializeToString() + record) == (1, "it is not in canonical form")


def test_a_field_given_twice_is_refused() -> None:
    assert refusal(sound() + Bundle(network=sound_bundle().network).SerializeToString())[0] == 1


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_evidence_bytes=30_000),
        Limits(max_evidence_files=8),
        Limits(max_evidence_receipts=1),
        Limits(max_registry_file_bytes=20_000),
        Limits(max_header_bytes=60),
    ],
)
def test_a_bundle_beyond_the_limits_is_refused(limits: Limits) -> None:
    assert refusal(sound(), limits=limits)[0] == 1


@pytest.mark.parametrize("count", [0, 2])
def test_an_envelope_bears_exactly_one_signature(count: int) -> None:
    for path in (
        lambda bundle: bundle.entry,
        lambda bundle: bundle.heartbeat.heartbeat,
        lambda bundle: bundle.receipts[1].receipt,
    ):

        def change(bundle: Bundle, path: Callable[[Bundle], object] = path) -> None:
            signatures = path(bundle).signatures  # type: ignore[attr-defined]
            signatures.extend(list(signatures)) if count else signatures.pop()

        assert step_of(change) == 1


def test_files_and_receipts_stand_in_ascending_order_each_once() -> None:
    assert step_of(lambda bundle: bundle.registry_files.reverse()) == 1
    assert step_of(lambda bundle: bundle.registry_files.append(bundle.registry_files[-1])) == 1
    assert step_of(lambda bundle: bundle.receipts.reverse()) == 1
    assert step_of(lambda bundle: bundle.receipts.append(bundle.receipts[-1])) == 1


# --- (2) and (3) The registry -------------------------------------------------------------------------------


def test_another_fingerprint_is_refused() -> None:
    step, detail = refusal(sound(), bytes(32))
    assert (step, detail) == (
        2,
        f"the first root has the fingerprint {network().fingerprint.hex()}, you gave {'00' * 32}",
    )
    assert refusal(sound(), Network((ORIGIN, WITNESS)).fingerprint)[0] == 2
    assert refusal(sound(), b"")[0] == 2


def changed_file(name: str, change: Callable[[bytes], bytes]) -> tuple[int, str]:
    """The refusal after one registry file was changed."""
    bundle = sound_bundle()
    for file in bundle.registry_files:
        if file.name == name:
            file.content = change(file.content)
    assert serialize(bundle) != sound()
    return refusal(serialize(bundle))


def indented(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=1, sort_keys=True).encode()


def with_signature(signature: dict[str, object]) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        document = json.loads(content)
        document["signatures"].append(signature)
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    return change


def in_capitals(content: bytes) -> bytes:
    document = json.loads(content)
    document["signatures"][0]["sig"] = document["signatures"][0]["sig"].upper()
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def with_a_remark(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"x": 1}, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize(("name", "step"), [("1.root.json", 2), ("timestamp.json", 3)])
@pytest.mark.parametrize(
    "change", [indented, in_capitals, with_a_remark, with_signature({"keyid": "0" * 64, "sig": "00"})]
)
def test_what_no_hash_binds_has_only_one_form(name: str, step: int, change: Callable[[bytes], bytes]) -> None:
    found, detail = changed_file(name, change)
    assert found == step
    assert "carries more than is signed" in detail


@pytest.mark.parametrize("name", ["2.snapshot.json", "2.targets.json", "1.region-31.json"])
def test_the_other_files_are_bound_by_their_hash(name: str) -> None:
    assert changed_file(name, indented)[0] == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"[" * 100_000, b'{"signed":1}', b"\xff"])
@pytest.mark.parametrize(("name", "step"), [("1.root.json", 2), ("timestamp.json", 3)])
def test_files_that_are_no_metadata_are_refused(name: str, step: int, content: bytes) -> None:
    assert changed_file(name, lambda _: content)[0] == step


def test_every_file_is_needed_and_no_other_is_carried() -> None:
    for number, file in enumerate(sound_bundle().registry_files):
        bundle = sound_bundle()
        del bundle.registry_files[number]
        step, detail = refusal(serialize(bundle))
        assert step == (2 if file.name == "1.root.json" else 3)
        assert file.name[:100] in detail
    published = network().officers.served
    for name in sorted(published.keys() - {file.name for file in sound_bundle().registry_files}):
        bundle = sound_bundle()
        bundle.registry_files.add(name=name, content=published[name])
        bundle.registry_files.sort(key=lambda file: file.name)
        assert refusal(serialize(bundle)) == (3, f"{name}: nothing here needs it")


def test_files_that_had_expired_by_the_date_are_refused() -> None:
    def later(days: int) -> Change:
        return lambda bundle: setattr(bundle, "as_of_unix_ms", bundle.as_of_unix_ms + days * DAY_MS)

    for days, role in ((4, "timestamp"), (8, "timestamp"), (400, "root")):
        bundle = sound_bundle()
        later(days)(bundle)
        step, detail = refusal(serialize(bundle))
        assert step == 3
        assert f"{role} had expired" in detail


def test_a_region_that_had_expired_is_refused_though_the_timestamp_is_new() -> None:
    made = Network()
    made.clock.at_ms += 100 * DAY_MS
    made.officers.renew(made.clock.at_ms)
    made.follow()
    made.append()
    made.carry(WITNESS, OTHER)
    made.beat()
    with pytest.raises(XinqiaoError, match=r"EVIDENCE_UNAVAILABLE: .*region-31 had expired"):
        made.bundle()


def test_a_bundle_of_another_network_with_the_same_nodes_is_refused() -> None:
    other = Network()
    other.publish()
    bundle = sound_bundle()
    del bundle.registry_files[:]
    bundle.registry_files.extend(other.bundle().registry_files)
    assert refusal(serialize(bundle))[0] == 2
    assert refusal(serialize(bundle), other.fingerprint)[0] == 3
    bundle.network = other.state.network
    assert refusal(serialize(bundle), other.fingerprint)[0] == 5


# --- (4) The origin -----------------------------------------------------------------------------------------


@cache
def suspended() -> Network:
    """Five entries, the origin suspended with its log cut at three."""
    made = Network()
    for _ in range(2):
        made.publish(2)
    cut = made.head()
    for _ in range(2):
        made.publish(2)
    made.clock.at_ms += 60_000
    made.suspend(ORIGIN, cut)
    return made


def suspended_step(change: Change) -> tuple[int, str]:
    bundle = suspended().bundle(index=2)
    verify(serialize(bundle), suspended().fingerprint)
    change(bundle)
    return refusal(serialize(bundle), suspended().fingerprint)


def test_a_suspended_origin_needs_a_cut_above_the_entry() -> None:
    closed = "310000 is suspended, epoch 0 of it closed"
    assert suspended_step(lambda bundle: bundle.ClearField("cut")) == (4, f"{closed}, and no cut is shown")


def test_a_cut_that_the_officers_do_not_list_is_refused() -> None:
    head = suspended().head()
    cut = evidence_pb2.CutEvidence(size=head.size, root=head.root)
    step, detail = suspended_step(lambda bundle: bundle.cut.CopyFrom(cut))
    assert (step, detail.endswith("the officers list no such cut")) == (4, True)


def test_an_entry_above_the_cut_is_refused() -> None:
    made = suspended()
    listed = made.bundle(index=2).cut
    bundle = made.bundle(index=2)
    bundle.record.index = 3
    bundle.cut.CopyFrom(listed)
    assert refusal(serialize(bundle), made.fingerprint) == (
        4,
        "310000 is suspended, epoch 0 of it closed, and entry 3 lies above its cut at 3",
    )


def test_a_cut_of_another_history_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        bundle.cut.consistency_proof[0] = bytes(32)

    assert suspended_step(change) == (4, "the cut is of another history than the heartbeat")


def test_below_a_cut_receipts_may_be_absent_and_above_none_they_may_not() -> None:
    bundle = suspended().bundle(index=2)
    without = {file.name for file in bundle.registry_files if "/00/" in file.name or "/32/" in file.name}
    kept = [
        file for file in bundle.registry_files if file.name not in without | {"1.region-00.json", "1.region-32.json"}
    ]
    del bundle.receipts[:], bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert verify(serialize(bundle), suspended().fingerprint).confirmations == ()
    assert "officers, who cut this log" in explain(verify(serialize(bundle), suspended().fingerprint))


def test_an_open_log_has_no_cut_to_show() -> None:
    head = network().head()
    cut = evidence_pb2.CutEvidence(size=head.size, root=head.root)
    assert step_of(lambda bundle: bundle.cut.CopyFrom(cut)) == 4
    assert step_of(lambda bundle: bundle.cut.SetInParent()) == 4


def test_an_origin_that_is_not_listed_is_refused() -> None:
    bundle = sound_bundle()
    bundle.record.channel = bundle.heartbeat.heads[0].head.channel = "310115/penalties"
    kept = [file for file in bundle.registry_files if not file.name.endswith(f"{ORIGIN}.json")]
    del bundle.registry_files[:]
    bundle.registry_files.extend(kept)
    assert refusal(serialize(bundle)) == (4, "310115 is not listed")


def test_an_epoch_that_is_not_open_is_refused() -> None:
    def change(bundle: Bundle) -> None:
        bundle.record.epoch = bundle.heartbeat.heads[0].head.epoch = 1

    assert step_of(change) == 4


# --- (5) to (8) The entry, the record, the log --------------------------------------------------------------


def other_bundle(index: int, position: int) -> Bundle:
    return network().bundle(index, position, at=WITNESS)


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


# --- (9) The receipts ---------------------------------------------------------------------------------------


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
