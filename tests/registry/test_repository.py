"""The repository as bytes: what a real TUF client makes of what is signed here."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.suites import ECDSA_P256, to_text
from registry import keys, repository
from registry.repository import ROOT, TARGETS
from tests.registry.client import Reader

# python-tuf compares with the clock of this machine, so these tests live in its present.
NOW = time.time_ns() // 1_000_000
DAY_MS = 24 * 3600 * 1000
OFFICERS = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ed25519()]
ONLINE = CryptoSigner.generate_ed25519()
FILES = {paths.NETWORK_TARGET: paths.encode_network("delta", NOW)}


def new_root(threshold: int = 2) -> Metadata[Root]:
    return repository.new_root([keys.public_of(each) for each in OFFICERS], threshold, keys.public_of(ONLINE), NOW)


def sign(metadata: Metadata[Any], *signers: CryptoSigner) -> bytes:
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def published(roles: Mapping[str, bytes], files: Mapping[str, bytes], version: int, now: int = NOW) -> dict[str, bytes]:
    """Everything a registry serves for these roles, by published name."""
    snapshot = repository.sign_snapshot(roles, version, ONLINE, now).to_bytes()
    served = {f"{repository.read(Targets, roles[role]).signed.version}.{role}.json": roles[role] for role in roles}
    served |= {paths.published_name(path, content): content for path, content in files.items()}
    served[f"{version}.snapshot.json"] = snapshot
    served["timestamp.json"] = repository.sign_timestamp(snapshot, version, ONLINE, now).to_bytes()
    return served


def founded(now: int = NOW) -> tuple[repository.State, dict[str, bytes]]:
    root = sign(new_root(), *OFFICERS[:2])
    roles = {TARGETS: sign(repository.new_targets(FILES, now), *OFFICERS[1:])}
    served = {"1.root.json": root} | published(roles, FILES, 1, now)
    return repository.State((root,), roles, served["1.snapshot.json"], served["timestamp.json"], FILES), served


def test_a_founded_network_is_accepted_by_a_client_that_knows_its_root() -> None:
    state, served = founded()
    reader = Reader(served.get, state.roots[0])
    assert reader.get("network.json") == FILES["network.json"]
    assert reader.get("nodes/31/310115.json") is None


def test_the_root_fingerprint_is_known_before_signing_and_survives_further_signatures() -> None:
    unsigned = new_root()
    fingerprint = paths.root_fingerprint(unsigned.to_bytes())
    assert fingerprint == hashlib.sha256(unsigned.signed_bytes).digest()
    assert fingerprint == paths.root_fingerprint(sign(unsigned, *OFFICERS[:2]))
    assert fingerprint == paths.root_fingerprint(sign(unsigned, OFFICERS[2]))
    assert fingerprint != paths.root_fingerprint(new_root(threshold=3).to_bytes())


@pytest.mark.parametrize(
    "root", [b"", b"[]", b'{"signed": 1}', b'{"signed": {"a": 0.5}}', b'{"signed": {"a": "\\ud800"}}', b"[" * 100_000]
)
def test_a_root_without_a_canonical_form_has_no_fingerprint(root: bytes) -> None:
    with pytest.raises(XinqiaoError, match="REGISTRY_INVALID"):
        paths.root_fingerprint(root)


def test_a_new_region_is_delegated_and_reached_by_a_client() -> None:
    state, served = founded()
    files = {"nodes/31/310115.json": b"{}", "requests/31/310115.json": b"[]"}
    drafted = repository.draft(state, files, NOW)
    assert sorted(drafted) == ["region-31", TARGETS]
    roles = {role: sign(metadata, *OFFICERS[:2]) for role, metadata in drafted.items()}
    served |= published(roles, files, 2)
    reader = Reader(served.get, state.roots[0])
    assert reader.get("nodes/31/310115.json") == b"{}"
    assert reader.get("nodes/32/320500.json") is None
    assert reader.version("region-31") == 1
    assert reader.version(TARGETS) == 2


def test_a_region_that_is_used_already_changes_alone() -> None:
    state, _ = founded()
    first = {
        role: sign(each, *OFFICERS) for role, each in repository.draft(state, {"cuts/31/x.json": b"1"}, NOW).items()
    }
    state = repository.State(state.roots, first, state.snapshot, state.timestamp, state.files)
    second = repository.draft(state, {"cuts/31/x.json": b"2"}, NOW)
    assert list(second) == ["region-31"]
    assert second["region-31"].signed.version == 2
    assert second["region-31"].signatures == {}


def test_a_region_cannot_list_the_nodes_of_another() -> None:
    state, served = founded()
    drafted = repository.draft(state, {"nodes/31/310115.json": b"{}"}, NOW)
    drafted["region-31"].signed.targets |= repository.target_files({"nodes/32/320500.json": b"stolen"})
    roles = {role: sign(metadata, *OFFICERS[:2]) for role, metadata in drafted.items()}
    served |= published(roles, {"nodes/31/310115.json": b"{}", "nodes/32/320500.json": b"stolen"}, 2)
    assert Reader(served.get, state.roots[0]).get("nodes/32/320500.json") is None


def test_one_signature_of_two_is_refused_by_the_client_and_here() -> None:
    state, served = founded()
    lonely = sign(repository.renew(state, [TARGETS], NOW)[TARGETS], OFFICERS[0])
    with pytest.raises(XinqiaoError, match="REGISTRY_INVALID") as refused:
        repository.check_signed(TARGETS, repository.read(Targets, lonely), state.root.signed)
    assert "1 of 2" in refused.value.text
    served |= published({TARGETS: lonely}, FILES, 2)
    with pytest.raises(UnsignedMetadataError):
        Reader(served.get, state.roots[0])


def test_one_key_under_two_ids_counts_once() -> None:
    root = new_root()
    twin = keys.tuf_key(keys.public_of(OFFICERS[0]))
    twin.keyid = "f" * 64
    root.signed.keys[twin.keyid] = twin
    for role in (ROOT, TARGETS):
        root.signed.roles[role].keyids.append(twin.keyid)
    root.sign(OFFICERS[0])
    root.signatures[twin.keyid] = type(root.signatures[OFFICERS[0].public_key.keyid])(
        twin.keyid, root.signatures[OFFICERS[0].public_key.keyid].signature
    )
    signatures = repository.signatures_of(ROOT, root, root.signed)
    assert len(signatures.signed) == 1
    assert not signatures.enough


def test_a_renewed_root_is_walked_up_to() -> None:
    state, served = founded()
    second = repository.renew(state, [ROOT], NOW + DAY_MS)[ROOT]
    served["2.root.json"] = sign(second, OFFICERS[0], OFFICERS[2])
    assert Reader(served.get, state.roots[0]).version(ROOT) == 2
    assert repository.check_roots((state.roots[0], served["2.root.json"])).version == 2


def test_a_chain_of_roots_with_a_gap_or_a_stranger_is_refused() -> None:
    state, _ = founded()
    second = repository.renew(state, [ROOT], NOW)[ROOT]
    with pytest.raises(XinqiaoError, match="REGISTRY_INVALID"):
        repository.check_roots((sign(repository.copy(second), *OFFICERS[:2]),))
    with pytest.raises(XinqiaoError, match="REGISTRY_INVALID"):
        repository.check_roots((state.roots[0], sign(second, CryptoSigner.generate_ed25519(), OFFICERS[0])))
    with pytest.raises(XinqiaoError, match="REGISTRY_INVALID"):
        repository.check_roots(())


def test_a_client_refuses_what_expired() -> None:
    state, served = founded(NOW - 4 * DAY_MS)
    with pytest.raises(ExpiredMetadataError):
        Reader(served.get, state.roots[0])


def test_a_client_refuses_what_is_older_than_what_it_knows() -> None:
    state, served = founded()
    reader = Reader(served.get, state.roots[0])
    newer = served | published(state.roles, FILES, 2)
    reader.source = newer.get
    assert reader.again().version("snapshot") == 2
    reader.source = served.get
    with pytest.raises(RepositoryError):
        reader.again()


@pytest.mark.parametrize(("age_h", "due"), [(0, False), (11, False), (12, True), (80, True)])
def test_the_timestamp_is_due_every_12_hours(age_h: int, due: bool) -> None:
    state, _ = founded(NOW)
    assert repository.timestamp_is_due(state.timestamp, NOW + age_h * 3_600_000) is due


@pytest.mark.parametrize(("age_days", "due"), [(0, False), (3, False), (5, True), (9, True)])
def test_the_snapshot_is_due_when_less_than_3_days_are_left(age_days: int, due: bool) -> None:
    state, _ = founded(NOW)
    assert repository.snapshot_is_due(state.snapshot, NOW + age_days * DAY_MS) is due


def test_a_key_survives_being_written_as_text_and_as_a_file(tmp_path: Path) -> None:
    public = keys.generate(tmp_path / "officer.pem", b"a passphrase")
    assert keys.public_key_in(to_text(public)).spki == public.spki
    assert (tmp_path / "officer.pem").stat().st_mode & 0o777 == 0o600
    opened = keys.load(tmp_path / "officer.pem", b"a passphrase", keys.OFFICER_PASSPHRASE)
    assert keys.public_of(opened).key_id == public.key_id
    for wrong in (b"another", None):
        with pytest.raises(XinqiaoError, match="REGISTRY_PASSPHRASE") as refused:
            keys.load(tmp_path / "officer.pem", wrong, keys.OFFICER_PASSPHRASE)
        assert keys.OFFICER_PASSPHRASE in refused.value.next


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    keys.generate(tmp_path / "officer.pem", None)
    before = (tmp_path / "officer.pem").read_bytes()
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        keys.generate(tmp_path / "officer.pem", None)
    assert (tmp_path / "officer.pem").read_bytes() == before


@pytest.mark.parametrize("text", ["", "ed25519", "ed25519:", "ed25519:!!", "rsa:AAAA", "ed25519:QUFBQQ=="])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        keys.public_key_in(text)


def test_an_ecdsa_key_is_accepted_as_an_officers_key() -> None:
    public = keys.public_of(OFFICERS[1])
    assert public.suite == ECDSA_P256
    assert keys.public_key_in(to_text(public)).spki == public.spki


def test_a_file_that_is_no_key_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(b"hello")
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        keys.load(tmp_path / "x.pem", None, keys.OFFICER_PASSPHRASE)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        keys.load(tmp_path / "none.pem", None, keys.OFFICER_PASSPHRASE)
