"""Officers of one node: what they sign, whose signatures an act needs, and who they are by what was signed.

Access to the node's socket decides nothing. Every act is a statement that names network, node, act, subject, the digest
of what is decided and the time, and it holds by the signatures of officers alone:

    officer.add        the newcomer's own key, and two officers; while fewer than two are active, the node's own key
    officer.disable    one officer, or the node's own key
    any other act      one officer; two different ones where the act must be reviewed

So no officer alone makes a second one to agree with: only where there are not two left does the node's signing key,
whose holder speaks for the node anyway, begin anew. A name and a key belong to one officer for ever: what somebody
signed stays signed by that person, also when he is disabled.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.suites import PublicKey, load_public_key
from node.pb import envelope_pb2, officer_pb2

ADD = "officer.add"
DISABLE = "officer.disable"
FOUNDERS = 2
"""So many active officers add another one; while there are fewer, the node's own key does."""


@dataclass(frozen=True, slots=True)
class Officer:
    """One officer; times in Unix ms as stated, disabled_at_ms 0 while active. No names: the node's own key signed."""

    name: str
    public: PublicKey
    added_at_ms: int
    added_by: tuple[str, ...] = ()
    disabled_at_ms: int = 0
    disabled_by: tuple[str, ...] = ()
    disabled_because: str = ""

    @property
    def is_active(self) -> bool:
        """Whether what the officer signs now counts."""
        return not self.disabled_at_ms


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """A statement whose signatures are enough for its act; signed_by are the officers, none where the node signed."""

    message: officer_pb2.OfficerStatement
    envelope: envelope_pb2.Envelope
    content: bytes
    signed_by: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: a statement is taken once."""
        return hashlib.sha256(self.envelope.payload).digest()


@dataclass(frozen=True, slots=True)
class OfficerBook:
    """Who is an officer of a node: a fold over the statements that added and disabled them."""

    network: str
    node: str
    officers: dict[str, Officer] = field(default_factory=dict)

    @property
    def active(self) -> list[Officer]:
        """Those whose signatures count now, in the order in which they were added."""
        return [officer for officer in self.officers.values() if officer.is_active]

    def officer(self, name: str) -> Officer:
        """An active officer; raises OFFICER_UNKNOWN, OFFICER_DISABLED."""
        found = self.officers.get(name)
        if found is None:
            known = ", ".join(each.name for each in self.active) or "none"
            raise XinqiaoError("OFFICER_UNKNOWN", name=name[:64], known=known)
        if not found.is_active:
            raise XinqiaoError("OFFICER_DISABLED", name=name, because=found.disabled_because)
        return found

    def after(self, statement: VerifiedStatement) -> "OfficerBook":
        """The book with what a statement on officers says."""
        message = statement.message
        if message.act == ADD:
            public = _key_of(read_officer(statement.content))
            officer = Officer(message.subject, public, message.signed_at_unix_ms, statement.signed_by)
        else:
            officer = replace(
                self.officers[message.subject],
                disabled_at_ms=message.signed_at_unix_ms,
                disabled_by=statement.signed_by,
                disabled_because=message.reason,
            )
        return replace(self, officers=self.officers | {officer.name: officer})

    # -- verifying ------------------------------------------------------------------------------------

    def replayed(
        self, statements: Iterable[tuple[envelope_pb2.Envelope, bytes]], node_keys: Sequence[PublicKey]
    ) -> "OfficerBook":
        """The book after statements that were taken before, each verified again; node_keys are all it ever had."""
        book = self
        for envelope, content in statements:
            book = book.after(book.verified(envelope, content, node_keys))
        return book

    def verified(
        self,
        envelope: envelope_pb2.Envelope,
        content: bytes,
        node_keys: Sequence[PublicKey],
        limits: Limits = DEFAULT_LIMITS,
    ) -> VerifiedStatement:
        """Verify a statement: its place, its signatures, what its act needs.

        Raises OFFICER_STATEMENT, OFFICER_SIGNATURE, OFFICER_UNKNOWN, OFFICER_DISABLED, OFFICER_EXISTS, OFFICER_NAME.
        """
        # Keys stand in the payload where an officer is added, so it is parsed before it is verified, within a limit.
        if max(len(envelope.payload), len(content)) > limits.max_statement_bytes:
            raise _refused(f"more than {limits.max_statement_bytes} bytes")
        message = _parsed(envelope.payload)
        if (message.network, message.node) != (self.network, self.node):
            raise _refused(f"it is for the node {message.node[:64]} of the network {message.network[:80]}")
        if len(message.reason) > limits.max_reason_chars:
            raise _refused(f"the reason has more than {limits.max_reason_chars} characters")
        if message.act == ADD:
            return self._verified_add(message, envelope, content, node_keys, limits)
        if content:
            raise _refused("it carries content that its act has no use for")
        trusted = [*(each.public for each in self.officers.values()), *node_keys]
        signed, bare = envelopes.verify(envelope, envelopes.OFFICER_STATEMENT, trusted, limits)
        names = self._names(signed)
        if message.act == DISABLE:
            self.officer(message.subject)
            _check_digest(message, disabling_digest_of(self.officers[message.subject].public.key_id))
            if not names and not _any_of(signed, node_keys):
                raise _unsigned("one officer or the node's own key must sign it")
        elif len(names) != 1:
            raise _unsigned("exactly one officer must sign it")
        return VerifiedStatement(message, bare, b"", names)

    def _verified_add(
        self,
        message: officer_pb2.OfficerStatement,
        envelope: envelope_pb2.Envelope,
        content: bytes,
        node_keys: Sequence[PublicKey],
        limits: Limits,
    ) -> VerifiedStatement:
        officer = read_officer(content)
        _check_digest(message, hashlib.sha256(content).digest())
        if officer.name != message.subject:
            raise _refused("subject and content name different officers")
        newcomer = _key_of(officer)
        self.check_new(officer.name, newcomer, node_keys)
        trusted = [newcomer, *(each.public for each in self.officers.values()), *node_keys]
        signed, bare = envelopes.verify(envelope, envelopes.OFFICER_STATEMENT, trusted, limits)
        names = self._names(signed)
        if not _any_of(signed, [newcomer]):
            raise _unsigned("the new officer's own key must sign it")
        if len(self.active) >= FOUNDERS and len(names) < FOUNDERS:
            raise _unsigned("two officers of this node must sign it")
        if len(self.active) < FOUNDERS and not _any_of(signed, node_keys):
            raise _unsigned("the node's own key must sign it while there are not two officers")
        return VerifiedStatement(message, bare, content, names if len(self.active) >= FOUNDERS else ())

    def check_new(self, name: str, key: PublicKey, node_keys: Sequence[PublicKey] = ()) -> None:
        """See that a name and a key are nobody's yet; raises OFFICER_NAME, OFFICER_EXISTS."""
        check_name(name)
        for each in self.officers.values():
            if each.name == name or each.public.key_id == key.key_id:
                raise XinqiaoError("OFFICER_EXISTS", name=each.name, key=each.public.key_id[:16])
        if _any_of([key], node_keys):
            raise _refused("the key is the node's own")

    def _names(self, signed: Sequence[PublicKey]) -> tuple[str, ...]:
        """The officers whose keys have signed; raises OFFICER_DISABLED where one of them counts no more."""
        ids = {key.key_id for key in signed}
        found = [each.name for each in self.officers.values() if each.public.key_id in ids]
        return tuple(self.officer(name).name for name in found)


def check_time(message: officer_pb2.OfficerStatement, now_ms: int, limits: Limits = DEFAULT_LIMITS) -> None:
    """See that a statement is of these days: neither of the future nor one that lay about; raises OFFICER_STATEMENT."""
    age_ms = now_ms - message.signed_at_unix_ms
    if age_ms < -limits.max_clock_skew_ms:
        raise _refused("it is dated in the future; compare the clocks")
    if age_ms > limits.max_statement_age_ms:
        raise _refused(f"it is older than {limits.max_statement_age_ms // 86_400_000} days; have it signed anew")


def check_name(name: str) -> None:
    """See that a name can be one of an officer: it is part of a file's name; raises OFFICER_NAME."""
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    is_plain = plain.isalnum() and name[0].isalnum() and unicodedata.normalize("NFKC", name) == name
    if not is_plain or len(name) > DEFAULT_LIMITS.max_officer_name_chars:
        raise XinqiaoError("OFFICER_NAME", name=name[:64], limit=DEFAULT_LIMITS.max_officer_name_chars)


def build_statement(
    book: OfficerBook, act: str, subject: str, decided_sha256: bytes, reason: str, now_ms: int
) -> bytes:
    """The bytes that officers sign."""
    return officer_pb2.OfficerStatement(
        network=book.network,
        node=book.node,
        act=act,
        subject=subject,
        decided_sha256=decided_sha256,
        reason=reason,
        signed_at_unix_ms=now_ms,
    ).SerializeToString(deterministic=True)


def new_officer(name: str, key: PublicKey) -> bytes:
    """The content of the statement that adds an officer."""
    return officer_pb2.Officer(name=name, suite=key.suite, public_key=key.spki).SerializeToString(deterministic=True)


def disabling_digest_of(key_id: str) -> bytes:
    """What a statement that disables an officer decides: that the key with this id counts no more."""
    return bytes.fromhex(key_id)


def read_statement(envelope: envelope_pb2.Envelope) -> officer_pb2.OfficerStatement:
    """What a statement says, for whoever is to sign it; nothing of it is verified. Raises OFFICER_STATEMENT."""
    return _parsed(envelope.payload)


def _parsed(payload: bytes) -> officer_pb2.OfficerStatement:
    try:
        message = envelopes.parse(officer_pb2.OfficerStatement, payload)
    except XinqiaoError as error:
        raise _refused("its bytes are no statement") from error
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != payload:
        raise _refused("its bytes are not in canonical form")
    return message


def read_officer(content: bytes) -> officer_pb2.Officer:
    """The officer that a statement adds; raises OFFICER_STATEMENT."""
    try:
        officer = envelopes.parse(officer_pb2.Officer, content)
    except XinqiaoError as error:
        raise _refused("its content is no officer") from error
    officer.DiscardUnknownFields()
    if officer.SerializeToString(deterministic=True) != content:
        raise _refused("its bytes are not in canonical form")
    return officer


def _key_of(officer: officer_pb2.Officer) -> PublicKey:
    key = load_public_key(officer.suite, officer.public_key)
    if key is None:
        raise _refused("the new officer's key cannot be read")
    return key


def _any_of(signed: Iterable[PublicKey], keys: Collection[PublicKey]) -> bool:
    ids = {key.key_id for key in keys}
    return any(key.key_id in ids for key in signed)


def _check_digest(message: officer_pb2.OfficerStatement, digest: bytes) -> None:
    if message.decided_sha256 != digest:
        raise _refused("it decides about something else than this node holds")


def _refused(detail: str) -> XinqiaoError:
    return XinqiaoError("OFFICER_STATEMENT", detail=detail)


def _unsigned(detail: str) -> XinqiaoError:
    return XinqiaoError("OFFICER_SIGNATURE", detail=detail)
