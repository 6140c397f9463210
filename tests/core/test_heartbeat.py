"""Heartbeats: one signature over all heads, of which each reader sees its own, and nobody can be shown another."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt, head_leaf
from node.core.heartbeat import (
    VIEWS_DIGEST_BYTES,
    build,
    digest_of_views,
    full_view,
    narrow_view,
    node_of,
    open_view,
    shared_digest,
)
from node.core.limits import NUMBERS_END, Limits
from node.core.suites import ECDSA_P256, ED25519
from node.pb import channel_pb2, registry_pb2
from tests.builders import NETWORK, NOW_MS, SigningNode, list_keys, make_heartbeat, make_node, signing_key
from tests.core.signed import UNKNOWN, code_of, flips, refusal, stuffed, tampered

ORIGIN = make_node("310000")
HEADS = {(f"310000/{name}", epoch): HeadAt(at, bytes([at]) * 32) for at, (name, epoch) in enumerate(
    [("a", 0), ("a", 1), ("b", 0), ("base", 0), ("c-1", 0), ("lists/tax", 0), ("z", 3)]
)}  # fmt: skip
Heads = dict[tuple[str, int], HeadAt]


def view_of(heads: Heads, by: SigningNode = ORIGIN, **fields: object) -> channel_pb2.HeartbeatView:
    """The signed view over heads, whatever they are; fields override those of the heartbeat."""
    message = build(NETWORK, by.id, NOW_MS, heads)
    for name, value in fields.items():
        setattr(message, name, value)
    return full_view(by.seal(message.SerializeToString(), envelopes.HEARTBEAT), heads)


def code(view: channel_pb2.HeartbeatView, now_ms: int = NOW_MS, node: SigningNode = ORIGIN, **limits: int) -> str:
    return code_of(open_view, view, node.member, NETWORK, now_ms, Limits(**limits))


def detail(view: channel_pb2.HeartbeatView, **limits: int) -> str:
    error = refusal(open_view, view, ORIGIN.member, NETWORK, NOW_MS, Limits(**limits))
    assert error.code == "HEARTBEAT"
    return error.parameters["detail"]


def test_a_heartbeat_shows_all_heads_in_the_order_in_which_they_are_folded() -> None:
    opened = open_view(view_of(HEADS), ORIGIN.member, NETWORK, NOW_MS)
    assert (opened.node, opened.time_ms, opened.heads) == ("310000", NOW_MS, HEADS)
    leaves = [head_leaf(*key, head) for key, head in sorted(HEADS.items())]
    assert merkle.root(leaves) == build(NETWORK, "310000", NOW_MS, HEADS).heads_root
    assert shared_digest(list(reversed(HEADS.items()))) == merkle.root(leaves)


def test_g12_of_a_heartbeats_view_only_what_is_signed_and_shown_is_kept_in_its_order() -> None:
    view = narrow_view(view_of(HEADS), lambda channel: channel < "310000/c")
    relayed = channel_pb2.HeartbeatView(heartbeat=stuffed(view.heartbeat), hashes=view.hashes)
    for item in reversed(view.heads):
        head = channel_pb2.Head.FromString(item.head.SerializeToString() + UNKNOWN)
        relayed.heads.append(channel_pb2.PositionedHead(position=item.position, head=head))
    relayed.MergeFromString(UNKNOWN)
    assert open_view(relayed, ORIGIN.member, NETWORK, NOW_MS).view == view


def test_a_node_without_channels_beats_all_the_same() -> None:
    assert open_view(view_of({}), ORIGIN.member, NETWORK, NOW_MS).heads == {}


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_every_flipped_bit_of_a_heartbeat_is_refused(suite: str) -> None:
    node = make_node("310000", suite)
    view = view_of(HEADS, node)
    for envelope in tampered(view.heartbeat):
        changed = channel_pb2.HeartbeatView(heartbeat=envelope, heads=view.heads)
        assert code(changed, node=node) in ("SIGNATURE", "ENVELOPE_TYPE")


def test_every_flipped_bit_of_a_shown_head_or_hash_is_refused() -> None:
    view = narrow_view(view_of(HEADS), lambda channel: channel in ("310000/a", "310000/z"))
    shown = open_view(view, ORIGIN.member, NETWORK, NOW_MS).heads
    assert list(shown) == [("310000/a", 0), ("310000/a", 1), ("310000/z", 3)]
    for at, item in enumerate(view.heads):
        for head in flips(item.head.root):
            changed = channel_pb2.HeartbeatView.FromString(view.SerializeToString())
            changed.heads[at].head.root = head
            assert "do not fold" in detail(changed)
    for at in range(len(view.hashes)):
        for value in flips(view.hashes[at]):
            changed = channel_pb2.HeartbeatView.FromString(view.SerializeToString())
            changed.hashes[at] = value
            assert "do not fold" in detail(changed)


NAMES = st.sets(st.sampled_from(sorted({channel for channel, _ in HEADS})))


@given(NAMES, NAMES)
def test_a_view_is_narrowed_to_what_a_reader_may_know_and_never_widened(first: set[str], second: set[str]) -> None:
    once = narrow_view(view_of(HEADS), lambda channel: channel in first)
    twice = narrow_view(once, lambda channel: channel in second)
    both = first & second
    assert open_view(twice, ORIGIN.member, NETWORK, NOW_MS).heads == {
        key: head for key, head in HEADS.items() if key[0] in both
    }
    assert twice.hashes == narrow_view(view_of(HEADS), lambda channel: channel in both).hashes
    shown = twice.SerializeToString()
    assert not any(f"{channel}".encode() in shown for channel in {key[0] for key in HEADS} - both if len(channel) > 10)


def test_g8_a_view_reveals_neither_names_nor_sizes_of_other_channels() -> None:
    secret = {("310000/lists/serious-tax", 0): HeadAt(4711, b"\x05" * 32)}
    view = narrow_view(view_of({**HEADS, **secret}), lambda channel: channel == "310000/a")
    assert b"serious" not in view.SerializeToString()
    assert secret["310000/lists/serious-tax", 0].root not in view.SerializeToString()


def test_heads_moved_repeated_or_left_out_are_refused() -> None:
    view = view_of(HEADS)
    for wrong in (
        channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=view.heads[:-1]),
        channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=[*view.heads[:-1], view.heads[0]]),
        channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=[*view.heads, view.heads[0]]),
        channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=view.heads, hashes=[b"x" * 32]),
        channel_pb2.HeartbeatView(heartbeat=view.heartbeat),
    ):
        assert code(wrong) == "HEARTBEAT"
    swapped = channel_pb2.HeartbeatView.FromString(view.SerializeToString())
    swapped.heads[0].position, swapped.heads[1].position = 1, 0
    assert "do not fold" in detail(swapped)


def unsorted(*heads: tuple[str, int, HeadAt]) -> channel_pb2.HeartbeatView:
    """A heartbeat that its origin signed over heads in this order, whatever they are."""
    leaves = [head_leaf(channel, epoch, head) for channel, epoch, head in heads]
    message = build(NETWORK, "310000", NOW_MS, {})
    message.head_count, message.heads_root = len(heads), merkle.root(leaves)
    view = channel_pb2.HeartbeatView(heartbeat=ORIGIN.seal(message.SerializeToString(), envelopes.HEARTBEAT))
    for position, (channel, epoch, head) in enumerate(heads):
        shown = channel_pb2.Head(channel=channel, epoch=epoch, size=head.size, root=head.root)
        view.heads.append(channel_pb2.PositionedHead(position=position, head=shown))
    return view


HEAD = HeadAt(1, b"\x01" * 32)


@pytest.mark.parametrize(
    ("heads", "reason"),
    [
        ([("310115/a", 0, HEAD)], "another origin"),
        ([("310000", 0, HEAD)], "cannot be"),
        ([("310000/" + "a" * 65, 0, HEAD)], "cannot be"),
        ([("310000/A", 0, HEAD)], "cannot be"),
        ([("310000/a", NUMBERS_END, HEAD)], "cannot be"),
        ([("310000/a", 0, HeadAt(NUMBERS_END, HEAD.root))], "cannot be"),
        ([("310000/a", 0, HeadAt(1, b"short"))], "32 bytes"),
        ([("310000/a", 0, HEAD), ("310000/a", 0, HeadAt(2, HEAD.root))], "sorted"),
        ([("310000/b", 0, HEAD), ("310000/a", 0, HEAD)], "sorted"),
    ],
)
def test_signed_heads_that_make_no_sense_are_refused(heads: list[tuple[str, int, HeadAt]], reason: str) -> None:
    assert reason in detail(unsorted(*heads))


def test_more_heads_than_a_node_may_write_are_refused() -> None:
    assert "more heads" in detail(view_of(HEADS), max_channels_per_origin=6)
    assert "more heads" in detail(view_of(HEADS, head_count=3))
    fits = Limits(max_channels_per_origin=7)
    assert open_view(view_of(HEADS), ORIGIN.member, NETWORK, NOW_MS, fits).heads == HEADS


def test_a_heartbeat_speaks_for_its_signer_in_its_network_at_a_time() -> None:
    other = make_node("310115")
    assert code(view_of({}, other)) == "SIGNATURE"
    assert "do not fit" in detail(view_of({}, node="310115"))
    assert "do not fit" in detail(view_of({}, network="other:0123456789abcdef"))
    assert "do not fit" in detail(view_of({}, time_unix_ms=0))
    assert "do not fit" in detail(view_of({}, time_unix_ms=-5))
    assert refusal(open_view, view_of({}), None, NETWORK, NOW_MS).code == "HEARTBEAT"


def test_g5_a_heartbeat_from_the_future_is_refused_so_that_it_cannot_be_played_again_as_news() -> None:
    skew = Limits().max_clock_skew_ms
    ahead = view_of(HEADS, time_unix_ms=NOW_MS + skew)
    assert open_view(ahead, ORIGIN.member, NETWORK, NOW_MS).time_ms == NOW_MS + skew
    assert "future" in detail(view_of(HEADS, time_unix_ms=NOW_MS + skew + 1))
    assert open_view(view_of(HEADS, time_unix_ms=1), ORIGIN.member, NETWORK, NOW_MS).time_ms == 1


@pytest.mark.parametrize("state", [registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED])
def test_only_a_key_active_now_beats(state: registry_pb2.KeyState) -> None:
    before, after = make_node("310000"), make_node("310000")
    listed = list_keys(after, [signing_key(before.signer, state), signing_key(after.signer)], after)
    assert code(view_of(HEADS, before), node=listed) == "SIGNATURE"
    assert make_heartbeat(listed, HEADS).heads == HEADS


def test_the_claimed_node_is_read_from_a_heartbeat_of_bounded_size() -> None:
    assert node_of(view_of({})) == "310000"
    huge = channel_pb2.HeartbeatView(heartbeat=ORIGIN.seal(b"x" * 70_000, envelopes.HEARTBEAT))
    assert code_of(node_of, huge) == "HEARTBEAT"
    unreadable = channel_pb2.HeartbeatView(heartbeat=ORIGIN.seal(b"\xff", envelopes.HEARTBEAT))
    assert code_of(node_of, unreadable) == "ENVELOPE_SHAPE"
    assert code(unreadable) == "ENVELOPE_SHAPE"


def test_a_heartbeat_that_claims_more_heads_than_memory_costs_nothing() -> None:
    view = view_of({}, head_count=(1 << 64) - 1)
    assert "more heads" in detail(view)


def test_a_digest_of_heartbeats_tells_apart_what_is_held_and_what_is_shown_of_it() -> None:
    held: list[tuple[bytes, tuple[int, ...]]] = [(b"one", (0, 2)), (b"two", (1,))]
    digest = digest_of_views(held)
    assert len(digest) == VIEWS_DIGEST_BYTES
    others: list[list[tuple[bytes, tuple[int, ...]]]] = [
        [],
        held[:1],
        held[::-1],
        [(b"one", (0,)), held[1]],
        [(b"one", (0, 21)), held[1]],
        [(b"onetwo", (0, 2))],
    ]
    assert len({digest, *(digest_of_views(each) for each in others)}) == len(others) + 1
    # As docs/PROTOCOL.md (P-92) says.
    parts = (b"one", b"0,2", b"two", b"1")
    expected = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
    assert digest == expected[:16]
