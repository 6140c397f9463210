"""The ring of keys of a node, and the descriptors that it signs."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from node import files, keys
from node.core.errors import XinqiaoError
from node.core.membership import Member, Standing, fingerprint_of, open_descriptor
from node.keys import KeyRing, Passphrase, State, Use, generate, write_key
from tests.key_rings import HOUR, NOW, PASSPHRASE, Named, listed_after, message_of, new_ring

# -- the ring ------------------------------------------------------------------------------------------------


def test_a_ring_opens_as_it_was_made(tmp_path: Path) -> None:
    made = new_ring(tmp_path, passphrase=PASSPHRASE)
    ring = KeyRing.open(tmp_path / "keys", PASSPHRASE)
    assert ring.records == made.records
    assert ring.signer.key_id == made.signer.key_id
    assert ring.tls == made.tls
    assert ring.signer.suite == "ed25519"
    assert keys.read_index(tmp_path / "keys") == made.records


def test_a_wrong_passphrase_shows_when_the_ring_is_opened(tmp_path: Path) -> None:
    new_ring(tmp_path, passphrase=PASSPHRASE)
    for wrong in (None, Passphrase(b"wrong")):
        with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE"):
            KeyRing.open(tmp_path / "keys", wrong)


def test_the_index_holds_nothing_private(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    private = ring.signer.encoded(Encoding.DER)[-32:]
    index = (tmp_path / "keys" / "keys.json").read_text()
    assert "PRIVATE" not in index
    assert base64.b64encode(private)[:20].decode() not in index
    assert private.hex() not in index


def test_another_key_in_the_place_of_ours_is_refused(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    path = tmp_path / "keys" / ring.current(Use.SIGNING).file_name
    path.unlink()
    write_key(path, generate("ed25519"), None)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*belongs there"):
        KeyRing.open(tmp_path / "keys")


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    new_ring(tmp_path)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*0755"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"current"', '"retired"', 1),
        lambda text: text.replace('"state": "current"', '"state": "lost"', 1),
        lambda text: text.replace('"public_key": "M', '"public_key": "N', 1),
        lambda text: text.replace('"certificate": "MII', '"certificate": "', 1),
        lambda text: text.replace(f'"since_ms": {NOW}', '"since_ms": "now"', 1),
        lambda text: text.replace('"suite"', '"suit"', 1),
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    new_ring(tmp_path)
    path = tmp_path / "keys" / "keys.json"
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*keys.json"):
        KeyRing.open(tmp_path / "keys")


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    new_ring(tmp_path)
    foreign = json.loads((new_ring(tmp_path, "other")._directory / "keys.json").read_text())
    path = tmp_path / "keys" / "keys.json"
    index = json.loads(path.read_text())
    index["keys"][1]["certificate"] = foreign["keys"][1]["certificate"]
    path.write_text(json.dumps(index))
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*certificate of another"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize("step", ["write_new", "replace"])
def test_a_crash_while_a_key_is_prepared_leaves_the_ring_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ring = new_ring(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, step, crash)
        with pytest.raises(KeyboardInterrupt):
            ring.prepare_next_signing(NOW)
    assert KeyRing.open(tmp_path / "keys").find(Use.SIGNING, State.NEXT) is None
    fresh = ring.prepare_next_signing(NOW)
    assert KeyRing.open(tmp_path / "keys").find(Use.SIGNING, State.NEXT) == fresh


def test_preparing_again_goes_on_with_the_same_key(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    fresh = ring.prepare_next_signing(NOW)
    assert ring.prepare_next_signing(NOW + HOUR) == fresh
    assert KeyRing.open(tmp_path / "keys").prepare_next_signing(NOW + HOUR) == fresh


def test_a_node_may_change_the_suite_of_its_signing_key(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    assert ring.prepare_next_signing(NOW, "ecdsa-p256-sha256").suite == "ecdsa-p256-sha256"
    envelope = keys.build_descriptor(None, Named(), ring, NOW)
    assert len(envelope.signatures) == 2


# -- descriptors ---------------------------------------------------------------------------------------------


def test_the_first_descriptor_opens_and_has_a_fingerprint(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    envelope = keys.build_descriptor(None, Named(), ring, NOW)
    found = open_descriptor(envelope)
    assert found.fingerprint == fingerprint_of(envelope)
    assert (found.message.id, found.message.version, found.message.name) == ("310115", 1, "浦东新区")
    assert found.tls_spki_hashes == (ring.tls.spki_sha256,)
    assert [key.public.key_id for key in found.signing_keys] == [ring.signer.key_id]
    ring.check_listed(found.message)


def test_the_next_descriptor_is_refused_without_a_key_of_the_one_before(tmp_path: Path) -> None:
    listed = message_of(keys.build_descriptor(None, Named(), new_ring(tmp_path), NOW))
    other = new_ring(tmp_path, "other")
    with pytest.raises(XinqiaoError, match="KEY_MISMATCH") as caught:
        keys.build_descriptor(listed, Named(), other, NOW)
    assert caught.value.parameters["listed"] == listed.signing_keys[0].key_id[:16]


def test_the_id_of_a_node_never_changes(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    with pytest.raises(XinqiaoError, match=r"CONFIG_INVALID.*never changes"):
        keys.build_descriptor(listed, Named(id="310104"), ring, NOW)


def test_an_authority_is_ended_and_never_dropped(tmp_path: Path) -> None:
    ring, first, second = new_ring(tmp_path), "11319900MX00000001", "11319900MX00000002"
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(authorities=(second,)), ring, NOW + HOUR))
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(authorities=(first, second)), ring, NOW + 2 * HOUR))
    speaks = [
        [Member(each, Standing.ACTIVE).may_speak_for(uscc, NOW + hours * HOUR) for hours in range(3)]
        for each, uscc in ((v2, first), (v2, second), (v3, first), (v3, second))
    ]
    assert speaks == [[True, False, False], [False, True, True], [True, False, True], [False, True, True]]


def test_a_new_descriptor_is_due_only_when_something_changed(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    assert not keys.needs_descriptor(listed, Named(), ring)
    for change in ({"name": "浦东"}, {"level": "city"}, {"parent": ""}, {"division": ""}, {"authorities": ()}):
        assert keys.needs_descriptor(listed, replace(Named(), **change), ring)
    ring.prepare_next_tls("310115", "delta", NOW)
    assert keys.needs_descriptor(listed, Named(), ring)
