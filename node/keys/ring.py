"""The keys of one home: private keys in files, what is known of each in keys.json, and how one replaces another.

    HOME/keys/                              0700
      keys.json                             public: every key this node ever had, its state, its certificate
      signing-<16 hex digits>.pem           0600, PKCS#8, encrypted where a passphrase is given
      tls-<16 hex digits>.pem               0600, likewise
      queries.pem                           0600, likewise; in no index and never replaced, see node/keys/subjects.py

A rotation never leaves a moment in which what the node shows is not listed, or what is listed cannot be shown:

    NEXT -> CURRENT      the registry lists it, and every peer has had time to refresh (settle time)
    CURRENT -> PREVIOUS  in the same step; still listed, signs no entries any more
    PREVIOUS -> RETIRED  another settle time later, when no connection made with it is held any more
    RETIRED              the registry no longer accepts it: the private file is destroyed, the public half stays
    REVOKED              as RETIRED, but somebody else had it: peers accept what it signed up to the cut only

One key of each use is CURRENT at all times, at most one is NEXT or PREVIOUS. A private file is written before
keys.json names it and removed after keys.json has let go of it: a crash leaves at most a file that nothing names.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from certs import profile
from node import files
from node.core.errors import XinqiaoError
from node.core.membership import spki_hash
from node.core.suites import key_id_of
from node.keys.certificate import TlsIdentity, expires_ms, make_certificate
from node.keys.passphrase import Passphrase
from node.keys.signer import SoftwareSigner, generate, read_key, write_key
from node.pb import registry_pb2

INDEX = "keys.json"
FORMAT = 1
MAX_INDEX_BYTES = 4 * 1024 * 1024
_INTEGERS = ("created_at_ms", "not_before_ms", "not_after_ms", "since_ms", "listed_at_ms")


class Use(Enum):
    """What a key is for."""

    SIGNING = "signing"
    TLS = "tls"


class State(Enum):
    """Where a key stands in its life."""

    NEXT = "next"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"
    REVOKED = "revoked"


ENDED = (State.RETIRED, State.REVOKED)
LIVE = (State.CURRENT, State.NEXT, State.PREVIOUS)
"""The states in which a key is shown to the registry as one in use; the current one first."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known in public of one key; times in Unix ms, 0 = not yet or open end.

    public_key is the SubjectPublicKeyInfo in DER; certificate is in DER, empty for signing keys. since_ms is when
    the key came into its state, listed_at_ms when this node first saw it listed by the registry.
    """

    key_id: str
    use: Use
    suite: str
    state: State
    public_key: bytes
    certificate: bytes
    created_at_ms: int
    not_before_ms: int
    not_after_ms: int
    since_ms: int
    listed_at_ms: int = 0

    @property
    def file_name(self) -> str:
        """The name of the file of its private half."""
        return f"{self.use.value}-{self.key_id[:16]}.pem"


class KeyRing:
    """The keys of one home with their private halves; changes are on disk when a method returns."""

    def __init__(
        self,
        directory: Path,
        records: tuple[KeyRecord, ...],
        signers: dict[str, SoftwareSigner],
        passphrase: Passphrase | None,
    ) -> None:
        self._directory = directory
        self._records = records
        self._signers = signers
        self._passphrase = passphrase

    # -- opening -------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, directory: Path, node_id: str, now_ms: int, passphrase: Passphrase | None = None, suite: str | None = None
    ) -> "KeyRing":
        """Make the first keys of a node in a new directory; raises FileExistsError, ARGUMENT_INVALID, DISK_FULL."""
        directory.mkdir(mode=files.PRIVATE_DIRECTORY)
        ring = cls(directory, (), {}, passphrase)
        signing = ring._make(Use.SIGNING, suite or default_suite(), State.CURRENT, now_ms)
        tls = ring._make(Use.TLS, profile("node_tls")["suite"], State.CURRENT, now_ms, node_id)
        ring._save((signing, tls))
        return ring

    @classmethod
    def open(cls, directory: Path, passphrase: Passphrase | None = None) -> "KeyRing":
        """Open every private key in use, so that a wrong one shows now; raises KEY_FILE, KEY_PASSPHRASE."""
        records = read_index(directory)
        signers = {
            record.key_id: read_key(directory / record.file_name, record.suite, record.key_id, passphrase)
            for record in records
            if record.state in LIVE
        }
        return cls(directory, records, signers, passphrase)

    def reopened(self) -> "KeyRing":
        """The same keys as the disk holds them now; raises KEY_FILE, KEY_PASSPHRASE."""
        return KeyRing.open(self._directory, self._passphrase)

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def records(self) -> tuple[KeyRecord, ...]:
        """Every key this node ever had, the oldest first."""
        return self._records

    def find(self, use: Use, state: State) -> KeyRecord | None:
        """The newest key of that use in that state."""
        return _newest(self._records, use, state)

    def current(self, use: Use) -> KeyRecord:
        """The key in force."""
        record = self.find(use, State.CURRENT)
        assert record is not None  # held by create, read_index and activate
        return record

    @property
    def signer(self) -> SoftwareSigner:
        """The signing key in force."""
        return self._signers[self.current(Use.SIGNING).key_id]

    @property
    def live_signers(self) -> tuple[SoftwareSigner, ...]:
        """The signing keys that the node's descriptor names active, the one in force first."""
        found = (self.find(Use.SIGNING, state) for state in LIVE)
        return tuple(self._signers[record.key_id] for record in found if record)

    @property
    def tls(self) -> TlsIdentity:
        """The certificate in force and its private key."""
        record = self.current(Use.TLS)
        return TlsIdentity(record.key_id, record.certificate, self._signers[record.key_id].encoded(Encoding.PEM))

    def ends_soon(self, now_ms: int) -> KeyRecord | None:
        """The certificate in force where it ends within the time the profile warns of, None otherwise."""
        record, warn_ms = self.current(Use.TLS), profile("node_tls")["warn_days"] * 86_400_000
        return record if now_ms >= record.not_after_ms - warn_ms else None

    def check_listed(self, listed: registry_pb2.NodeDescriptor) -> None:
        """Raise KEY_MISMATCH where the registry lists other keys than the ones in force here."""
        for use in Use:
            record = self.current(use)
            accepted = _listed_ids(listed, use)
            if record.key_id not in accepted:
                raise XinqiaoError(
                    "KEY_MISMATCH",
                    kind=use.value,
                    file=self._directory / record.file_name,
                    found=record.key_id[:16],
                    listed=", ".join(sorted(key_id[:16] for key_id in accepted)) or "none",
                )

    # -- replacing -----------------------------------------------------------------------------------------

    def prepare_next_signing(self, now_ms: int, suite: str | None = None) -> KeyRecord:
        """Make the next signing key, or return the one being introduced; raises KEY_ROTATION, ARGUMENT_INVALID."""
        return self._prepare(Use.SIGNING, suite or self.current(Use.SIGNING).suite, now_ms)

    def prepare_next_tls(self, node_id: str, network: str, now_ms: int) -> KeyRecord:
        """Make the next TLS key and certificate, or return the ones being introduced; raises KEY_ROTATION."""
        return self._prepare(Use.TLS, profile("node_tls")["suite"], now_ms, node_id, network)

    def activate(self, key_id: str, listed: registry_pb2.NodeDescriptor, now_ms: int) -> KeyRecord:
        """Put the next key in force and keep the one before it as PREVIOUS; nothing changes where it is in force.

        Raises KEY_ROTATION unless the registry lists it: peers would refuse whatever it signs.
        """
        record = self._named(key_id, State.NEXT, State.CURRENT)
        if key_id not in _listed_ids(listed, record.use):
            raise XinqiaoError(
                "KEY_ROTATION", kind=record.use.value, detail=f"the registry does not list {key_id[:16]}"
            )
        if record.state is State.NEXT:
            before = self.current(record.use)
            self._change({before.key_id: (State.PREVIOUS, now_ms), key_id: (State.CURRENT, now_ms)})
        return self.current(record.use)

    def retire_previous(self, use: Use, now_ms: int) -> KeyRecord | None:
        """Retire the key before the one in force, from now on; the next descriptor says so."""
        record = self.find(use, State.PREVIOUS)
        if record is None:
            return None
        self._change({record.key_id: (State.RETIRED, now_ms)})
        return _newest(self._records, use, State.RETIRED)

    def revoke(self, key_id: str, now_ms: int) -> None:
        """Name a replaced key stolen; the next descriptor says so. Raises KEY_ROTATION for a key still in use."""
        record = self._named(key_id, State.PREVIOUS, *ENDED)
        self._change({record.key_id: (State.REVOKED, now_ms)})

    def destroy_retired(self, listed: registry_pb2.NodeDescriptor) -> tuple[KeyRecord, ...]:
        """Remove the private files of retired keys that the registry accepts no longer."""
        gone = []
        for record in self._records:
            path = self._directory / record.file_name
            if record.state in ENDED and record.key_id not in _listed_ids(listed, record.use) and path.exists():
                path.unlink()
                gone.append(record)
        if gone:
            files.sync_directory(self._directory)
        return tuple(gone)

    def follow(self, listed: registry_pb2.NodeDescriptor, now_ms: int, settle_ms: int) -> tuple[KeyRecord, ...]:
        """Take each rotation one step further where what the registry lists and the time allow it.

        Called with the listed descriptor at every refresh; returns the keys whose state changed. Connections made
        with a PREVIOUS certificate are to be dialled again before the next settle time is over.
        """
        before = self._records
        for use in Use:
            self._follow(use, listed, now_ms, settle_ms)
        self.destroy_retired(listed)
        known = {record.key_id: record.state for record in before}
        return tuple(record for record in self._records if known[record.key_id] is not record.state)

    def waits_for(self, use: Use, listed: registry_pb2.NodeDescriptor, now_ms: int, settle_ms: int) -> str:
        """What a rotation waits for, for people; empty when none is under way."""
        fresh, previous = self.find(use, State.NEXT), self.find(use, State.PREVIOUS)
        if fresh and fresh.listed_at_ms:
            return f"peers to learn of the new key, {_seconds(fresh.listed_at_ms + settle_ms - now_ms)} s more"
        if fresh:
            return "the officers to approve the descriptor that names the new key"
        if previous:
            return f"what the old key signed to arrive, {_seconds(previous.since_ms + settle_ms - now_ms)} s more"
        ended = {record.key_id for record in self._records if record.use is use and record.state in ENDED}
        return (
            "the officers to approve the descriptor that ends the old key" if ended & _listed_ids(listed, use) else ""
        )

    def _follow(self, use: Use, listed: registry_pb2.NodeDescriptor, now_ms: int, settle_ms: int) -> None:
        previous, fresh = self.find(use, State.PREVIOUS), self.find(use, State.NEXT)
        # (1) the settle time starts when the next key is first seen listed: peers refresh meanwhile
        if fresh and not fresh.listed_at_ms and fresh.key_id in _listed_ids(listed, use):
            fresh = replace(fresh, listed_at_ms=now_ms)
            self._save(tuple(fresh if each.key_id == fresh.key_id else each for each in self._records))
        # (2) every peer has had the time to learn of it: switch
        if fresh and fresh.listed_at_ms and now_ms >= fresh.listed_at_ms + settle_ms:
            self.activate(fresh.key_id, listed, now_ms)
        # (3) nothing the key before it signed is in flight, no connection shows its certificate: let it go
        if previous and now_ms >= previous.since_ms + settle_ms:
            self.retire_previous(use, now_ms)

    def _named(self, key_id: str, *states: State) -> KeyRecord:
        record = next((each for each in self._records if each.key_id == key_id), None)
        if record is None:
            raise XinqiaoError("KEY_ROTATION", kind="named", detail=f"{key_id[:16]} is no key of this home")
        if record.state not in states:
            kind, detail = record.use.value, f"{key_id[:16]} is {_WORDS[record.state]}"
            raise XinqiaoError("KEY_ROTATION", kind=kind, detail=detail)
        return record

    def _prepare(self, use: Use, suite: str, now_ms: int, node_id: str = "", network: str = "") -> KeyRecord:
        if self.find(use, State.PREVIOUS):
            raise XinqiaoError("KEY_ROTATION", kind=use.value, detail="the rotation before is not finished")
        fresh = self.find(use, State.NEXT)
        if fresh is None:
            fresh = self._make(use, suite, State.NEXT, now_ms, node_id, network)
            self._save((*self._records, fresh))
        return fresh

    def _make(self, use: Use, suite: str, state: State, now_ms: int, node_id: str = "", network: str = "") -> KeyRecord:
        signer = generate(suite)
        certificate = make_certificate(node_id, network, signer, now_ms) if use is Use.TLS else b""
        backdate_s = profile("node_tls" if use is Use.TLS else "node_signing_key")["backdate_s"]
        record = KeyRecord(
            key_id=signer.key_id,
            use=use,
            suite=suite,
            state=state,
            public_key=signer.public.spki,
            certificate=certificate,
            created_at_ms=now_ms,
            not_before_ms=max(0, now_ms - backdate_s * 1000),
            not_after_ms=expires_ms(certificate) if certificate else 0,
            since_ms=now_ms,
        )
        write_key(self._directory / record.file_name, signer, self._passphrase)
        self._signers[signer.key_id] = signer
        return record

    def _change(self, moves: dict[str, tuple[State, int]]) -> None:
        self._save(tuple(_moved(each, *moves[each.key_id]) if each.key_id in moves else each for each in self._records))

    def _save(self, records: tuple[KeyRecord, ...]) -> None:
        # On disk before in memory: what this process does next must be what the next one finds.
        files.replace(self._directory / INDEX, _encode(records))
        self._records = records


def _seconds(left_ms: int) -> int:
    return max(0, -(-left_ms // 1000))


_WORDS = {
    State.NEXT: "not in force yet",
    State.CURRENT: "in force",
    State.PREVIOUS: "replaced already",
    State.RETIRED: "retired",
    State.REVOKED: "revoked",
}


def default_suite() -> str:
    """The suite of a new node's signing key."""
    suite: str = profile("node_signing_key")["suites"][0]
    return suite


def read_index(directory: Path) -> tuple[KeyRecord, ...]:
    """What is known in public of a home's keys, without opening any; raises KEY_FILE."""
    path = directory / INDEX
    fault = files.directory_fault(directory)
    if fault:
        raise XinqiaoError("KEY_FILE", file=directory, detail=fault)
    content = files.read_private(path, MAX_INDEX_BYTES)
    try:
        records = _decode(content)
        _check(records)
    except (KeyError, TypeError, ValueError, XinqiaoError) as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=f"it cannot be read ({error})") from error
    return records


def _newest(records: Iterable[KeyRecord], use: Use, state: State) -> KeyRecord | None:
    found = [record for record in records if record.use is use and record.state is state]
    return max(found, key=lambda record: record.since_ms, default=None)


def _moved(record: KeyRecord, state: State, now_ms: int) -> KeyRecord:
    ends = state in ENDED and record.use is Use.SIGNING
    return replace(record, state=state, since_ms=now_ms, not_after_ms=now_ms if ends else record.not_after_ms)


def _listed_ids(listed: registry_pb2.NodeDescriptor, use: Use) -> set[str]:
    """The ids of the keys of that use which peers accept now."""
    if use is Use.TLS:
        return {spki_hash(each.certificate).hex() for each in listed.tls_certificates}
    return {key.key_id for key in listed.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE}


def _encode(records: tuple[KeyRecord, ...]) -> bytes:
    rows = [
        asdict(record)
        | {
            "use": record.use.value,
            "state": record.state.value,
            "public_key": base64.b64encode(record.public_key).decode(),
            "certificate": base64.b64encode(record.certificate).decode(),
        }
        for record in records
    ]
    return json.dumps({"format": FORMAT, "keys": rows}, indent=2).encode() + b"\n"


def _decode(content: bytes) -> tuple[KeyRecord, ...]:
    document = json.loads(content)
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']} was written by another version")
    return tuple(_record(row) for row in document["keys"])


def _record(row: dict[str, Any]) -> KeyRecord:
    decoded = {name: base64.b64decode(row[name], validate=True) for name in ("public_key", "certificate")}
    record = KeyRecord(**(row | decoded | {"use": Use(row["use"]), "state": State(row["state"])}))
    if not all(isinstance(row[name], int) for name in _INTEGERS):
        raise ValueError("a time is no whole number")
    if key_id_of(record.public_key) != record.key_id:
        raise ValueError(f"the key {record.key_id[:16]!r} has another public half")
    if record.use is Use.TLS and spki_hash(record.certificate).hex() != record.key_id:
        raise ValueError(f"the key {record.key_id[:16]!r} has the certificate of another")
    return record


def _check(records: tuple[KeyRecord, ...]) -> None:
    for use in Use:
        states = [record.state for record in records if record.use is use]
        if states.count(State.CURRENT) != 1 or states.count(State.NEXT) + states.count(State.PREVIOUS) > 1:
            raise ValueError(f"it names {states.count(State.CURRENT)} {use.value} keys in force")
