"""The registry's files in a bundle, forged in every way in which somebody short of the officers could forge them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import DelegatedRole, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.core.registry_targets import NodeTarget
from node.evidence.registry_chain import (
    REFUSALS,
    TIMESTAMP_NAME,
    NamedFiles,
    Word,
    in_permitted_form,
    read_word,
    walk_roots,
)
from registry import keys, repository
from tests.evidence.network import DAY_MS, NOW_MS, ORIGIN, WITNESS, Keys, Officers

REGION = "region-31"
Files = Mapping[str, bytes]


@pytest.fixture
def officers() -> Officers:
    """A registry that lists two nodes."""
    made = Officers(NOW_MS)
    for node in (ORIGIN, WITNESS):
        target = NodeTarget(Keys().describe(node, []), Standing.ACTIVE, "", 0, NOW_MS)
        made.decide({paths.node_path(node): paths.encode_node(target)}, NOW_MS)
    assert set(word(made.served, made.fingerprint).members.by_id) == {ORIGIN, WITNESS}
    return made


def word(files: Files, fingerprint: bytes, as_of_ms: int = NOW_MS) -> Word:
    named = NamedFiles(in_permitted_form(files))
    return read_word(named, walk_roots(named, fingerprint), fingerprint, as_of_ms, ORIGIN, [WITNESS], "2026.1")


def refused(files: Files, fingerprint: bytes, as_of_ms: int = NOW_MS) -> str:
    with pytest.raises((XinqiaoError, *REFUSALS)) as refusal:
        word(files, fingerprint, as_of_ms)
    return refusal.value.text if isinstance(refusal.value, XinqiaoError) else str(refusal.value)


def unsigned(content: bytes) -> Metadata[Any]:
    metadata = Metadata[Any].from_bytes(content)
    metadata.signatures.clear()
    return metadata


def signed(metadata: Metadata[Any], *signers: CryptoSigner) -> bytes:
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def with_snapshot(officers: Officers, snapshot: bytes) -> Files:
    """What is served when the online key signs a timestamp over another snapshot."""
    version = repository.read(Snapshot, snapshot).signed.version
    timestamp = repository.sign_timestamp(snapshot, version, officers.online, NOW_MS).to_bytes()
    return {**officers.served, f"{version}.snapshot.json": snapshot, TIMESTAMP_NAME: timestamp}


def with_meta(officers: Officers, **metas: MetaFile | None) -> Files:
    """What is served when the online key signs a snapshot that names roles otherwise; None leaves a role out."""
    metadata = unsigned(officers.state.snapshot)
    for role, meta in metas.items():
        metadata.signed.meta.pop(f"{role.replace('_', '-')}.json")
        if meta is not None:
            metadata.signed.meta[f"{role.replace('_', '-')}.json"] = meta
    return with_snapshot(officers, signed(metadata, officers.online))


def with_role(officers: Officers, role: str, metadata: Metadata[Any], *signers: CryptoSigner) -> Files:
    """What is served when a targets role says something else, signed by whomever."""
    metadata.signatures.clear()
    officers._publish({role: signed(metadata, *signers)}, {}, NOW_MS)
    return officers.served


# --- Signatures ---------------------------------------------------------------------------------------------

Signers = Callable[[Officers], list[CryptoSigner]]
TOO_FEW: list[Signers] = [
    lambda _: [],
    lambda officers: officers.signers[:1],
    lambda officers: [officers.online],
    lambda _: [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()],
    lambda officers: [officers.signers[0], CryptoSigner.generate_ed25519()],
]


@pytest.mark.parametrize("signers", TOO_FEW)
@pytest.mark.parametrize("role", ["targets", REGION])
def test_targets_and_regions_need_the_officers(officers: Officers, role: str, signers: Signers) -> None:
    files = with_role(officers, role, unsigned(officers.state.roles[role]), *signers(officers))
    assert f"{role} was signed by" in refused(files, officers.fingerprint)


@pytest.mark.parametrize("signers", [lambda _: [], lambda officers: officers.signers])
def test_the_snapshot_needs_the_online_key(officers: Officers, signers: Signers) -> None:
    snapshot = signed(unsigned(officers.state.snapshot), *signers(officers))
    assert "snapshot was signed by 0/1 keys" in refused(with_snapshot(officers, snapshot), officers.fingerprint)


@pytest.mark.parametrize("signers", [lambda _: [], lambda officers: officers.signers])
def test_the_timestamp_needs_the_online_key(officers: Officers, signers: Signers) -> None:
    timestamp = signed(unsigned(officers.state.timestamp), *signers(officers))
    found = refused({**officers.served, TIMESTAMP_NAME: timestamp}, officers.fingerprint)
    assert "timestamp was signed by 0/1 keys" in found


def test_the_first_root_needs_its_own_officers(officers: Officers) -> None:
    for count in (0, 1):
        root = signed(unsigned(officers.state.roots[0]), *officers.signers[:count])
        assert paths.root_fingerprint(root) == officers.fingerprint
        found = refused({**officers.served, "1.root.json": root}, officers.fingerprint)
        assert f"root was signed by {count}/2 keys" in found


def next_root(officers: Officers, successors: list[CryptoSigner]) -> Metadata[Root]:
    """The second root, which hands over to other officers and keeps the online key."""
    public = [keys.public_of(each) for each in successors]
    root = repository.new_root(public, 2, keys.public_of(officers.online), NOW_MS)
    root.signed.version = 2
    return root


def test_officers_hand_over_only_together_with_those_before_them(officers: Officers) -> None:
    successors = [CryptoSigner.generate_ed25519() for _ in range(3)]
    sides = {"neither": [], "new": successors, "old": officers.signers, "both": [*officers.signers, *successors]}
    for side, signers in sides.items():
        root = signed(next_root(officers, successors), *signers)
        files = {**officers.served, "2.root.json": root}
        if side == "both":
            newest = walk_roots(NamedFiles(in_permitted_form(files)), officers.fingerprint)
            assert (newest.version, newest.roles["targets"].threshold) == (2, 2)
        else:
            assert "root was signed by" in refused(files, officers.fingerprint)


def test_what_the_former_officers_sign_does_not_count_after_the_handover(officers: Officers) -> None:
    successors = [CryptoSigner.generate_ed25519() for _ in range(3)]
    root = signed(next_root(officers, successors), *officers.signers, *successors)
    files = {**officers.served, "2.root.json": root}
    assert "targets was signed by 0/2 keys" in refused(files, officers.fingerprint)


def test_a_root_of_another_version_does_not_stand_in(officers: Officers) -> None:
    metadata = next_root(officers, officers.signers)
    metadata.signed.version = 3
    files = {**officers.served, "2.root.json": signed(metadata, *officers.signers)}
    assert refused(files, officers.fingerprint) == "2.root.json holds root version 3"


# --- Hashes, versions, names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending", [".targets.json", ".region-31.json", ".snapshot.json", "310000.json", "network.json"]
)
def test_a_file_under_its_name_with_another_content_is_refused(officers: Officers, ending: str) -> None:
    served = officers.served
    name = max(name for name in served if name.endswith(ending))
    longer, other = served[name] + b" ", served[name].replace(b'"', b" ", 1)
    assert "length" in refused({**served, name: longer}, officers.fingerprint)
    assert "hash" in refused({**served, name: other}, officers.fingerprint)


def test_metadata_named_without_its_hash_is_refused(officers: Officers) -> None:
    version = repository.read(Targets, officers.state.roles["targets"]).signed.version
    bare = with_meta(officers, targets=MetaFile(version))
    assert refused(bare, officers.fingerprint) == f"{version}.targets.json is named without its SHA-256"
    snapshot = repository.read(Snapshot, officers.state.snapshot).signed.version
    timestamp = unsigned(officers.state.timestamp)
    timestamp.signed.snapshot_meta = MetaFile(snapshot)
    files = {**officers.served, TIMESTAMP_NAME: signed(timestamp, officers.online)}
    assert refused(files, officers.fingerprint) == f"{snapshot}.snapshot.json is named without its SHA-256"


def test_a_target_named_without_its_sha256_is_refused(officers: Officers) -> None:
    metadata = unsigned(officers.state.roles["targets"])
    content = officers.state.files[paths.NETWORK_TARGET]
    metadata.signed.targets[paths.NETWORK_TARGET] = TargetFile.from_data(paths.NETWORK_TARGET, content, ["sha512"])
    files = {**with_role(officers, "targets", metadata, *officers.signers), "None.network.json": content}
    assert refused(files, officers.fingerprint) == "None.network.json is named without its SHA-256"


def test_a_role_of_another_version_or_kind_does_not_stand_in(officers: Officers) -> None:
    content = officers.state.roles["targets"]
    named = MetaFile(9, len(content), dict(TargetFile.from_data("x", content, ["sha256"]).hashes))
    files = {**with_meta(officers, targets=named), "9.targets.json": content}
    version = repository.read(Targets, content).signed.version
    assert refused(files, officers.fingerprint) == f"9.targets.json holds targets version {version}"
    files = {**officers.served, TIMESTAMP_NAME: officers.state.snapshot}
    assert "timestamp.json holds snapshot" in refused(files, officers.fingerprint)
    assert isinstance(Metadata[Timestamp].from_bytes(officers.state.timestamp).signed, Timestamp)


def test_a_role_that_the_snapshot_does_not_name_is_refused(officers: Officers) -> None:
    found = refused(with_meta(officers, region_31=None), officers.fingerprint)
    assert found == "the snapshot does not name region-31.json"


# --- Dates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("renewed", "expired_after_days", "expired"),
    [
        ((), 8, "snapshot"),
        ((), 91, REGION),
        ((REGION, "region-33"), 181, "targets"),
        ((REGION, "region-33", "targets"), 366, "root"),
    ],
)
def test_each_role_expires_by_itself(
    officers: Officers, renewed: tuple[str, ...], expired_after_days: int, expired: str
) -> None:
    later_ms = NOW_MS + expired_after_days * DAY_MS
    if expired == "snapshot":
        version = officers.version
        stamp = repository.sign_timestamp(officers.state.snapshot, version, officers.online, later_ms).to_bytes()
        files: Files = {**officers.served, TIMESTAMP_NAME: stamp}
    else:
        officers.renew(later_ms, *renewed)
        files = officers.served
    assert f"the registry's {expired} had expired at" in refused(files, officers.fingerprint, later_ms)
    assert word(files, officers.fingerprint, NOW_MS).valid_until_ms <= later_ms


def test_a_file_is_expired_at_the_second_of_its_expiry(officers: Officers) -> None:
    until_ms = word(officers.served, officers.fingerprint).valid_until_ms
    assert word(officers.served, officers.fingerprint, until_ms - 1).valid_until_ms == until_ms
    assert "timestamp had expired" in refused(officers.served, officers.fingerprint, until_ms)


# --- Who may list what --------------------------------------------------------------------------------------


def test_a_node_that_is_listed_outside_its_region_is_refused(officers: Officers) -> None:
    metadata = unsigned(officers.state.roles["targets"])
    path = paths.node_path(ORIGIN)
    metadata.signed.targets |= repository.target_files({path: officers.state.files[path]})
    files = with_role(officers, "targets", metadata, *officers.signers)
    assert refused(files, officers.fingerprint) == f"{path} is listed outside its region"


@pytest.mark.parametrize("change", ["another role first", "not terminating"])
def test_a_region_that_does_not_answer_alone_is_refused(officers: Officers, change: str) -> None:
    metadata = unsigned(officers.state.roles["targets"])
    delegations = metadata.signed.delegations
    if change == "not terminating":
        delegations.roles[REGION].terminating = False
    else:
        own = delegations.roles[REGION]
        other = DelegatedRole("aside", own.keyids, own.threshold, True, paths=["nodes/*/*"])
        delegations.roles = {"aside": other, **delegations.roles}
    files = with_role(officers, "targets", metadata, *officers.signers)
    assert refused(files, officers.fingerprint).endswith("/31/310000.json is not left to region-31 alone")


def test_a_listing_of_another_node_under_a_nodes_path_is_refused(officers: Officers) -> None:
    target = NodeTarget(Keys().describe("310115", []), Standing.ACTIVE, "", 0, NOW_MS)
    officers.decide({paths.node_path(ORIGIN): paths.encode_node(target)}, NOW_MS)
    assert "lists the node 310115" in refused(officers.served, officers.fingerprint)


def test_only_the_files_in_question_are_taken(officers: Officers) -> None:
    files = NamedFiles(in_permitted_form(officers.served))
    read_word(files, walk_roots(files, officers.fingerprint), officers.fingerprint, NOW_MS, ORIGIN, [], "2026.1")
    assert not any(name.endswith((f"{WITNESS}.json", "region-33.json")) for name in files.taken)
    assert files.taken | set(files.left) == officers.served.keys()
    assert issubclass(RepositoryError, REFUSALS)
