"""Every refusal and failure of Xinqiao: one class, one table of codes.

Who is wrong decides the family of a code, and so what is done about it:

    OPERATOR   the input or the settings on this machine are wrong: nothing was changed, correct them
    PEER       what another node or the registry sent is wrong: it is refused and named
    WIRE       somebody cannot be reached or does not answer: it is tried again
    LOCAL      this machine failed (disk, database, clock): nothing was acknowledged
    RULE       a record is barred by a rule or by its catalogue item: the row is returned with a remedy
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

from node.core.ceremony import CEREMONY_ERRORS
from node.core.database_errors import DATABASE_ERRORS
from node.core.defects import CATALOGUE_DEFECTS, DOUBTS, FILE_DEFECTS, RECORD_DEFECTS, VERDICTS
from node.core.diagnosis_errors import DIAGNOSIS_ERRORS
from node.core.list_errors import LIST_ERRORS
from node.core.log_errors import LOG_ERRORS
from node.core.officer_errors import OFFICER_ERRORS
from node.pb import envelope_pb2


class Family(Enum):
    """Who is wrong."""

    OPERATOR = "operator"
    PEER = "peer"
    WIRE = "wire"
    LOCAL = "local"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """One row of the table: family, gRPC status name, text with {parameters}, who must act, the next step."""

    family: Family
    status: str
    text: str
    who: str
    next: str


# What is taken over of a refusal that somebody sent.
MAX_PARAMETERS = 32
MAX_PARAMETER_CHARS = 2000

_O, _P, _W, _L, _R = Family.OPERATOR, Family.PEER, Family.WIRE, Family.LOCAL, Family.RULE

CODES: dict[str, ErrorSpec] = {
    # -- settings, home and command line
    "ADMIN_UNREACHABLE": ErrorSpec(
        _O, "UNAVAILABLE", "no node is serving the home {home}", "you", "start it with `xinqiao --home {home} serve`"
    ),
    "AUDIENCE_EXPRESSION": ErrorSpec(
        _O,
        "INVALID_ARGUMENT",
        "the audience {expression!r} cannot be read: {detail}",
        "you",
        "write node ids or conditions joined by commas, e.g. `national,level=city&region=33` or `everyone`",
    ),
    "CHANNEL_EXISTS": ErrorSpec(
        _O, "ALREADY_EXISTS", "the channel {channel} exists", "you", "see `xinqiao channel show {channel}`"
    ),
    "CHANNEL_NAME": ErrorSpec(
        _O,
        "INVALID_ARGUMENT",
        "{name!r} is not a channel name",
        "you",
        "use 1 to 64 of a-z, 0-9, '-' and '/', beginning with a letter",
    ),
    "CHANNEL_NOT_OURS": ErrorSpec(
        _O,
        "PERMISSION_DENIED",
        "{channel} is written by {origin}, this node is {node}",
        "you",
        "publish into a channel of this node, see `xinqiao channel list`",
    ),
    "CHANNEL_UNKNOWN": ErrorSpec(
        _O, "NOT_FOUND", "there is no channel {channel} here", "you", "see `xinqiao channel list`"
    ),
    "CONFIG_INVALID": ErrorSpec(
        _O, "INVALID_ARGUMENT", "{file}: {key}: {detail}", "you", "correct it, then run `xinqiao config check`"
    ),
    "CONFIG_UNKNOWN_KEY": ErrorSpec(
        _O,
        "INVALID_ARGUMENT",
        "{file}: there is no setting {key!r}; did you mean {nearest!r}?",
        "you",
        "correct it, then run `xinqiao config check`",
    ),
    "HOME_EXISTS": ErrorSpec(
        _O, "ALREADY_EXISTS", "{home} holds a node already ({id})", "you", "choose another --home"
    ),
    "HOME_LOCKED": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "another process (pid {pid}) works in the home {home}",
        "you",
        "stop that process, or choose another --home",
    ),
    "HOME_MISSING": ErrorSpec(
        _O, "FAILED_PRECONDITION", "{home} holds no node", "you", "create one with `xinqiao --home {home} init`"
    ),
    "HOME_NEWER": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "{home} was written by a newer version (database revision {revision})",
        "you",
        "install that version or a later one; nothing was changed",
    ),
    "HOME_UNSAFE": ErrorSpec(
        _O, "FAILED_PRECONDITION", "{path} cannot be used: {detail}", "you", "correct it, or choose another --home"
    ),
    "KEY_PASSPHRASE": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the key {file} does not open: wrong or missing passphrase",
        "you",
        "give it by key_passphrase_file, XINQIAO_KEY_PASSPHRASE or a systemd credential",
    ),
    "KEY_FILE": ErrorSpec(
        _O, "FAILED_PRECONDITION", "the key {file} cannot be used: {detail}", "you", "restore the right file"
    ),
    "KEY_MISMATCH": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the {kind} key in {file} is {found}, the registry lists {listed}",
        "you",
        "restore the listed key, or rotate with `xinqiao keys rotate {kind}`",
    ),
    "KEY_ROTATION": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the {kind} key is not replaced: {detail}",
        "you",
        "see `xinqiao keys list` for what the rotation waits for",
    ),
    "LISTEN_FAILED": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "cannot listen on {address}: {detail}",
        "you",
        "free the port or change `{setting}`",
    ),
    "NOT_A_MEMBER": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "this node is not a member of the network: {detail}",
        "you",
        "run `xinqiao join --registry HOST:PORT --root-fingerprint HEX`",
    ),
    "ARGUMENT_INVALID": ErrorSpec(_O, "INVALID_ARGUMENT", "{argument}: {detail}", "you", "see `xinqiao --help`"),
    "RECORD_NOT_OURS": ErrorSpec(
        _O,
        "PERMISSION_DENIED",
        "the record {ref} was published by {origin}: only its origin may act on it",
        "{origin}",
        "send the decision to {origin}",
    ),
    "RECORD_STATE": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the record {ref} is {standing} (decision {decision}): {action} may not follow",
        "you",
        "see `xinqiao records --all`; a new decision on the subject is a new record",
    ),
    "RECORD_UNKNOWN": ErrorSpec(
        _O, "NOT_FOUND", "there is no record {ref} here: {detail}", "you", "see `xinqiao records --channel {channel}`"
    ),
    "EVIDENCE_INVALID": ErrorSpec(
        _P,
        "INVALID_ARGUMENT",
        "the evidence does not hold at step {step}: {detail}",
        "whoever made the bundle",
        "do not rely on it; ask a node of the network for a new bundle",
    ),
    "EVIDENCE_UNAVAILABLE": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "no evidence can be made for {ref} now: {detail}",
        "you",
        "heartbeats, receipts and registry files arrive by themselves: run the command again when it is there",
    ),
    # -- simulations and benchmarks
    "BENCH_FAILED": ErrorSpec(
        _L,
        "INTERNAL",
        "the measurement was broken off: {detail}",
        "you",
        "read what its processes logged, in {folder}",
    ),
    "BENCH_POSTGRESQL": ErrorSpec(
        _L,
        "FAILED_PRECONDITION",
        "this comparison starts PostgreSQL servers of its own, and {package} is not installed",
        "you",
        "`{python} -m pip install {package}`, then run the command again",
    ),
    "BENCH_PROFILER": ErrorSpec(
        _L,
        "FAILED_PRECONDITION",
        "{program} is not installed, which samples the processes",
        "you",
        "`{python} -m pip install {program}`, then run the command again",
    ),
    "BENCH_SPACE": ErrorSpec(
        _L,
        "FAILED_PRECONDITION",
        "{needed} GB must be free in {folder}, and there are {found}",
        "you",
        "name a folder on a larger disk with --dir, or leave --large out",
    ),
    "SIMULATION_FAILED": ErrorSpec(
        _L,
        "INTERNAL",
        "with the seed {seed}, {guarantee} does not hold at {node}: {found}",
        "whoever maintains this software",
        "{command}",
    ),
    # -- signatures and envelopes
    "ENVELOPE_TYPE": ErrorSpec(
        _P,
        "INVALID_ARGUMENT",
        "an envelope of type {found!r} stands where {expected!r} is due",
        "the sender",
        "the sender must correct its software",
    ),
    "ENVELOPE_SHAPE": ErrorSpec(
        _P, "INVALID_ARGUMENT", "the envelope cannot be read: {detail}", "the sender", "the sender must correct it"
    ),
    "SIGNATURE": ErrorSpec(
        _P,
        "UNAUTHENTICATED",
        "no signature by an accepted key of {signer}",
        "{signer}",
        "{signer} must sign with a key the registry lists as active",
    ),
    # -- membership and calls
    "AUDIENCE": ErrorSpec(
        _P,
        "PERMISSION_DENIED",
        "no such channel for {node}",
        "the origin of the channel",
        "the origin adds the node with `xinqiao channel audience`",
    ),
    "CLOCK_SKEW": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the clocks of {node} and {peer} differ by {skew_s} s; at most {limit_s} s are accepted",
        "the operator whose clock is wrong",
        "set the clock (NTP), then nothing else is needed",
    ),
    "FRAME": ErrorSpec(
        _P,
        "INVALID_ARGUMENT",
        "the frames of an entry cannot be followed: {detail}",
        "the sender",
        "the sender must correct its software; the stream starts again",
    ),
    "HELLO_NETWORK": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "{peer} belongs to the network {found}, this is {network}",
        "you",
        "check the registry address and root fingerprint used by `xinqiao join`",
    ),
    "HEARTBEAT": ErrorSpec(
        _P, "INVALID_ARGUMENT", "the heartbeat of {node} is refused: {detail}", "{node}", "{node} must correct it"
    ),
    "ADDRESS": ErrorSpec(
        _P, "INVALID_ARGUMENT", "the address record of {node} is refused: {detail}", "{node}", "{node} must correct it"
    ),
    "HEAD_FALSE": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "{peer} claims more entries of {channel} epoch {epoch} than it gives",
        "{peer}",
        "{peer} must look into its log; the entries are fetched from whoever has them",
    ),
    "LINK_FAULT": ErrorSpec(
        _L,
        "INTERNAL",
        "this node failed on the link with {peer}: {detail}",
        "you",
        "see the log and report it; the link is tried again",
    ),
    "MEMBER_REMOVED": ErrorSpec(
        _P,
        "PERMISSION_DENIED",
        "{node} was removed from the network: {reason}",
        "{node}",
        "{node} must ask the officers of the registry",
    ),
    "MEMBER_SUSPENDED": ErrorSpec(
        _P,
        "PERMISSION_DENIED",
        "{node} is suspended: {reason}",
        "{node}",
        "{node} must ask the officers of the registry",
    ),
    "MEMBER_UNKNOWN": ErrorSpec(
        _P,
        "PERMISSION_DENIED",
        "{node} is not a member of the network",
        "{node}",
        "{node} must join, or its peer must refresh the registry",
    ),
    "PEER_FAILED": ErrorSpec(
        _P,
        "INTERNAL",
        "{peer} at {address} failed with {status}: {detail}",
        "{peer}",
        "{peer} must look into its log; it is tried again",
    ),
    "PEER_REFUSED": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "{peer} refuses {channel} epoch {epoch}; it says: {said}",
        "{peer}",
        "ask the operator of {peer}; what others hold goes on",
    ),
    "RATE_LIMITED": ErrorSpec(
        _P, "RESOURCE_EXHAUSTED", "too many calls: {what}", "the caller", "call again after {retry_s} s"
    ),
    "RECEIPT": ErrorSpec(
        _P, "INVALID_ARGUMENT", "the receipt of {node} is refused: {detail}", "{node}", "{node} must correct it"
    ),
    "WIRE_IDLE": ErrorSpec(
        _W, "DEADLINE_EXCEEDED", "nothing moved on the stream for {limit_s} s", "nobody", "it is tried again"
    ),
    "WIRE_UNREACHABLE": ErrorSpec(
        _W, "UNAVAILABLE", "{peer} at {address} does not answer: {detail}", "nobody", "it is tried again"
    ),
    "WIRE_REFUSED": ErrorSpec(
        _W,
        "UNAVAILABLE",
        "{peer} closed the handshake: {detail}",
        "you",
        "see `xinqiao peers` for what {peer} says of this node",
    ),
    # -- local faults
    "DATABASE": ErrorSpec(_L, "INTERNAL", "the database failed: {detail}", "you", "see the log; nothing was lost"),
    "DATABASE_DAMAGED": ErrorSpec(
        _L,
        "INTERNAL",
        "{file} is not a sound database: {detail}",
        "you",
        "stop the node, move {file} and its -wal aside, and put the newest backup in its place;"
        " what is missing in it comes back from the peers",
    ),
    "DISK_FULL": ErrorSpec(
        _L,
        "RESOURCE_EXHAUSTED",
        "the disk under {home} is full",
        "you",
        "free space and run the command again: what was accepted stays accepted, the rest is read again",
    ),
    "FILE_READER": ErrorSpec(
        _L,
        "INTERNAL",
        "the process that was reading {name} has ended before the file has",
        "you",
        "see the log and publish the file again: what was published of it stays, and is told as duplicates",
    ),
    "HEAD_MOVED": ErrorSpec(
        _L, "ABORTED", "{channel} moved from {expected} to {found} meanwhile", "nobody", "it is tried again"
    ),
    "RESTORED": ErrorSpec(
        _L,
        "FAILED_PRECONDITION",
        "the database of this node is older than what it has signed ({detail}); nothing is appended",
        "you",
        "keep the node serving: it fetches its own history from its peers",
    ),
    "TEMPORARY_FILES": ErrorSpec(
        _L,
        "INTERNAL",
        "this machine cannot keep temporary files: {detail}",
        "you",
        "free space in the directory for temporary files, or point TMPDIR to another; it is tried again",
    ),
    "DRAINING": ErrorSpec(_L, "UNAVAILABLE", "the node is stopping", "nobody", "it is tried again"),
    # -- the registry
    "REGISTRY_ELSEWHERE": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "{node} is a node of the network {network}, not its registry; the registry is at {registry}",
        "you",
        "send it to the registry: {registry}",
    ),
    "REGISTRY_EXPIRED": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "the registry's {role} expired at {expires}",
        "the registry's operator",
        "the registry must publish a new {role}",
    ),
    "REGISTRY_FINGERPRINT": ErrorSpec(
        _O,
        "FAILED_PRECONDITION",
        "the registry's first root is {found}, you gave {expected}",
        "you",
        "ask an officer for the root fingerprint over another line; nothing was stored",
    ),
    "REGISTRY_INVALID": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "what {source} serves as the registry is refused: {detail}",
        "the registry's operator",
        "the last verified state is kept",
    ),
    "REGISTRY_ROLLBACK": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "{source} serves {role} version {found}, version {held} is known",
        "the registry's operator",
        "the last verified state is kept; the registry must publish a newer version",
    ),
    "REGISTRY_TWO_FACES": ErrorSpec(
        _P,
        "FAILED_PRECONDITION",
        "the registry shows two different files as {role} version {version}",
        "the registry's officers",
        "the older state is kept; the officers must find out who signed both",
    ),
    "REGISTRY_UNREACHABLE": ErrorSpec(
        _W,
        "UNAVAILABLE",
        "no registry answers ({detail})",
        "you",
        "check the address; the last verified state stays in force",
    ),
    "JOIN_ID_TAKEN": ErrorSpec(
        _P,
        "ALREADY_EXISTS",
        "{id} is a member already, with the fingerprint {listed}; this home has {found}",
        "you",
        "check --id; if the keys of {id} were lost, ask the officers",
    ),
    "JOIN_REJECTED": ErrorSpec(
        _P,
        "PERMISSION_DENIED",
        "the officers rejected {id}: {reason}",
        "you",
        "clear up the reason with the officers, then run `xinqiao join --renew`",
    ),
    "JOIN_REQUEST": ErrorSpec(
        _P,
        "INVALID_ARGUMENT",
        "the membership request is refused: {detail}",
        "the applicant",
        "correct it and join again",
    ),
    "FILE_UNKNOWN": ErrorSpec(
        _P, "NOT_FOUND", "no file {name} is published here", "the caller", "ask for a file the registry names"
    ),
    "HEAD_REPORT": ErrorSpec(
        _P, "INVALID_ARGUMENT", "the head report of {node} is refused: {detail}", "{node}", "{node} must correct it"
    ),
}

# What ingest and validation find stands in defects.py; looked up here like any other code.
CODES |= {code: ErrorSpec(_R, "OK", *row) for code, row in VERDICTS.items()}
CODES |= {code: ErrorSpec(_L, "FAILED_PRECONDITION", *row) for code, row in DIAGNOSIS_ERRORS.items()}
CODES |= {code: ErrorSpec(_L, *row) for code, row in DATABASE_ERRORS.items()}
CODES |= {code: ErrorSpec(_R, "OK", text, "the source unit", step) for code, (text, step) in RECORD_DEFECTS.items()}
CODES |= {code: ErrorSpec(_R, "OK", text, "the source unit", step) for code, (text, step) in DOUBTS.items()}
CODES |= {code: ErrorSpec(_O, "INVALID_ARGUMENT", text, "you", step) for code, (text, step) in FILE_DEFECTS.items()}
CODES |= {
    code: ErrorSpec(_P, "FAILED_PRECONDITION", text, "the registry", step)
    for code, (text, step) in CATALOGUE_DEFECTS.items()
}
# What the officers and the operator of a registry meet stands in ceremony.py.
CODES |= {code: ErrorSpec(_O, *row) for code, row in CEREMONY_ERRORS.items()}
CODES |= {code: ErrorSpec(_P, *row) for code, row in LOG_ERRORS.items()}
# What the officers of a node meet stands in officer_errors.py.
CODES |= {code: ErrorSpec(_O, *row) for code, row in OFFICER_ERRORS.items()}
# What concerns joint lists stands in list_errors.py.
CODES |= {code: ErrorSpec(_O, *row) for code, row in LIST_ERRORS.items()}


class XinqiaoError(Exception):
    """A refusal or failure with a code of CODES and the parameters that fill its text."""

    def __init__(self, code: str, **parameters: Any) -> None:
        self.code = code
        self.parameters = {name: str(value) for name, value in sorted(parameters.items())}
        super().__init__(code)

    @property
    def spec(self) -> ErrorSpec:
        """The row of the table."""
        return CODES.get(self.code, _UNKNOWN)

    @property
    def family(self) -> Family:
        """Who is wrong."""
        return self.spec.family

    @property
    def text(self) -> str:
        """What failed, for people."""
        return _fill(self.spec.text, self.parameters)

    @property
    def who(self) -> str:
        """Who must act."""
        return _fill(self.spec.who, self.parameters)

    @property
    def next(self) -> str:
        """The next step."""
        return _fill(self.spec.next, self.parameters)

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


_UNKNOWN = ErrorSpec(_P, "UNKNOWN", "a code this version does not know", "you", "install a newer version")


class _Blank(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def _fill(template: str, parameters: dict[str, str]) -> str:
    return template.format_map(_Blank(parameters))


def to_refusal(error: XinqiaoError) -> envelope_pb2.Refusal:
    """The error as it travels: code and parameters, no text."""
    return envelope_pb2.Refusal(code=error.code, parameters=error.parameters)


def from_refusal(refusal: envelope_pb2.Refusal) -> XinqiaoError:
    """The error a refusal stands for; an unknown code stays readable, what is too long is cut."""
    error = XinqiaoError(refusal.code[:MAX_PARAMETER_CHARS])
    names = sorted(refusal.parameters)[:MAX_PARAMETERS]
    error.parameters = {name[:MAX_PARAMETER_CHARS]: refusal.parameters[name][:MAX_PARAMETER_CHARS] for name in names}
    return error


def only_of(error: BaseException, codes: Collection[str]) -> XinqiaoError | None:
    """Return the error of these codes that is all that was wrong, else None; a group has what several tasks met."""
    if isinstance(error, BaseExceptionGroup):
        found = [only_of(each, codes) for each in error.exceptions]
        return None if None in found else found[0]
    return error if isinstance(error, XinqiaoError) and error.code in codes else None
