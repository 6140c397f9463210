from node.pb import admin_service_pb2 as _admin_service_pb2
from node.pb import channel_pb2 as _channel_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import listing_pb2 as _listing_pb2
from node.pb import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DefineListRequest(_message.Message):
    __slots__ = ("list", "audience", "disclosure", "staleness_limit_s")
    LIST_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    STALENESS_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    list: _listing_pb2.ListType
    audience: _channel_pb2.Audience
    disclosure: _channel_pb2.DisclosureClass
    staleness_limit_s: int
    def __init__(self, list: _Optional[_Union[_listing_pb2.ListType, _Mapping]] = ..., audience: _Optional[_Union[_channel_pb2.Audience, _Mapping]] = ..., disclosure: _Optional[_Union[_channel_pb2.DisclosureClass, str]] = ..., staleness_limit_s: _Optional[int] = ...) -> None: ...

class DefineListResponse(_message.Message):
    __slots__ = ("list", "changed")
    LIST_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    list: ListLine
    changed: bool
    def __init__(self, list: _Optional[_Union[ListLine, _Mapping]] = ..., changed: _Optional[bool] = ...) -> None: ...

class ListLine(_message.Message):
    __slots__ = ("channel", "own", "live", "digest")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    channel: _admin_service_pb2.ChannelSummary
    own: bool
    live: int
    digest: str
    def __init__(self, channel: _Optional[_Union[_admin_service_pb2.ChannelSummary, _Mapping]] = ..., own: _Optional[bool] = ..., live: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class ListListsRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class ListListsResponse(_message.Message):
    __slots__ = ("lists",)
    LISTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[ListLine]
    def __init__(self, lists: _Optional[_Iterable[_Union[ListLine, _Mapping]]] = ...) -> None: ...

class ListListingsRequest(_message.Message):
    __slots__ = ("list", "as_of_unix_ms", "all")
    LIST_FIELD_NUMBER: _ClassVar[int]
    AS_OF_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    list: str
    as_of_unix_ms: int
    all: bool
    def __init__(self, list: _Optional[str] = ..., as_of_unix_ms: _Optional[int] = ..., all: _Optional[bool] = ...) -> None: ...

class ListListingsResponse(_message.Message):
    __slots__ = ("listings",)
    LISTINGS_FIELD_NUMBER: _ClassVar[int]
    listings: _containers.RepeatedCompositeFieldContainer[ListingLine]
    def __init__(self, listings: _Optional[_Iterable[_Union[ListingLine, _Mapping]]] = ...) -> None: ...

class ListingLine(_message.Message):
    __slots__ = ("entry", "subject", "state", "asserted", "decided_on", "until", "over", "measures", "entered_at_unix_ms", "changed_at_unix_ms")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ASSERTED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_ON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    ENTERED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    entry: _record_pb2.RecordRef
    subject: str
    state: str
    asserted: str
    decided_on: str
    until: str
    over: bool
    measures: _containers.RepeatedScalarFieldContainer[str]
    entered_at_unix_ms: int
    changed_at_unix_ms: int
    def __init__(self, entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., subject: _Optional[str] = ..., state: _Optional[str] = ..., asserted: _Optional[str] = ..., decided_on: _Optional[str] = ..., until: _Optional[str] = ..., over: _Optional[bool] = ..., measures: _Optional[_Iterable[str]] = ..., entered_at_unix_ms: _Optional[int] = ..., changed_at_unix_ms: _Optional[int] = ...) -> None: ...

class GetListingRequest(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: _record_pb2.RecordRef
    def __init__(self, entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ...) -> None: ...

class GetListingResponse(_message.Message):
    __slots__ = ("listing", "kind", "steps")
    LISTING_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    listing: ListingLine
    kind: _listing_pb2.ListKind
    steps: _containers.RepeatedCompositeFieldContainer[ListingStep]
    def __init__(self, listing: _Optional[_Union[ListingLine, _Mapping]] = ..., kind: _Optional[_Union[_listing_pb2.ListKind, str]] = ..., steps: _Optional[_Iterable[_Union[ListingStep, _Mapping]]] = ...) -> None: ...

class ListingStep(_message.Message):
    __slots__ = ("place", "op", "words", "issued_at_unix_ms", "effect", "change", "signatures", "holders")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    place: _record_pb2.RecordRef
    op: _listing_pb2.ListOp
    words: _listing_pb2.ListParticulars
    issued_at_unix_ms: int
    effect: str
    change: str
    signatures: _containers.RepeatedCompositeFieldContainer[StepSignature]
    holders: _containers.RepeatedCompositeFieldContainer[StepHolder]
    def __init__(self, place: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., op: _Optional[_Union[_listing_pb2.ListOp, _Mapping]] = ..., words: _Optional[_Union[_listing_pb2.ListParticulars, _Mapping]] = ..., issued_at_unix_ms: _Optional[int] = ..., effect: _Optional[str] = ..., change: _Optional[str] = ..., signatures: _Optional[_Iterable[_Union[StepSignature, _Mapping]]] = ..., holders: _Optional[_Iterable[_Union[StepHolder, _Mapping]]] = ...) -> None: ...

class StepSignature(_message.Message):
    __slots__ = ("act", "officer", "key_id", "signed_at_unix_ms")
    ACT_FIELD_NUMBER: _ClassVar[int]
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    act: str
    officer: str
    key_id: str
    signed_at_unix_ms: int
    def __init__(self, act: _Optional[str] = ..., officer: _Optional[str] = ..., key_id: _Optional[str] = ..., signed_at_unix_ms: _Optional[int] = ...) -> None: ...

class StepHolder(_message.Message):
    __slots__ = ("node", "name", "state", "observed_at_unix_ms", "origin")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    node: str
    name: str
    state: str
    observed_at_unix_ms: int
    origin: bool
    def __init__(self, node: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[str] = ..., observed_at_unix_ms: _Optional[int] = ..., origin: _Optional[bool] = ...) -> None: ...

class DraftEntriesRequest(_message.Message):
    __slots__ = ("list", "values", "file_name", "skip_wrong", "data")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LIST_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SKIP_WRONG_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    list: str
    values: _containers.ScalarMap[str, str]
    file_name: str
    skip_wrong: bool
    data: bytes
    def __init__(self, list: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ..., file_name: _Optional[str] = ..., skip_wrong: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...

class DraftEntriesResponse(_message.Message):
    __slots__ = ("columns", "notes", "rejected", "rows", "wrong", "read_bytes", "done", "change")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedScalarFieldContainer[str]
    notes: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Refusal]
    rejected: _containers.RepeatedCompositeFieldContainer[_admin_service_pb2.RowOutcome]
    rows: int
    wrong: int
    read_bytes: int
    done: bool
    change: str
    def __init__(self, columns: _Optional[_Iterable[str]] = ..., notes: _Optional[_Iterable[_Union[_envelope_pb2.Refusal, _Mapping]]] = ..., rejected: _Optional[_Iterable[_Union[_admin_service_pb2.RowOutcome, _Mapping]]] = ..., rows: _Optional[int] = ..., wrong: _Optional[int] = ..., read_bytes: _Optional[int] = ..., done: _Optional[bool] = ..., change: _Optional[str] = ...) -> None: ...

class DraftChangeRequest(_message.Message):
    __slots__ = ("entry", "act", "decision", "reason", "decided_on", "ground", "until", "measures")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_ON_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    entry: _record_pb2.RecordRef
    act: _listing_pb2.ListAct
    decision: str
    reason: str
    decided_on: str
    ground: _listing_pb2.ExitGround
    until: str
    measures: str
    def __init__(self, entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., act: _Optional[_Union[_listing_pb2.ListAct, str]] = ..., decision: _Optional[str] = ..., reason: _Optional[str] = ..., decided_on: _Optional[str] = ..., ground: _Optional[_Union[_listing_pb2.ExitGround, str]] = ..., until: _Optional[str] = ..., measures: _Optional[str] = ...) -> None: ...

class DraftChangeResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: str
    def __init__(self, change: _Optional[str] = ...) -> None: ...

class DropDraftRequest(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: str
    def __init__(self, change: _Optional[str] = ...) -> None: ...

class DropDraftResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSignature(_message.Message):
    __slots__ = ("act", "officer", "reason", "signed_at_unix_ms", "disabled")
    ACT_FIELD_NUMBER: _ClassVar[int]
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    act: str
    officer: str
    reason: str
    signed_at_unix_ms: int
    disabled: bool
    def __init__(self, act: _Optional[str] = ..., officer: _Optional[str] = ..., reason: _Optional[str] = ..., signed_at_unix_ms: _Optional[int] = ..., disabled: _Optional[bool] = ...) -> None: ...

class ChangeLine(_message.Message):
    __slots__ = ("id", "channel", "kind", "act", "entry", "state", "operations", "batches", "entries", "digest", "source", "drafted_at_unix_ms", "until_unix_ms", "signatures", "fault", "disclosure", "subject")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DRAFTED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    id: str
    channel: str
    kind: _listing_pb2.ListKind
    act: _listing_pb2.ListAct
    entry: _record_pb2.RecordRef
    state: str
    operations: int
    batches: int
    entries: _containers.RepeatedCompositeFieldContainer[_record_pb2.RecordRef]
    digest: bytes
    source: str
    drafted_at_unix_ms: int
    until_unix_ms: int
    signatures: _containers.RepeatedCompositeFieldContainer[ListSignature]
    fault: _envelope_pb2.Refusal
    disclosure: _channel_pb2.DisclosureClass
    subject: str
    def __init__(self, id: _Optional[str] = ..., channel: _Optional[str] = ..., kind: _Optional[_Union[_listing_pb2.ListKind, str]] = ..., act: _Optional[_Union[_listing_pb2.ListAct, str]] = ..., entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., state: _Optional[str] = ..., operations: _Optional[int] = ..., batches: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[_record_pb2.RecordRef, _Mapping]]] = ..., digest: _Optional[bytes] = ..., source: _Optional[str] = ..., drafted_at_unix_ms: _Optional[int] = ..., until_unix_ms: _Optional[int] = ..., signatures: _Optional[_Iterable[_Union[ListSignature, _Mapping]]] = ..., fault: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., disclosure: _Optional[_Union[_channel_pb2.DisclosureClass, str]] = ..., subject: _Optional[str] = ...) -> None: ...

class ListChangesRequest(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class ListChangesResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ChangeLine]
    def __init__(self, changes: _Optional[_Iterable[_Union[ChangeLine, _Mapping]]] = ...) -> None: ...

class GetChangeRequest(_message.Message):
    __slots__ = ("id", "head_only")
    ID_FIELD_NUMBER: _ClassVar[int]
    HEAD_ONLY_FIELD_NUMBER: _ClassVar[int]
    id: str
    head_only: bool
    def __init__(self, id: _Optional[str] = ..., head_only: _Optional[bool] = ...) -> None: ...

class GetChangeResponse(_message.Message):
    __slots__ = ("change", "batch")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    change: ChangeLine
    batch: bytes
    def __init__(self, change: _Optional[_Union[ChangeLine, _Mapping]] = ..., batch: _Optional[bytes] = ...) -> None: ...
