from node.pb import channel_pb2 as _channel_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import record_pb2 as _record_pb2
from node.pb import registry_pb2 as _registry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DutyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DUTY_STATE_UNSPECIFIED: _ClassVar[DutyState]
    DUTY_STATE_READY: _ClassVar[DutyState]
    DUTY_STATE_DEGRADED: _ClassVar[DutyState]
    DUTY_STATE_BLOCKED: _ClassVar[DutyState]

class FindingSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINDING_SEVERITY_UNSPECIFIED: _ClassVar[FindingSeverity]
    FINDING_SEVERITY_OK: _ClassVar[FindingSeverity]
    FINDING_SEVERITY_WARNING: _ClassVar[FindingSeverity]
    FINDING_SEVERITY_FAILING: _ClassVar[FindingSeverity]
DUTY_STATE_UNSPECIFIED: DutyState
DUTY_STATE_READY: DutyState
DUTY_STATE_DEGRADED: DutyState
DUTY_STATE_BLOCKED: DutyState
FINDING_SEVERITY_UNSPECIFIED: FindingSeverity
FINDING_SEVERITY_OK: FindingSeverity
FINDING_SEVERITY_WARNING: FindingSeverity
FINDING_SEVERITY_FAILING: FindingSeverity

class Duty(_message.Message):
    __slots__ = ("name", "state", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: DutyState
    reason: _envelope_pb2.Refusal
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[DutyState, str]] = ..., reason: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("what", "first_seen_unix_ms", "last_seen_unix_ms", "count")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    what: _envelope_pb2.Refusal
    first_seen_unix_ms: int
    last_seen_unix_ms: int
    count: int
    def __init__(self, what: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., first_seen_unix_ms: _Optional[int] = ..., last_seen_unix_ms: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("network", "node", "name", "fingerprint", "membership", "registry_stage", "registry", "registry_expires_unix_ms", "duties", "alarms", "channels", "records", "software_version", "time_unix_ms", "waiting_for", "working_days_known_until", "calendar", "held_rows", "list_changes")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_STAGE_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_EXPIRES_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    WORKING_DAYS_KNOWN_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    HELD_ROWS_FIELD_NUMBER: _ClassVar[int]
    LIST_CHANGES_FIELD_NUMBER: _ClassVar[int]
    network: str
    node: str
    name: str
    fingerprint: str
    membership: str
    registry_stage: str
    registry: _registry_pb2.RegistryVersions
    registry_expires_unix_ms: int
    duties: _containers.RepeatedCompositeFieldContainer[Duty]
    alarms: _containers.RepeatedCompositeFieldContainer[Alarm]
    channels: int
    records: int
    software_version: str
    time_unix_ms: int
    waiting_for: str
    working_days_known_until: str
    calendar: _envelope_pb2.Refusal
    held_rows: int
    list_changes: int
    def __init__(self, network: _Optional[str] = ..., node: _Optional[str] = ..., name: _Optional[str] = ..., fingerprint: _Optional[str] = ..., membership: _Optional[str] = ..., registry_stage: _Optional[str] = ..., registry: _Optional[_Union[_registry_pb2.RegistryVersions, _Mapping]] = ..., registry_expires_unix_ms: _Optional[int] = ..., duties: _Optional[_Iterable[_Union[Duty, _Mapping]]] = ..., alarms: _Optional[_Iterable[_Union[Alarm, _Mapping]]] = ..., channels: _Optional[int] = ..., records: _Optional[int] = ..., software_version: _Optional[str] = ..., time_unix_ms: _Optional[int] = ..., waiting_for: _Optional[str] = ..., working_days_known_until: _Optional[str] = ..., calendar: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., held_rows: _Optional[int] = ..., list_changes: _Optional[int] = ...) -> None: ...

class ListPeersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Peer(_message.Message):
    __slots__ = ("node", "name", "level", "membership", "linked", "exchange_endpoint", "last_success_unix_ms", "retry_at_unix_ms", "failure", "clock_skew_ms", "shared_channels")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    LINKED_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LAST_SUCCESS_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEW_MS_FIELD_NUMBER: _ClassVar[int]
    SHARED_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    node: str
    name: str
    level: str
    membership: str
    linked: bool
    exchange_endpoint: str
    last_success_unix_ms: int
    retry_at_unix_ms: int
    failure: _envelope_pb2.Refusal
    clock_skew_ms: int
    shared_channels: int
    def __init__(self, node: _Optional[str] = ..., name: _Optional[str] = ..., level: _Optional[str] = ..., membership: _Optional[str] = ..., linked: _Optional[bool] = ..., exchange_endpoint: _Optional[str] = ..., last_success_unix_ms: _Optional[int] = ..., retry_at_unix_ms: _Optional[int] = ..., failure: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., clock_skew_ms: _Optional[int] = ..., shared_channels: _Optional[int] = ...) -> None: ...

class ListPeersResponse(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    def __init__(self, peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ...) -> None: ...

class CreateChannelRequest(_message.Message):
    __slots__ = ("name", "item", "audience", "disclosure", "title", "staleness_limit_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STALENESS_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    item: str
    audience: _channel_pb2.Audience
    disclosure: _channel_pb2.DisclosureClass
    title: str
    staleness_limit_s: int
    def __init__(self, name: _Optional[str] = ..., item: _Optional[str] = ..., audience: _Optional[_Union[_channel_pb2.Audience, _Mapping]] = ..., disclosure: _Optional[_Union[_channel_pb2.DisclosureClass, str]] = ..., title: _Optional[str] = ..., staleness_limit_s: _Optional[int] = ...) -> None: ...

class CreateChannelResponse(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: ChannelSummary
    def __init__(self, channel: _Optional[_Union[ChannelSummary, _Mapping]] = ...) -> None: ...

class SetAudienceRequest(_message.Message):
    __slots__ = ("channel", "audience")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    channel: str
    audience: _channel_pb2.Audience
    def __init__(self, channel: _Optional[str] = ..., audience: _Optional[_Union[_channel_pb2.Audience, _Mapping]] = ...) -> None: ...

class SetAudienceResponse(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: ChannelSummary
    def __init__(self, channel: _Optional[_Union[ChannelSummary, _Mapping]] = ...) -> None: ...

class ListChannelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChannelSummary(_message.Message):
    __slots__ = ("head", "applied_size", "manifest", "records", "state", "fresh_at_unix_ms", "audience_nodes", "outcomes", "missing_bodies", "cut")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    APPLIED_SIZE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FRESH_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_NODES_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    MISSING_BODIES_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    head: _channel_pb2.Head
    applied_size: int
    manifest: _channel_pb2.Manifest
    records: int
    state: str
    fresh_at_unix_ms: int
    audience_nodes: _containers.RepeatedScalarFieldContainer[str]
    outcomes: _containers.RepeatedCompositeFieldContainer[_channel_pb2.OutcomeCount]
    missing_bodies: int
    cut: _channel_pb2.CutReference
    def __init__(self, head: _Optional[_Union[_channel_pb2.Head, _Mapping]] = ..., applied_size: _Optional[int] = ..., manifest: _Optional[_Union[_channel_pb2.Manifest, _Mapping]] = ..., records: _Optional[int] = ..., state: _Optional[str] = ..., fresh_at_unix_ms: _Optional[int] = ..., audience_nodes: _Optional[_Iterable[str]] = ..., outcomes: _Optional[_Iterable[_Union[_channel_pb2.OutcomeCount, _Mapping]]] = ..., missing_bodies: _Optional[int] = ..., cut: _Optional[_Union[_channel_pb2.CutReference, _Mapping]] = ...) -> None: ...

class ListChannelsResponse(_message.Message):
    __slots__ = ("channels",)
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelSummary]
    def __init__(self, channels: _Optional[_Iterable[_Union[ChannelSummary, _Mapping]]] = ...) -> None: ...

class GetChannelRequest(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: str
    def __init__(self, channel: _Optional[str] = ...) -> None: ...

class DeliveryLine(_message.Message):
    __slots__ = ("node", "size", "applied_size", "observed_at_unix_ms", "outcomes", "withheld")
    NODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_SIZE_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    node: str
    size: int
    applied_size: int
    observed_at_unix_ms: int
    outcomes: _containers.RepeatedCompositeFieldContainer[_channel_pb2.OutcomeCount]
    withheld: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, node: _Optional[str] = ..., size: _Optional[int] = ..., applied_size: _Optional[int] = ..., observed_at_unix_ms: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[_channel_pb2.OutcomeCount, _Mapping]]] = ..., withheld: _Optional[_Iterable[int]] = ...) -> None: ...

class GetChannelResponse(_message.Message):
    __slots__ = ("channel", "deliveries")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    channel: ChannelSummary
    deliveries: _containers.RepeatedCompositeFieldContainer[DeliveryLine]
    def __init__(self, channel: _Optional[_Union[ChannelSummary, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[DeliveryLine, _Mapping]]] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("channel", "file_name", "data", "file_bytes", "declared", "check", "files_left")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    FILE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    FILES_LEFT_FIELD_NUMBER: _ClassVar[int]
    channel: str
    file_name: str
    data: bytes
    file_bytes: int
    declared: _containers.RepeatedScalarFieldContainer[str]
    check: str
    files_left: int
    def __init__(self, channel: _Optional[str] = ..., file_name: _Optional[str] = ..., data: _Optional[bytes] = ..., file_bytes: _Optional[int] = ..., declared: _Optional[_Iterable[str]] = ..., check: _Optional[str] = ..., files_left: _Optional[int] = ...) -> None: ...

class Revision(_message.Message):
    __slots__ = ("row", "cell", "columns")
    ROW_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    row: int
    cell: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, row: _Optional[int] = ..., cell: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ...) -> None: ...

class RowOutcome(_message.Message):
    __slots__ = ("row", "column", "reason", "message", "remedy", "values", "cell", "defects", "columns", "cells")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ROW_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    row: int
    column: str
    reason: _envelope_pb2.Refusal
    message: str
    remedy: str
    values: _containers.ScalarMap[str, str]
    cell: str
    defects: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Refusal]
    columns: _containers.RepeatedScalarFieldContainer[str]
    cells: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, row: _Optional[int] = ..., column: _Optional[str] = ..., reason: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ..., cell: _Optional[str] = ..., defects: _Optional[_Iterable[_Union[_envelope_pb2.Refusal, _Mapping]]] = ..., columns: _Optional[_Iterable[str]] = ..., cells: _Optional[_Iterable[str]] = ...) -> None: ...

class PublishCounts(_message.Message):
    __slots__ = ("rows", "accepted", "revised", "duplicate", "rejected", "held")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REVISED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    rows: int
    accepted: int
    revised: int
    duplicate: int
    rejected: int
    held: int
    def __init__(self, rows: _Optional[int] = ..., accepted: _Optional[int] = ..., revised: _Optional[int] = ..., duplicate: _Optional[int] = ..., rejected: _Optional[int] = ..., held: _Optional[int] = ...) -> None: ...

class HeldRow(_message.Message):
    __slots__ = ("row", "cell", "hold", "reasons")
    ROW_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    row: int
    cell: str
    hold: str
    reasons: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Refusal]
    def __init__(self, row: _Optional[int] = ..., cell: _Optional[str] = ..., hold: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[_envelope_pb2.Refusal, _Mapping]]] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("counts", "rejected", "read_bytes", "done", "head", "columns", "notes", "revisions", "held")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    counts: PublishCounts
    rejected: _containers.RepeatedCompositeFieldContainer[RowOutcome]
    read_bytes: int
    done: bool
    head: _channel_pb2.Head
    columns: _containers.RepeatedScalarFieldContainer[str]
    notes: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Refusal]
    revisions: _containers.RepeatedCompositeFieldContainer[Revision]
    held: _containers.RepeatedCompositeFieldContainer[HeldRow]
    def __init__(self, counts: _Optional[_Union[PublishCounts, _Mapping]] = ..., rejected: _Optional[_Iterable[_Union[RowOutcome, _Mapping]]] = ..., read_bytes: _Optional[int] = ..., done: _Optional[bool] = ..., head: _Optional[_Union[_channel_pb2.Head, _Mapping]] = ..., columns: _Optional[_Iterable[str]] = ..., notes: _Optional[_Iterable[_Union[_envelope_pb2.Refusal, _Mapping]]] = ..., revisions: _Optional[_Iterable[_Union[Revision, _Mapping]]] = ..., held: _Optional[_Iterable[_Union[HeldRow, _Mapping]]] = ...) -> None: ...

class GetCatalogueRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class GetCatalogueResponse(_message.Message):
    __slots__ = ("version", "edition", "known_versions", "version_in_force")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EDITION_FIELD_NUMBER: _ClassVar[int]
    KNOWN_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    version: str
    edition: bytes
    known_versions: _containers.RepeatedScalarFieldContainer[str]
    version_in_force: str
    def __init__(self, version: _Optional[str] = ..., edition: _Optional[bytes] = ..., known_versions: _Optional[_Iterable[str]] = ..., version_in_force: _Optional[str] = ...) -> None: ...

class ListRecordsRequest(_message.Message):
    __slots__ = ("subject", "channel", "limit", "all")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    subject: str
    channel: str
    limit: int
    all: bool
    def __init__(self, subject: _Optional[str] = ..., channel: _Optional[str] = ..., limit: _Optional[int] = ..., all: _Optional[bool] = ...) -> None: ...

class RecordAct(_message.Message):
    __slots__ = ("kind", "decision", "reason", "at_unix_ms", "operation", "replacement")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    kind: _record_pb2.StatusKind
    decision: str
    reason: str
    at_unix_ms: int
    operation: _record_pb2.RecordRef
    replacement: _record_pb2.RecordRef
    def __init__(self, kind: _Optional[_Union[_record_pb2.StatusKind, str]] = ..., decision: _Optional[str] = ..., reason: _Optional[str] = ..., at_unix_ms: _Optional[int] = ..., operation: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., replacement: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ...) -> None: ...

class HeldRecord(_message.Message):
    __slots__ = ("ref", "record", "issued_at_unix_ms", "received_at_unix_ms", "fresh_at_unix_ms", "values", "state", "acts")
    REF_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    FRESH_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    record: _record_pb2.Record
    issued_at_unix_ms: int
    received_at_unix_ms: int
    fresh_at_unix_ms: int
    values: _containers.RepeatedCompositeFieldContainer[ColumnValue]
    state: str
    acts: _containers.RepeatedCompositeFieldContainer[RecordAct]
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., record: _Optional[_Union[_record_pb2.Record, _Mapping]] = ..., issued_at_unix_ms: _Optional[int] = ..., received_at_unix_ms: _Optional[int] = ..., fresh_at_unix_ms: _Optional[int] = ..., values: _Optional[_Iterable[_Union[ColumnValue, _Mapping]]] = ..., state: _Optional[str] = ..., acts: _Optional[_Iterable[_Union[RecordAct, _Mapping]]] = ...) -> None: ...

class ColumnValue(_message.Message):
    __slots__ = ("column", "text")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    column: str
    text: str
    def __init__(self, column: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ListRecordsResponse(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[HeldRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[HeldRecord, _Mapping]]] = ...) -> None: ...

class GetQualityRequest(_message.Message):
    __slots__ = ("channel", "month")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    channel: str
    month: str
    def __init__(self, channel: _Optional[str] = ..., month: _Optional[str] = ...) -> None: ...

class QualityFigure(_message.Message):
    __slots__ = ("name", "good", "total")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GOOD_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    good: int
    total: int
    def __init__(self, name: _Optional[str] = ..., good: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class FieldFill(_message.Message):
    __slots__ = ("code", "title_zh", "title_en", "filled", "applicable")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    APPLICABLE_FIELD_NUMBER: _ClassVar[int]
    code: str
    title_zh: str
    title_en: str
    filled: int
    applicable: int
    def __init__(self, code: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., filled: _Optional[int] = ..., applicable: _Optional[int] = ...) -> None: ...

class CodeCount(_message.Message):
    __slots__ = ("code", "count")
    CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    code: str
    count: int
    def __init__(self, code: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class DayCount(_message.Message):
    __slots__ = ("days", "count")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    days: int
    count: int
    def __init__(self, days: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class GetQualityResponse(_message.Message):
    __slots__ = ("channel", "month", "item", "months", "figures", "records", "unreadable", "fields", "defects", "days", "duty_days", "late", "provisional", "rows_offered", "rows_rejected", "rows_flagged", "revised", "erased", "counted", "entries")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    MONTHS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    DUTY_DAYS_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_OFFERED_FIELD_NUMBER: _ClassVar[int]
    ROWS_REJECTED_FIELD_NUMBER: _ClassVar[int]
    ROWS_FLAGGED_FIELD_NUMBER: _ClassVar[int]
    REVISED_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    channel: str
    month: str
    item: str
    months: _containers.RepeatedScalarFieldContainer[str]
    figures: _containers.RepeatedCompositeFieldContainer[QualityFigure]
    records: int
    unreadable: int
    fields: _containers.RepeatedCompositeFieldContainer[FieldFill]
    defects: _containers.RepeatedCompositeFieldContainer[CodeCount]
    days: _containers.RepeatedCompositeFieldContainer[DayCount]
    duty_days: int
    late: int
    provisional: int
    rows_offered: int
    rows_rejected: int
    rows_flagged: int
    revised: int
    erased: int
    counted: int
    entries: int
    def __init__(self, channel: _Optional[str] = ..., month: _Optional[str] = ..., item: _Optional[str] = ..., months: _Optional[_Iterable[str]] = ..., figures: _Optional[_Iterable[_Union[QualityFigure, _Mapping]]] = ..., records: _Optional[int] = ..., unreadable: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[FieldFill, _Mapping]]] = ..., defects: _Optional[_Iterable[_Union[CodeCount, _Mapping]]] = ..., days: _Optional[_Iterable[_Union[DayCount, _Mapping]]] = ..., duty_days: _Optional[int] = ..., late: _Optional[int] = ..., provisional: _Optional[int] = ..., rows_offered: _Optional[int] = ..., rows_rejected: _Optional[int] = ..., rows_flagged: _Optional[int] = ..., revised: _Optional[int] = ..., erased: _Optional[int] = ..., counted: _Optional[int] = ..., entries: _Optional[int] = ...) -> None: ...

class ListRulesRequest(_message.Message):
    __slots__ = ("rule", "version")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    rule: str
    version: str
    def __init__(self, rule: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Provision(_message.Message):
    __slots__ = ("predicate", "effect", "jurisdictions", "valid_from", "valid_to", "articles", "items", "subjects", "disclosure", "parameters_json", "holds_here")
    PREDICATE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    JURISDICTIONS_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    ARTICLES_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_JSON_FIELD_NUMBER: _ClassVar[int]
    HOLDS_HERE_FIELD_NUMBER: _ClassVar[int]
    predicate: str
    effect: str
    jurisdictions: _containers.RepeatedScalarFieldContainer[str]
    valid_from: str
    valid_to: str
    articles: _containers.RepeatedScalarFieldContainer[str]
    items: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    disclosure: _containers.RepeatedScalarFieldContainer[str]
    parameters_json: str
    holds_here: bool
    def __init__(self, predicate: _Optional[str] = ..., effect: _Optional[str] = ..., jurisdictions: _Optional[_Iterable[str]] = ..., valid_from: _Optional[str] = ..., valid_to: _Optional[str] = ..., articles: _Optional[_Iterable[str]] = ..., items: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., disclosure: _Optional[_Iterable[str]] = ..., parameters_json: _Optional[str] = ..., holds_here: _Optional[bool] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("id", "title_zh", "title_en", "elsewhere", "provisions", "articles")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    PROVISIONS_FIELD_NUMBER: _ClassVar[int]
    ARTICLES_FIELD_NUMBER: _ClassVar[int]
    id: str
    title_zh: str
    title_en: str
    elsewhere: str
    provisions: _containers.RepeatedCompositeFieldContainer[Provision]
    articles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., elsewhere: _Optional[str] = ..., provisions: _Optional[_Iterable[_Union[Provision, _Mapping]]] = ..., articles: _Optional[_Iterable[str]] = ...) -> None: ...

class ListRulesResponse(_message.Message):
    __slots__ = ("version", "in_force_from", "known_versions", "as_of", "division", "rules")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FROM_FIELD_NUMBER: _ClassVar[int]
    KNOWN_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    DIVISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    version: str
    in_force_from: str
    known_versions: _containers.RepeatedScalarFieldContainer[str]
    as_of: str
    division: str
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    def __init__(self, version: _Optional[str] = ..., in_force_from: _Optional[str] = ..., known_versions: _Optional[_Iterable[str]] = ..., as_of: _Optional[str] = ..., division: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ...) -> None: ...

class ExplainRecordRequest(_message.Message):
    __slots__ = ("ref", "version")
    REF_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    version: str
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., version: _Optional[str] = ...) -> None: ...

class AppliedRule(_message.Message):
    __slots__ = ("rule", "title_zh", "title_en", "predicate", "effect", "of_origin", "of_receiver", "article", "verdict", "reviewed")
    RULE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    PREDICATE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    OF_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    OF_RECEIVER_FIELD_NUMBER: _ClassVar[int]
    ARTICLE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_FIELD_NUMBER: _ClassVar[int]
    rule: str
    title_zh: str
    title_en: str
    predicate: str
    effect: str
    of_origin: bool
    of_receiver: bool
    article: str
    verdict: _envelope_pb2.Refusal
    reviewed: str
    def __init__(self, rule: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., predicate: _Optional[str] = ..., effect: _Optional[str] = ..., of_origin: _Optional[bool] = ..., of_receiver: _Optional[bool] = ..., article: _Optional[str] = ..., verdict: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., reviewed: _Optional[str] = ...) -> None: ...

class DueDay(_message.Message):
    __slots__ = ("rule", "duty_zh", "duty_en", "start", "day", "provisional", "article")
    RULE_FIELD_NUMBER: _ClassVar[int]
    DUTY_ZH_FIELD_NUMBER: _ClassVar[int]
    DUTY_EN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    ARTICLE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    duty_zh: str
    duty_en: str
    start: str
    day: str
    provisional: bool
    article: str
    def __init__(self, rule: _Optional[str] = ..., duty_zh: _Optional[str] = ..., duty_en: _Optional[str] = ..., start: _Optional[str] = ..., day: _Optional[str] = ..., provisional: _Optional[bool] = ..., article: _Optional[str] = ...) -> None: ...

class ExplainRecordResponse(_message.Message):
    __slots__ = ("ref", "item", "disclosure", "as_of", "entry_version", "version", "origin_division", "division", "rules", "due")
    REF_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    ENTRY_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_DIVISION_FIELD_NUMBER: _ClassVar[int]
    DIVISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    item: str
    disclosure: str
    as_of: str
    entry_version: str
    version: str
    origin_division: str
    division: str
    rules: _containers.RepeatedCompositeFieldContainer[AppliedRule]
    due: _containers.RepeatedCompositeFieldContainer[DueDay]
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., item: _Optional[str] = ..., disclosure: _Optional[str] = ..., as_of: _Optional[str] = ..., entry_version: _Optional[str] = ..., version: _Optional[str] = ..., origin_division: _Optional[str] = ..., division: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[AppliedRule, _Mapping]]] = ..., due: _Optional[_Iterable[_Union[DueDay, _Mapping]]] = ...) -> None: ...

class EraseRecordRequest(_message.Message):
    __slots__ = ("ref", "decision", "reason")
    REF_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    decision: str
    reason: str
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., decision: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class EraseRecordResponse(_message.Message):
    __slots__ = ("head",)
    HEAD_FIELD_NUMBER: _ClassVar[int]
    head: _channel_pb2.Head
    def __init__(self, head: _Optional[_Union[_channel_pb2.Head, _Mapping]] = ...) -> None: ...

class ActOnRecordRequest(_message.Message):
    __slots__ = ("ref", "kind", "decision", "reason", "values")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    kind: _record_pb2.StatusKind
    decision: str
    reason: str
    values: _containers.ScalarMap[str, str]
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., kind: _Optional[_Union[_record_pb2.StatusKind, str]] = ..., decision: _Optional[str] = ..., reason: _Optional[str] = ..., values: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ActOnRecordResponse(_message.Message):
    __slots__ = ("head", "is_written", "replacement")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    IS_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    head: _channel_pb2.Head
    is_written: bool
    replacement: _record_pb2.RecordRef
    def __init__(self, head: _Optional[_Union[_channel_pb2.Head, _Mapping]] = ..., is_written: _Optional[bool] = ..., replacement: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ...) -> None: ...

class ProveRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: _record_pb2.RecordRef
    def __init__(self, ref: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ...) -> None: ...

class ProveResponse(_message.Message):
    __slots__ = ("bundle",)
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    bundle: bytes
    def __init__(self, bundle: _Optional[bytes] = ...) -> None: ...

class ListKeysRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeyLine(_message.Message):
    __slots__ = ("kind", "key_id", "suite", "state", "not_before_unix_ms", "not_after_unix_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    key_id: str
    suite: str
    state: str
    not_before_unix_ms: int
    not_after_unix_ms: int
    def __init__(self, kind: _Optional[str] = ..., key_id: _Optional[str] = ..., suite: _Optional[str] = ..., state: _Optional[str] = ..., not_before_unix_ms: _Optional[int] = ..., not_after_unix_ms: _Optional[int] = ...) -> None: ...

class ListKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[KeyLine]
    def __init__(self, keys: _Optional[_Iterable[_Union[KeyLine, _Mapping]]] = ...) -> None: ...

class RotateKeyRequest(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...

class RotateKeyResponse(_message.Message):
    __slots__ = ("keys", "fingerprint", "waiting_for")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[KeyLine]
    fingerprint: str
    waiting_for: str
    def __init__(self, keys: _Optional[_Iterable[_Union[KeyLine, _Mapping]]] = ..., fingerprint: _Optional[str] = ..., waiting_for: _Optional[str] = ...) -> None: ...

class DiagnoseRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: str
    def __init__(self, peer: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("check", "subject", "severity", "what", "figures")
    class FiguresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CHECK_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    check: str
    subject: str
    severity: FindingSeverity
    what: _envelope_pb2.Refusal
    figures: _containers.ScalarMap[str, str]
    def __init__(self, check: _Optional[str] = ..., subject: _Optional[str] = ..., severity: _Optional[_Union[FindingSeverity, str]] = ..., what: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., figures: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DiagnoseResponse(_message.Message):
    __slots__ = ("finding",)
    FINDING_FIELD_NUMBER: _ClassVar[int]
    finding: Finding
    def __init__(self, finding: _Optional[_Union[Finding, _Mapping]] = ...) -> None: ...

class ForecastRequest(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: int
    def __init__(self, days: _Optional[int] = ...) -> None: ...

class Ending(_message.Message):
    __slots__ = ("what", "node", "subject", "ends_unix_ms", "why", "is_estimate")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ENDS_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    IS_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    what: str
    node: str
    subject: str
    ends_unix_ms: int
    why: _envelope_pb2.Refusal
    is_estimate: bool
    def __init__(self, what: _Optional[str] = ..., node: _Optional[str] = ..., subject: _Optional[str] = ..., ends_unix_ms: _Optional[int] = ..., why: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., is_estimate: _Optional[bool] = ...) -> None: ...

class ForecastResponse(_message.Message):
    __slots__ = ("endings", "time_unix_ms", "days")
    ENDINGS_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    endings: _containers.RepeatedCompositeFieldContainer[Ending]
    time_unix_ms: int
    days: int
    def __init__(self, endings: _Optional[_Iterable[_Union[Ending, _Mapping]]] = ..., time_unix_ms: _Optional[int] = ..., days: _Optional[int] = ...) -> None: ...

class ListMeasuresRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class Measure(_message.Message):
    __slots__ = ("code", "title_zh", "title_en", "kind", "basis", "article", "requires")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    ARTICLE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_FIELD_NUMBER: _ClassVar[int]
    code: str
    title_zh: str
    title_en: str
    kind: str
    basis: str
    article: str
    requires: str
    def __init__(self, code: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., kind: _Optional[str] = ..., basis: _Optional[str] = ..., article: _Optional[str] = ..., requires: _Optional[str] = ...) -> None: ...

class ListMeasuresResponse(_message.Message):
    __slots__ = ("version", "in_force_from", "version_in_force", "known_versions", "measures")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FROM_FIELD_NUMBER: _ClassVar[int]
    VERSION_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    version: str
    in_force_from: str
    version_in_force: str
    known_versions: _containers.RepeatedScalarFieldContainer[str]
    measures: _containers.RepeatedCompositeFieldContainer[Measure]
    def __init__(self, version: _Optional[str] = ..., in_force_from: _Optional[str] = ..., version_in_force: _Optional[str] = ..., known_versions: _Optional[_Iterable[str]] = ..., measures: _Optional[_Iterable[_Union[Measure, _Mapping]]] = ...) -> None: ...

class ListMattersRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class Matter(_message.Message):
    __slots__ = ("code", "title_zh", "title_en", "units", "items", "measures", "lists")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    code: str
    title_zh: str
    title_en: str
    units: _containers.RepeatedScalarFieldContainer[str]
    items: _containers.RepeatedScalarFieldContainer[str]
    measures: _containers.RepeatedScalarFieldContainer[str]
    lists: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., units: _Optional[_Iterable[str]] = ..., items: _Optional[_Iterable[str]] = ..., measures: _Optional[_Iterable[str]] = ..., lists: _Optional[_Iterable[str]] = ...) -> None: ...

class ListMattersResponse(_message.Message):
    __slots__ = ("version", "in_force_from", "version_in_force", "known_versions", "matters")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FROM_FIELD_NUMBER: _ClassVar[int]
    VERSION_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MATTERS_FIELD_NUMBER: _ClassVar[int]
    version: str
    in_force_from: str
    version_in_force: str
    known_versions: _containers.RepeatedScalarFieldContainer[str]
    matters: _containers.RepeatedCompositeFieldContainer[Matter]
    def __init__(self, version: _Optional[str] = ..., in_force_from: _Optional[str] = ..., version_in_force: _Optional[str] = ..., known_versions: _Optional[_Iterable[str]] = ..., matters: _Optional[_Iterable[_Union[Matter, _Mapping]]] = ...) -> None: ...

class ShutdownRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShutdownResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetProgressRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListDoubt(_message.Message):
    __slots__ = ("channel", "doubts")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    DOUBTS_FIELD_NUMBER: _ClassVar[int]
    channel: str
    doubts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, channel: _Optional[str] = ..., doubts: _Optional[_Iterable[str]] = ...) -> None: ...

class RestingLink(_message.Message):
    __slots__ = ("node", "failure", "retry_at_unix_ms")
    NODE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    node: str
    failure: _envelope_pb2.Refusal
    retry_at_unix_ms: int
    def __init__(self, node: _Optional[str] = ..., failure: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., retry_at_unix_ms: _Optional[int] = ...) -> None: ...

class LogProgress(_message.Message):
    __slots__ = ("channel", "epoch", "entries", "applied_entries", "announced_entries", "records", "removals_up_to", "source", "waits_for")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    APPLIED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    REMOVALS_UP_TO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    entries: int
    applied_entries: int
    announced_entries: int
    records: int
    removals_up_to: int
    source: str
    waits_for: str
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., entries: _Optional[int] = ..., applied_entries: _Optional[int] = ..., announced_entries: _Optional[int] = ..., records: _Optional[int] = ..., removals_up_to: _Optional[int] = ..., source: _Optional[str] = ..., waits_for: _Optional[str] = ...) -> None: ...

class GroupProgress(_message.Message):
    __slots__ = ("origin", "lane", "entries", "announced_entries", "records", "entries_per_s", "records_per_s", "bytes_per_s", "span_s", "least_seconds_left", "most_seconds_left", "logs")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_PER_S_FIELD_NUMBER: _ClassVar[int]
    RECORDS_PER_S_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    SPAN_S_FIELD_NUMBER: _ClassVar[int]
    LEAST_SECONDS_LEFT_FIELD_NUMBER: _ClassVar[int]
    MOST_SECONDS_LEFT_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    origin: str
    lane: str
    entries: int
    announced_entries: int
    records: int
    entries_per_s: float
    records_per_s: float
    bytes_per_s: float
    span_s: float
    least_seconds_left: int
    most_seconds_left: int
    logs: _containers.RepeatedCompositeFieldContainer[LogProgress]
    def __init__(self, origin: _Optional[str] = ..., lane: _Optional[str] = ..., entries: _Optional[int] = ..., announced_entries: _Optional[int] = ..., records: _Optional[int] = ..., entries_per_s: _Optional[float] = ..., records_per_s: _Optional[float] = ..., bytes_per_s: _Optional[float] = ..., span_s: _Optional[float] = ..., least_seconds_left: _Optional[int] = ..., most_seconds_left: _Optional[int] = ..., logs: _Optional[_Iterable[_Union[LogProgress, _Mapping]]] = ...) -> None: ...

class GetProgressResponse(_message.Message):
    __slots__ = ("time_unix_ms", "started_at_unix_ms", "useful_since_unix_ms", "is_useful", "compared_with", "lanes", "origins", "doubts", "resting", "received_bytes", "received_again_bytes", "received_entries", "received_again_entries")
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    USEFUL_SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    IS_USEFUL_FIELD_NUMBER: _ClassVar[int]
    COMPARED_WITH_FIELD_NUMBER: _ClassVar[int]
    LANES_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    DOUBTS_FIELD_NUMBER: _ClassVar[int]
    RESTING_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AGAIN_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AGAIN_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    time_unix_ms: int
    started_at_unix_ms: int
    useful_since_unix_ms: int
    is_useful: bool
    compared_with: _containers.RepeatedScalarFieldContainer[str]
    lanes: _containers.RepeatedCompositeFieldContainer[GroupProgress]
    origins: _containers.RepeatedCompositeFieldContainer[GroupProgress]
    doubts: _containers.RepeatedCompositeFieldContainer[ListDoubt]
    resting: _containers.RepeatedCompositeFieldContainer[RestingLink]
    received_bytes: int
    received_again_bytes: int
    received_entries: int
    received_again_entries: int
    def __init__(self, time_unix_ms: _Optional[int] = ..., started_at_unix_ms: _Optional[int] = ..., useful_since_unix_ms: _Optional[int] = ..., is_useful: _Optional[bool] = ..., compared_with: _Optional[_Iterable[str]] = ..., lanes: _Optional[_Iterable[_Union[GroupProgress, _Mapping]]] = ..., origins: _Optional[_Iterable[_Union[GroupProgress, _Mapping]]] = ..., doubts: _Optional[_Iterable[_Union[ListDoubt, _Mapping]]] = ..., resting: _Optional[_Iterable[_Union[RestingLink, _Mapping]]] = ..., received_bytes: _Optional[int] = ..., received_again_bytes: _Optional[int] = ..., received_entries: _Optional[int] = ..., received_again_entries: _Optional[int] = ...) -> None: ...
