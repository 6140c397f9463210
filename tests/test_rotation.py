"""Rotations of keys as peers see them: without a moment of refusal."""

import shutil
from pathlib import Path

import pytest

from node import keys
from node.core.errors import XinqiaoError
from node.core.membership import Member, Standing, VerifiedDescriptor, fingerprint_of, open_descriptor
from node.keys import KeyRing, State, Use
from node.pb import registry_pb2
from tests.key_rings import HOUR, NOW, Named, listed_after, message_of, new_ring

SETTLE = 15 * 60_000


def test_a_key_is_activated_only_once_the_registry_lists_it(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    fresh = ring.prepare_next_signing(NOW)
    for key_id, detail in ((fresh.key_id, "does not list"), ("0" * 64, "no key of this home")):
        with pytest.raises(XinqiaoError, match=f"KEY_ROTATION.*{detail}"):
            ring.activate(key_id, listed, NOW)
    both = message_of(keys.build_descriptor(listed, Named(), ring, NOW))
    assert ring.activate(fresh.key_id, both, NOW).state is State.CURRENT
    assert ring.activate(fresh.key_id, both, NOW + 1).since_ms == NOW
    assert ring.signer.key_id == fresh.key_id
    with pytest.raises(XinqiaoError, match=r"KEY_ROTATION.*not finished"):
        ring.prepare_next_signing(NOW)


def accepted_keys(descriptor: VerifiedDescriptor, now_ms: int) -> set[str]:
    active = [key for key in descriptor.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    return {key.public.key_id for key in active if key.not_before_ms <= now_ms}


def test_a_signing_key_is_replaced_without_a_moment_of_refusal(tmp_path: Path) -> None:
    """Walk a rotation by the minute: a peer one settle time behind the registry accepts all that is signed."""
    ring = new_ring(tmp_path)
    old = ring.signer
    versions = [(NOW, open_descriptor(keys.build_descriptor(None, Named(), ring, NOW)))]
    ring.prepare_next_signing(NOW)
    for now in range(NOW, NOW + 2 * HOUR, 60_000):
        listed = versions[-1][1]
        ring.follow(listed.message, now, SETTLE)
        if keys.needs_descriptor(listed.message, Named(), ring):
            # approved and published at once: the shortest notice a peer can get
            versions.append((now, listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))))
        behind = [each for since, each in versions if since <= now - SETTLE][-1:] or [versions[0][1]]
        assert [ring.signer.key_id in accepted_keys(each, now) for each in (*behind, versions[-1][1])] == [True, True]
    states = [[key.state for key in each.signing_keys] for _, each in versions]
    assert states == [
        [registry_pb2.KEY_STATE_ACTIVE],
        [registry_pb2.KEY_STATE_ACTIVE, registry_pb2.KEY_STATE_ACTIVE],
        [registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_ACTIVE],
    ]
    last = Member(versions[-1][1], Standing.ACTIVE)
    assert old.key_id in {key.key_id for key in last.all_keys}
    assert old.key_id not in {key.key_id for key in last.active_keys}
    assert sorted(path.name for path in (tmp_path / "keys").glob("signing-*")) == [
        f"signing-{ring.signer.key_id[:16]}.pem"
    ]


def test_a_certificate_is_replaced_without_a_moment_of_refusal(tmp_path: Path) -> None:
    """Walk a rotation by the minute: a peer one settle time behind the registry lists what is shown."""
    ring = new_ring(tmp_path)
    first = ring.tls.spki_sha256
    versions = [(NOW, open_descriptor(keys.build_descriptor(None, Named(), ring, NOW)))]
    ring.prepare_next_tls("310115", "delta", NOW)
    shown_since = NOW
    for now in range(NOW, NOW + 2 * HOUR, 60_000):
        listed = versions[-1][1]
        if ring.follow(listed.message, now, SETTLE):
            shown_since = now
        if keys.needs_descriptor(listed.message, Named(), ring):
            versions.append((now, listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))))
        behind = [each for since, each in versions if since <= now - SETTLE][-1:] or [versions[0][1]]
        assert [ring.tls.spki_sha256 in each.tls_spki_hashes for each in (*behind, versions[-1][1])] == [True, True]
    assert [len(each.tls_spki_hashes) for _, each in versions] == [1, 2, 1]
    assert versions[1][1].tls_spki_hashes[0] == first
    assert versions[2][1].tls_spki_hashes == (ring.tls.spki_sha256,) != (first,)
    assert shown_since > NOW
    assert len(list((tmp_path / "keys").glob("tls-*"))) == 1


def test_an_operator_is_told_what_a_rotation_waits_for(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    waits = [ring.waits_for(Use.SIGNING, listed.message, NOW, SETTLE)]
    ring.prepare_next_signing(NOW)
    for now in range(NOW, NOW + 3 * SETTLE, SETTLE // 2):
        ring.follow(listed.message, now, SETTLE)
        waits.append(ring.waits_for(Use.SIGNING, listed.message, now, SETTLE))
        if keys.needs_descriptor(listed.message, Named(), ring):
            listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))
    assert waits == [
        "",
        "the officers to approve the descriptor that names the new key",
        "peers to learn of the new key, 900 s more",
        "peers to learn of the new key, 450 s more",
        "what the old key signed to arrive, 900 s more",
        "what the old key signed to arrive, 450 s more",
        "the officers to approve the descriptor that ends the old key",
    ]
    assert ring.waits_for(Use.SIGNING, listed.message, NOW, SETTLE) == ""
    assert ring.waits_for(Use.TLS, listed.message, NOW, SETTLE) == ""


def test_a_pending_descriptor_keeps_its_fingerprint_while_it_fits(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    newest = keys.build_descriptor(None, Named(), ring, NOW)
    listed = message_of(newest)
    assert keys.next_descriptor(listed, newest, Named(), ring, NOW) is None
    ring.prepare_next_signing(NOW)
    pending = keys.next_descriptor(listed, newest, Named(), ring, NOW)
    assert pending is not None
    assert keys.next_descriptor(listed, pending, Named(), ring, NOW + HOUR) == pending
    moved = Named(authorities=("11319900MX00000002",))
    changed = keys.next_descriptor(listed, pending, moved, ring, NOW + HOUR)
    assert changed is not None
    assert fingerprint_of(changed) != fingerprint_of(pending)
    assert keys.next_descriptor(listed, changed, moved, ring, NOW + 2 * HOUR) == changed
    assert keys.next_descriptor(message_of(changed), changed, moved, ring, NOW + 2 * HOUR) is None


def test_a_retired_private_key_is_destroyed_only_when_the_registry_says_so(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    old = ring.current(Use.SIGNING)
    fresh = ring.prepare_next_signing(NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    retired = ring.retire_previous(Use.SIGNING, NOW + HOUR)
    assert retired is not None
    assert (retired.key_id, retired.not_after_ms) == (old.key_id, NOW + HOUR)
    assert ring.retire_previous(Use.SIGNING, NOW + HOUR) is None
    assert ring.destroy_retired(v2.message) == ()
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW + HOUR))
    assert (tmp_path / "keys" / old.file_name).exists()
    assert [record.key_id for record in ring.destroy_retired(v3.message)] == [old.key_id]
    assert not (tmp_path / "keys" / old.file_name).exists()
    again = KeyRing.open(tmp_path / "keys")
    assert again.signer.key_id == fresh.key_id
    assert not keys.needs_descriptor(v3.message, Named(), again)


def test_a_stolen_key_is_listed_as_revoked(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    stolen, fresh = ring.current(Use.SIGNING), ring.prepare_next_signing(NOW)
    with pytest.raises(XinqiaoError, match=r"KEY_ROTATION.*in force"):
        ring.revoke(stolen.key_id, NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    ring.revoke(stolen.key_id, NOW + HOUR)
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW + HOUR))
    listed = {key.public.key_id: (key.state, key.not_after_ms) for key in v3.signing_keys}
    assert listed[stolen.key_id] == (registry_pb2.KEY_STATE_REVOKED, NOW + HOUR)
    assert [record.key_id for record in ring.destroy_retired(v3.message)] == [stolen.key_id]
    assert not keys.needs_descriptor(v3.message, Named(), KeyRing.open(tmp_path / "keys"))


def test_a_second_rotation_keeps_every_key_in_the_descriptor(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    for round_ in (1, 2):
        fresh = ring.prepare_next_signing(NOW + round_ * HOUR)
        listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, NOW + round_ * HOUR))
        ring.activate(fresh.key_id, listed.message, NOW + round_ * HOUR)
        ring.retire_previous(Use.SIGNING, NOW + round_ * HOUR)
        listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, NOW + round_ * HOUR))
    states = [key.state for key in listed.signing_keys]
    assert states == [registry_pb2.KEY_STATE_RETIRED] * 2 + [registry_pb2.KEY_STATE_ACTIVE]
    assert listed.message.version == 5


def test_a_restored_home_with_an_old_key_is_told_which_one_is_listed(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    shutil.copytree(tmp_path / "keys", tmp_path / "backup")
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    fresh = ring.prepare_next_signing(NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    ring.retire_previous(Use.SIGNING, NOW)
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW))
    with pytest.raises(XinqiaoError, match="KEY_MISMATCH") as caught:
        KeyRing.open(tmp_path / "backup").check_listed(v3.message)
    assert caught.value.parameters["listed"] == fresh.key_id[:16]
    assert caught.value.next.endswith("`xinqiao keys rotate signing`")
