from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import listing_pb2 as _listing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_MANIFEST: _ClassVar[EntryKind]
    ENTRY_KIND_RECORDS: _ClassVar[EntryKind]
    ENTRY_KIND_STATUS: _ClassVar[EntryKind]
    ENTRY_KIND_LIST: _ClassVar[EntryKind]
    ENTRY_KIND_ANNOTATION: _ClassVar[EntryKind]
    ENTRY_KIND_FEEDBACK: _ClassVar[EntryKind]
    ENTRY_KIND_MESSAGE: _ClassVar[EntryKind]

class DisclosureClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCLOSURE_CLASS_UNSPECIFIED: _ClassVar[DisclosureClass]
    DISCLOSURE_CLASS_A: _ClassVar[DisclosureClass]
    DISCLOSURE_CLASS_B: _ClassVar[DisclosureClass]
    DISCLOSURE_CLASS_C: _ClassVar[DisclosureClass]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_CONTROL: _ClassVar[Priority]
    PRIORITY_BULK: _ClassVar[Priority]

class RecordOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_OUTCOME_UNSPECIFIED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_APPLIED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_DUPLICATE: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_SUPERSEDED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_REJECTED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_DEFERRED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_ERASED: _ClassVar[RecordOutcome]
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_MANIFEST: EntryKind
ENTRY_KIND_RECORDS: EntryKind
ENTRY_KIND_STATUS: EntryKind
ENTRY_KIND_LIST: EntryKind
ENTRY_KIND_ANNOTATION: EntryKind
ENTRY_KIND_FEEDBACK: EntryKind
ENTRY_KIND_MESSAGE: EntryKind
DISCLOSURE_CLASS_UNSPECIFIED: DisclosureClass
DISCLOSURE_CLASS_A: DisclosureClass
DISCLOSURE_CLASS_B: DisclosureClass
DISCLOSURE_CLASS_C: DisclosureClass
PRIORITY_UNSPECIFIED: Priority
PRIORITY_CONTROL: Priority
PRIORITY_BULK: Priority
RECORD_OUTCOME_UNSPECIFIED: RecordOutcome
RECORD_OUTCOME_APPLIED: RecordOutcome
RECORD_OUTCOME_DUPLICATE: RecordOutcome
RECORD_OUTCOME_SUPERSEDED: RecordOutcome
RECORD_OUTCOME_REJECTED: RecordOutcome
RECORD_OUTCOME_DEFERRED: RecordOutcome
RECORD_OUTCOME_ERASED: RecordOutcome

class AudienceTerm(_message.Message):
    __slots__ = ("node_ids", "level", "parent", "region", "everyone")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    level: str
    parent: str
    region: str
    everyone: bool
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., level: _Optional[str] = ..., parent: _Optional[str] = ..., region: _Optional[str] = ..., everyone: _Optional[bool] = ...) -> None: ...

class Audience(_message.Message):
    __slots__ = ("terms",)
    TERMS_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedCompositeFieldContainer[AudienceTerm]
    def __init__(self, terms: _Optional[_Iterable[_Union[AudienceTerm, _Mapping]]] = ...) -> None: ...

class CutReference(_message.Message):
    __slots__ = ("epoch", "size", "root")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    size: int
    root: bytes
    def __init__(self, epoch: _Optional[int] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("title", "item", "audience", "disclosure", "priority", "staleness_limit_s", "resumes", "list")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STALENESS_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    RESUMES_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    title: str
    item: str
    audience: Audience
    disclosure: DisclosureClass
    priority: Priority
    staleness_limit_s: int
    resumes: CutReference
    list: _listing_pb2.ListType
    def __init__(self, title: _Optional[str] = ..., item: _Optional[str] = ..., audience: _Optional[_Union[Audience, _Mapping]] = ..., disclosure: _Optional[_Union[DisclosureClass, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., staleness_limit_s: _Optional[int] = ..., resumes: _Optional[_Union[CutReference, _Mapping]] = ..., list: _Optional[_Union[_listing_pb2.ListType, _Mapping]] = ...) -> None: ...

class EntryHeader(_message.Message):
    __slots__ = ("network", "channel", "epoch", "index", "prev_root", "kind", "record_count", "records_root", "uncompressed_bytes_max", "catalogue_version", "rules_version", "state_digest", "issued_at_unix_ms", "manifest")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PREV_ROOT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECORDS_ROOT_FIELD_NUMBER: _ClassVar[int]
    UNCOMPRESSED_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    network: str
    channel: str
    epoch: int
    index: int
    prev_root: bytes
    kind: EntryKind
    record_count: int
    records_root: bytes
    uncompressed_bytes_max: int
    catalogue_version: str
    rules_version: str
    state_digest: bytes
    issued_at_unix_ms: int
    manifest: Manifest
    def __init__(self, network: _Optional[str] = ..., channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., prev_root: _Optional[bytes] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., record_count: _Optional[int] = ..., records_root: _Optional[bytes] = ..., uncompressed_bytes_max: _Optional[int] = ..., catalogue_version: _Optional[str] = ..., rules_version: _Optional[str] = ..., state_digest: _Optional[bytes] = ..., issued_at_unix_ms: _Optional[int] = ..., manifest: _Optional[_Union[Manifest, _Mapping]] = ...) -> None: ...

class Slot(_message.Message):
    __slots__ = ("salt", "record", "commitment")
    SALT_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    record: bytes
    commitment: bytes
    def __init__(self, salt: _Optional[bytes] = ..., record: _Optional[bytes] = ..., commitment: _Optional[bytes] = ...) -> None: ...

class EntryBody(_message.Message):
    __slots__ = ("slots",)
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[Slot]
    def __init__(self, slots: _Optional[_Iterable[_Union[Slot, _Mapping]]] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("channel", "epoch", "size", "root")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    size: int
    root: bytes
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("network", "node", "time_unix_ms", "head_count", "heads_root")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    HEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEADS_ROOT_FIELD_NUMBER: _ClassVar[int]
    network: str
    node: str
    time_unix_ms: int
    head_count: int
    heads_root: bytes
    def __init__(self, network: _Optional[str] = ..., node: _Optional[str] = ..., time_unix_ms: _Optional[int] = ..., head_count: _Optional[int] = ..., heads_root: _Optional[bytes] = ...) -> None: ...

class PositionedHead(_message.Message):
    __slots__ = ("position", "head")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    position: int
    head: Head
    def __init__(self, position: _Optional[int] = ..., head: _Optional[_Union[Head, _Mapping]] = ...) -> None: ...

class HeartbeatView(_message.Message):
    __slots__ = ("heartbeat", "heads", "hashes")
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    heartbeat: _envelope_pb2.Envelope
    heads: _containers.RepeatedCompositeFieldContainer[PositionedHead]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, heartbeat: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., heads: _Optional[_Iterable[_Union[PositionedHead, _Mapping]]] = ..., hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OutcomeCount(_message.Message):
    __slots__ = ("outcome", "code", "count")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    outcome: RecordOutcome
    code: str
    count: int
    def __init__(self, outcome: _Optional[_Union[RecordOutcome, str]] = ..., code: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("network", "subscriber", "channel", "epoch", "size", "root", "applied_size", "state_digest", "withheld", "outcomes", "observed_at_unix_ms")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    APPLIED_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    network: str
    subscriber: str
    channel: str
    epoch: int
    size: int
    root: bytes
    applied_size: int
    state_digest: bytes
    withheld: _containers.RepeatedScalarFieldContainer[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[OutcomeCount]
    observed_at_unix_ms: int
    def __init__(self, network: _Optional[str] = ..., subscriber: _Optional[str] = ..., channel: _Optional[str] = ..., epoch: _Optional[int] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., applied_size: _Optional[int] = ..., state_digest: _Optional[bytes] = ..., withheld: _Optional[_Iterable[int]] = ..., outcomes: _Optional[_Iterable[_Union[OutcomeCount, _Mapping]]] = ..., observed_at_unix_ms: _Optional[int] = ...) -> None: ...

class Equivocation(_message.Message):
    __slots__ = ("first", "second", "frontier")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    FRONTIER_FIELD_NUMBER: _ClassVar[int]
    first: _envelope_pb2.Envelope
    second: _envelope_pb2.Envelope
    frontier: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, first: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., second: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., frontier: _Optional[_Iterable[bytes]] = ...) -> None: ...
