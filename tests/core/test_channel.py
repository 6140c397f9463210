"""Channels: one door for every entry, refused for authenticity alone; forks are proven, and nobody is framed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import merkle
from node.core.channel import (
    HeadAt,
    Log,
    TwoHistories,
    advance,
    broken_continuation,
    check_channel_name,
    check_equivocation,
    confirmed,
    conflict,
    head_leaf,
    reaches,
    resolve_cut,
)
from node.core.entry import SignedEntry, VerifiedEntry
from node.core.limits import NUMBERS_END, Limits
from node.core.membership import Cut, Member, Standing
from node.core.suites import ECDSA_P256, ED25519
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from tests.builders import NETWORK, NOW_MS, ChannelWriter, SigningNode, list_keys, make_node, signing_key
from tests.core.signed import UNKNOWN, code_of, flips, refusal, stuffed, tampered

CHANNEL = "310000/base"
ORIGIN = make_node("310000")
RECORDS = channel_pb2.ENTRY_KIND_RECORDS
STATES = {
    "active": registry_pb2.KEY_STATE_ACTIVE,
    "retired": registry_pb2.KEY_STATE_RETIRED,
    "revoked": registry_pb2.KEY_STATE_REVOKED,
}


def written(node: SigningNode = ORIGIN, entries: int = 4, epoch: int = 0) -> ChannelWriter:
    """A log of a manifest and records."""
    writer = ChannelWriter(node, CHANNEL, epoch)
    writer.manifest()
    for number in range(1, entries):
        writer.records([b"record %d" % number])
    return writer


def offer(log: Log, signed: SignedEntry, origin: Member | None = ORIGIN.member, limits: Limits = Limits()) -> str:  # noqa: B008
    """The code with which an entry is refused."""
    return code_of(advance, log, signed, origin, NETWORK, limits)


def next_entry(writer: ChannelWriter, **header: object) -> SignedEntry:
    return writer.sign(RECORDS, [b"next"], **header)


def rotated(state: str) -> tuple[SigningNode, SigningNode]:
    """The origin as it was, and as it is listed after its key got that state and a new one is active."""
    before, after = make_node("310000"), make_node("310000")
    keys = [signing_key(before.signer, STATES[state]), signing_key(after.signer)]
    signers = [before, after] if state == "active" else [after]
    return before, list_keys(after, keys, *signers)


# --- What is taken ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_a_log_grows_entry_by_entry_to_the_root_of_rfc_6962(suite: str) -> None:
    writer = written(make_node("310000", suite), 9)
    leaves = [merkle.leaf_hash(entry.envelope.payload) for entry in writer.entries]
    assert (writer.log.size, writer.log.root) == (9, merkle.root(leaves))
    assert [entry.leaf for entry in writer.entries] == leaves
    assert [hash for entry in writer.entries for hash in entry.hashes] == merkle.HashList(leaves)._hashes


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_every_flipped_bit_of_a_signed_entry_is_refused(suite: str) -> None:
    node = make_node("310000", suite)
    writer = written(node, 2)
    signed = next_entry(writer)
    codes = {offer(writer.log, replace(signed, envelope=changed), node.member) for changed in tampered(signed.envelope)}
    assert codes == {"ENTRY_SIGNATURE", "ENVELOPE_TYPE"}
    assert signed.body is not None
    bodies = {offer(writer.log, replace(signed, body=changed), node.member) for changed in flips(signed.body)}
    assert bodies <= {"ENTRY_BODY", "ENTRY_SIZE"}
    assert advance(writer.log, signed, node.member, NETWORK).header.index == 2


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_g12_of_an_entrys_envelope_only_what_its_origin_signed_is_kept(suite: str) -> None:
    node = make_node("310000", suite)
    writer = written(node)
    signed = next_entry(writer)
    relayed = replace(signed, envelope=stuffed(signed.envelope))
    assert advance(writer.log, relayed, node.member, NETWORK).envelope == signed.envelope


def test_an_entry_without_its_body_is_taken_and_says_so() -> None:
    writer = written()
    assert advance(writer.log, replace(next_entry(writer), body=None), ORIGIN.member, NETWORK).body is None


@given(
    kind=st.integers(0, 2**31 - 1),
    issued_at=st.integers(1, 2**63 - 1),
    edition=st.text(max_size=20),
    largest=st.integers(0, 2**64 - 1),
)
def test_an_authentic_entry_that_makes_no_sense_is_taken_all_the_same(
    kind: int, issued_at: int, edition: str, largest: int
) -> None:
    writer = written(entries=1)
    signed = writer.sign(
        kind, issued_at_unix_ms=issued_at, catalogue_version=edition, uncompressed_bytes_max=largest, state_digest=b"?"
    )
    assert advance(writer.log, signed, ORIGIN.member, NETWORK).header.kind == kind


# --- (1) size, (2) standing -----------------------------------------------------------------------------------


def test_what_is_too_large_is_refused_before_anything_is_verified() -> None:
    writer = written()
    huge = replace(next_entry(writer), envelope=envelope_pb2.Envelope(payload=b"x" * 65537))
    assert offer(writer.log, huge) == "ENTRY_SIZE"
    assert (
        offer(writer.log, replace(next_entry(writer), body=bytes(100)), limits=Limits(max_body_bytes=99))
        == "ENTRY_SIZE"
    )
    many = writer.sign(RECORDS, [b"a", b"b", b"c"])
    assert offer(writer.log, many, limits=Limits(max_records_per_entry=2)) == "ENTRY_HEADER"


def test_only_its_origin_writes_a_channel() -> None:
    writer = written()
    signed = next_entry(writer)
    assert offer(writer.log, signed, None) == "ENTRY_ORIGIN"
    assert offer(writer.log, signed, make_node("310115").member) == "ENTRY_ORIGIN"
    stranger = ChannelWriter(make_node("310000"), CHANNEL)
    assert offer(Log(CHANNEL, 0), stranger.sign(RECORDS)) == "ENTRY_SIGNATURE"


@pytest.mark.parametrize(
    "name", ["310000", "310000/", "310000/Base", "310000//a", "310000/a/", "310000/" + "a" * 65, ""]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    log = Log(name, 0)
    signed = replace(next_entry(written()), channel=name, index=0)
    assert offer(log, signed) == "CHANNEL_NAME"
    assert code_of(check_channel_name, name) == "CHANNEL_NAME"


def test_names_are_bounded_and_their_origin_must_be_an_id() -> None:
    assert check_channel_name("310000/a-1/b-2") == "a-1/b-2"
    assert check_channel_name("310000/" + "a" * 64) == "a" * 64
    assert code_of(check_channel_name, "31000x/a") == "CHANNEL_NAME"
    assert code_of(check_channel_name, "x" * 100_000 + "/a") == "CHANNEL_NAME"
    assert len(refusal(check_channel_name, "x" * 100_000).text) < 300


def test_an_entry_of_another_log_or_of_an_epoch_that_is_not_open_is_refused() -> None:
    writer = written()
    signed = next_entry(writer)
    assert offer(replace(writer.log, channel="310000/other"), signed) == "ENTRY_EPOCH"
    assert offer(replace(writer.log, epoch=1), replace(signed, epoch=1)) == "ENTRY_EPOCH"


def test_what_the_routing_claims_must_be_what_the_header_says() -> None:
    writer = written()
    signed = next_entry(writer)
    open_later = replace(ORIGIN.member, open_epoch=1)
    assert offer(writer.log, replace(signed, index=signed.index + 1)) == "ENTRY_HEADER"
    assert offer(replace(writer.log, channel="310000/b"), replace(signed, channel="310000/b")) == "ENTRY_HEADER"
    assert offer(replace(writer.log, epoch=1), replace(signed, epoch=1), open_later) == "ENTRY_HEADER"


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REMOVED])
def test_of_a_member_that_is_not_active_only_what_lies_below_its_cut_is_taken(standing: Standing) -> None:
    writer = written(entries=3)
    origin = replace(ORIGIN.member, standing=standing)
    log, first = Log(CHANNEL, 0), writer.entries[0]
    signed = SignedEntry(CHANNEL, 0, 0, first.envelope, None)
    assert offer(log, signed, origin) == "ENTRY_TOO_EARLY"
    assert offer(replace(log, cut=HeadAt(0, merkle.EMPTY_ROOT)), signed, origin) == "ENTRY_ABOVE_CUT"
    below = advance(replace(log, cut=writer.head), signed, origin, NETWORK)
    assert below.rests_on == writer.head


def test_an_earlier_epoch_is_closed_as_soon_as_a_later_one_is_open() -> None:
    writer = written()
    reopened = replace(ORIGIN.member, open_epoch=1, cut=Cut(frozenset()))
    signed = next_entry(writer)
    assert offer(writer.log, signed, reopened) == "ENTRY_TOO_EARLY"
    assert offer(replace(writer.log, cut=writer.head), signed, reopened) == "ENTRY_ABOVE_CUT"


def test_a_quarantined_log_takes_nothing_but_what_a_cut_covers() -> None:
    writer = written()
    closed = replace(writer.log, quarantined=True)
    assert offer(closed, next_entry(writer)) == "EQUIVOCATION"
    with_cut = replace(ORIGIN.member, cut=Cut(frozenset()))
    assert offer(closed, next_entry(writer), with_cut) == "ENTRY_TOO_EARLY"
    later = HeadAt(9, b"\x09" * 32)
    assert advance(replace(closed, cut=later), next_entry(writer), ORIGIN.member, NETWORK).rests_on == later


# --- (3) keys -------------------------------------------------------------------------------------------------


def take(log: Log, entry: VerifiedEntry, origin: Member) -> VerifiedEntry:
    header = entry.header
    signed = SignedEntry(header.channel, header.epoch, header.index, entry.envelope, None)
    return advance(log, signed, origin, NETWORK)


@pytest.mark.parametrize(
    ("state", "bound", "accepted"),
    [
        ("active", "none", True),
        ("retired", "none", False),
        ("retired", "covered", True),
        ("retired", "covered below", False),
        ("retired", "cut", True),
        ("revoked", "none", False),
        ("revoked", "covered", False),
        ("revoked", "cut", True),
    ],
)
def test_an_old_key_counts_only_below_what_covers_it(state: str, bound: str, accepted: bool) -> None:
    before, listed = rotated(state)
    writer = written(before, 3)
    log = Log(CHANNEL, 0)
    if bound == "covered":
        log = replace(log, covered=writer.head)
    elif bound == "covered below":
        log = replace(log, covered=HeadAt(0, merkle.EMPTY_ROOT))
    elif bound == "cut":
        log = replace(log, cut=writer.head)
    if not accepted:
        assert code_of(take, log, writer.entries[0], listed.member) == "ENTRY_SIGNATURE"
        return
    entry = take(log, writer.entries[0], listed.member)
    assert entry.rests_on == (None if bound == "none" else writer.head)


def test_a_key_does_not_sign_for_the_time_before_it() -> None:
    node = make_node("310000")
    key = signing_key(node.signer)
    key.not_before_unix_ms = NOW_MS
    listed = list_keys(node, [key], node)
    writer = ChannelWriter(listed, CHANNEL)
    assert offer(writer.log, writer.sign(RECORDS, issued_at_unix_ms=NOW_MS - 1), listed.member) == "ENTRY_SIGNATURE"
    assert writer.write(RECORDS, issued_at_unix_ms=NOW_MS).header.index == 0


@pytest.mark.parametrize("state", ["retired", "revoked"])
def test_g1_who_holds_an_old_key_cannot_write_another_past(state: str) -> None:
    before, listed = rotated(state)
    real, forged = written(before, 3), written(before, 2)
    forged.records([b"forged"])
    bound = {"covered": real.head} if state == "retired" else {"cut": real.head}
    log = replace(Log(CHANNEL, 0), **bound)  # type: ignore[arg-type]
    run = []
    for entry in forged.entries[:2]:
        run.append(take(log, entry, listed.member))
        log = replace(log, size=log.size + 1, root=run[-1].root, frontier=run[-1].frontier)
    # What it shares with the real one is real, but nothing shows it yet, and the forged end is refused.
    assert confirmed(run) == 0
    assert code_of(take, log, forged.entries[2], listed.member) == "ENTRY_OTHER_HEAD"


def test_a_run_is_confirmed_by_reaching_its_head_by_a_later_active_key_or_by_a_proof() -> None:
    before, listed = rotated("retired")
    writer = written(before, 6)
    log, run = replace(Log(CHANNEL, 0), covered=writer.head), []
    for entry in writer.entries:
        run.append(take(log, entry, listed.member))
        log = replace(log, size=log.size + 1, root=run[-1].root, frontier=run[-1].frontier)
    assert [confirmed(run[:count]) for count in range(7)] == [0, 0, 0, 0, 0, 0, 6]
    tree = merkle.HashList(entry.leaf for entry in writer.entries)
    for count in range(1, 6):
        proof = merkle.prove_consistency(count, 6, tree)
        assert reaches(run[count - 1], proof)
        assert not reaches(run[count - 1], [])
        assert not any(reaches(run[count - 1], [*proof[:at], changed, *proof[at + 1 :]])
                       for at in range(len(proof)) for changed in list(flips(proof[at]))[:8])  # fmt: skip
    following = ChannelWriter(listed, CHANNEL)
    following.log = replace(writer.log, covered=writer.head)
    later = following.records([b"by the new key"])
    assert later.rests_on is None
    assert confirmed([*run[2:5], later]) == 4


@pytest.mark.parametrize("bound", ["covered", "cut"])
def test_a_log_that_arrives_at_a_known_head_must_be_that_history(bound: str) -> None:
    writer = written()
    other = replace(writer.log, **{bound: HeadAt(5, b"\x01" * 32)})  # type: ignore[arg-type]
    error = refusal(advance, other, next_entry(writer), ORIGIN.member, NETWORK)
    assert (error.code, error.parameters["size"]) == ("ENTRY_OTHER_HEAD", "5")


def test_a_cut_counts_for_more_than_what_a_key_said_of_the_log_before() -> None:
    writer = written(entries=3)
    log = replace(Log(CHANNEL, 0), covered=HeadAt(1, b"\x01" * 32), cut=writer.head)
    assert take(log, writer.entries[0], replace(ORIGIN.member, standing=Standing.REMOVED)).rests_on == writer.head


def test_a_header_of_another_network_or_with_broken_fields_is_refused() -> None:
    writer = written()
    assert offer(writer.log, next_entry(writer, network="other:0123456789abcdef")) == "ENTRY_NETWORK"
    assert offer(writer.log, next_entry(writer, prev_root=b"short")) == "ENTRY_HEADER"
    assert offer(writer.log, next_entry(writer, records_root=b"")) == "ENTRY_HEADER"
    assert offer(writer.log, next_entry(writer, issued_at_unix_ms=0)) == "ENTRY_HEADER"
    # Before all keys began.
    assert offer(writer.log, next_entry(writer, issued_at_unix_ms=-1)) == "ENTRY_SIGNATURE"
    unreadable = ORIGIN.seal(b"\xff\xff", "application/vnd.xinqiao.entry-header.v1+protobuf")
    assert offer(writer.log, replace(next_entry(writer), envelope=unreadable)) == "ENVELOPE_SHAPE"


# --- (4) continuity, (5) body ---------------------------------------------------------------------------------


def test_entries_come_in_order_and_continue_the_history_held() -> None:
    writer = written()
    again = SignedEntry(CHANNEL, 0, 1, writer.entries[1].envelope, None)
    assert offer(writer.log, again) == "ENTRY_INDEX"
    assert offer(Log(CHANNEL, 0), again) == "ENTRY_INDEX"
    assert offer(writer.log, next_entry(writer, prev_root=b"\x07" * 32)) == "ENTRY_PREV_ROOT"
    assert offer(writer.log, replace(next_entry(writer), body=b"")) == "ENTRY_BODY"


# --- Cuts -----------------------------------------------------------------------------------------------------


def test_a_cut_is_the_largest_listed_head_and_reveals_no_name() -> None:
    heads = [HeadAt(size, bytes([size]) * 32) for size in range(5)]
    cut = Cut(frozenset(head_leaf(CHANNEL, 0, head) for head in (heads[1], heads[3])))
    assert resolve_cut(CHANNEL, 0, cut, heads) == heads[3]
    assert resolve_cut(CHANNEL, 0, cut, heads[:3]) == heads[1]
    assert resolve_cut(CHANNEL, 0, cut, []) is None
    for channel, epoch, candidates in [
        (CHANNEL, 1, heads),
        ("310000/other", 0, heads),
        (CHANNEL, 0, [HeadAt(3, b"\x00" * 32), HeadAt(2, heads[3].root)]),
    ]:
        assert resolve_cut(channel, epoch, cut, candidates) is None


@given(
    st.tuples(st.text(max_size=5), st.integers(0, 9), st.integers(0, 9), st.binary(min_size=32, max_size=32)),
    st.tuples(st.text(max_size=5), st.integers(0, 9), st.integers(0, 9), st.binary(min_size=32, max_size=32)),
)
def test_two_heads_have_one_leaf_only_where_they_are_the_same(
    one: tuple[str, int, int, bytes], other: tuple[str, int, int, bytes]
) -> None:
    leaves = [head_leaf(channel, epoch, HeadAt(size, root)) for channel, epoch, size, root in (one, other)]
    assert (leaves[0] == leaves[1]) == (one == other)


# --- Equivocation ---------------------------------------------------------------------------------------------


def forked(at: int, node: SigningNode = ORIGIN) -> tuple[ChannelWriter, ChannelWriter]:
    """Two histories of one origin that share their first entries."""
    one, other = written(node, at), written(node, at)
    one.records([b"one"])
    other.records([b"other"])
    return one, other


def prove(
    first: envelope_pb2.Envelope, second: envelope_pb2.Envelope, frontier: tuple[bytes, ...] = ()
) -> channel_pb2.Equivocation:
    return channel_pb2.Equivocation(first=first, second=second, frontier=frontier)


def unproven(proof: channel_pb2.Equivocation, origin: Member = ORIGIN.member) -> str:
    error = refusal(check_equivocation, proof, origin, NETWORK)
    assert error.code == "EQUIVOCATION_UNPROVEN"
    return error.parameters["detail"]


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
@pytest.mark.parametrize("at", [1, 2, 3, 7])
def test_two_entries_at_one_index_are_proof_to_anybody(suite: str, at: int) -> None:
    node = make_node("310000", suite)
    one, other = forked(at, node)
    proof = conflict(one.entries[at].envelope, other.entries[at].envelope)
    assert proof is not None
    assert check_equivocation(proof, node.member, NETWORK) == TwoHistories(CHANNEL, 0, at, proof)
    assert conflict(one.entries[at].envelope, one.entries[at].envelope) is None


@pytest.mark.parametrize("at", [1, 2, 3, 4, 7, 8])
def test_an_entry_that_does_not_continue_the_one_before_is_proof_too(at: int) -> None:
    one, other = forked(at)
    following = other.records([b"after the other"])
    tree = merkle.HashList(entry.leaf for entry in one.entries)
    proof = broken_continuation(one.entries[at].envelope, merkle.read_frontier(at, tree), following.envelope)
    assert check_equivocation(proof, ORIGIN.member, NETWORK) == TwoHistories(CHANNEL, 0, at + 1, proof)


def test_g12_of_a_proof_only_what_is_signed_and_needed_is_kept() -> None:
    one, other = forked(2)
    following = other.records([b"after the other"])
    tree = merkle.HashList(entry.leaf for entry in one.entries)
    broken = broken_continuation(one.entries[2].envelope, merkle.read_frontier(2, tree), following.envelope)
    same = prove(one.entries[2].envelope, other.entries[2].envelope)
    for proof in (same, broken):
        spare = list(proof.frontier) or [b"spare" * 1000]
        larger = prove(stuffed(proof.first), stuffed(proof.second), tuple(spare))
        relayed = channel_pb2.Equivocation.FromString(larger.SerializeToString() + UNKNOWN)
        assert check_equivocation(relayed, ORIGIN.member, NETWORK).proof == proof


def test_g6_an_honest_history_proves_nothing_however_it_is_put_together() -> None:
    writer = written(entries=6)
    tree = merkle.HashList(entry.leaf for entry in writer.entries)
    envelopes = [entry.envelope for entry in writer.entries]
    for first in range(6):
        for second in range(6):
            for size in range(6):
                unproven(prove(envelopes[first], envelopes[second], merkle.read_frontier(size, tree)))
    assert "continues" in unproven(prove(envelopes[2], envelopes[3], merkle.read_frontier(2, tree)))
    assert "same" in unproven(prove(envelopes[2], envelopes[2]))


def test_g6_a_false_frontier_frames_nobody() -> None:
    writer = written(entries=6)
    tree = merkle.HashList(entry.leaf for entry in writer.entries)
    frontier = merkle.read_frontier(3, tree)
    first, second = writer.entries[3].envelope, writer.entries[4].envelope
    for at in range(2):
        for changed in flips(frontier[at]):
            unproven(prove(first, second, (*frontier[:at], changed, *frontier[at + 1 :])))
    for wrong in ((), frontier[:1], (*frontier, frontier[0]), (frontier[0][:31], frontier[1])):
        unproven(prove(first, second, wrong))


def test_g6_re_encoded_envelopes_and_foreign_signatures_frame_nobody() -> None:
    one, other = forked(2)
    stranger = make_node("310000")
    first, second = one.entries[2].envelope, other.entries[2].envelope
    foreign = stranger.seal(second.payload, second.payload_type)
    foreign.signatures[0].keyid = ORIGIN.signer.key_id
    assert "not signed" in unproven(prove(first, foreign))
    padded = envelope_pb2.Envelope.FromString(first.SerializeToString())
    padded.signatures.append(foreign.signatures[0])
    assert "same" in unproven(prove(first, padded))
    for changed in list(tampered(second))[::7]:
        assert code_of(check_equivocation, prove(first, changed), ORIGIN.member, NETWORK) in (
            "EQUIVOCATION_UNPROVEN",
            "ENVELOPE_TYPE",
        )


@pytest.mark.parametrize("state", ["retired", "revoked"])
def test_g6_who_holds_an_old_key_frames_nobody(state: str) -> None:
    before, listed = rotated(state)
    one, other = forked(2, before)
    assert "active key" in unproven(prove(one.entries[2].envelope, other.entries[2].envelope), listed.member)
    honest = ChannelWriter(listed, CHANNEL)
    honest.manifest()
    forged = ChannelWriter(before, CHANNEL)
    forged.manifest(title="forged")
    assert "active key" in unproven(prove(honest.entries[0].envelope, forged.entries[0].envelope), listed.member)


def test_headers_of_different_logs_or_networks_prove_nothing() -> None:
    one = written()
    other = ChannelWriter(ORIGIN, "310000/other")
    other.manifest()
    assert "different logs" in unproven(prove(one.entries[0].envelope, other.entries[0].envelope))
    reopened = ChannelWriter(ORIGIN.listed_as(open_epoch=1), CHANNEL, 1)
    reopened.manifest()
    assert "different logs" in unproven(prove(one.entries[0].envelope, reopened.entries[0].envelope))
    foreign = next_entry(one, network="other:0123456789abcdef", index=0).envelope
    assert "network" in unproven(prove(one.entries[0].envelope, foreign))
    elsewhere = next_entry(one, channel="310115/base", index=0).envelope
    also = next_entry(one, channel="310115/base", index=0, rules_version="2").envelope
    assert "different logs" in unproven(prove(elsewhere, also))


def test_a_proof_about_a_log_that_cannot_be_is_refused_before_it_is_kept() -> None:
    writer = written()
    for wrong in ({"index": NUMBERS_END}, {"channel": "310000/" + "a" * 60_000}, {"channel": "310000"}):
        first, second = (next_entry(writer, **wrong, rules_version=version).envelope for version in "12")
        assert "cannot be" in unproven(prove(first, second))
    large = ORIGIN.seal(b"x" * 70_000, "application/vnd.xinqiao.entry-header.v1+protobuf")
    assert "too large" in unproven(prove(large, large))
