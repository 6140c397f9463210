from node.pb import channel_pb2 as _channel_pb2
from node.pb import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchDeliveryRequest(_message.Message):
    __slots__ = ("list", "entry", "watch", "listing")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    LISTING_FIELD_NUMBER: _ClassVar[int]
    list: str
    entry: _record_pb2.RecordRef
    watch: bool
    listing: bool
    def __init__(self, list: _Optional[str] = ..., entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., watch: _Optional[bool] = ..., listing: _Optional[bool] = ...) -> None: ...

class LedgerRow(_message.Message):
    __slots__ = ("node", "name", "state", "late", "reported", "counts", "reason", "detail", "since_unix_ms", "owed_since_unix_ms", "observed_at_unix_ms", "last_seen_unix_ms", "epoch", "size", "applied_size", "origin")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    REPORTED_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    OWED_SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_SIZE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    node: str
    name: str
    state: str
    late: bool
    reported: bool
    counts: bool
    reason: str
    detail: str
    since_unix_ms: int
    owed_since_unix_ms: int
    observed_at_unix_ms: int
    last_seen_unix_ms: int
    epoch: int
    size: int
    applied_size: int
    origin: bool
    def __init__(self, node: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[str] = ..., late: _Optional[bool] = ..., reported: _Optional[bool] = ..., counts: _Optional[bool] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., since_unix_ms: _Optional[int] = ..., owed_since_unix_ms: _Optional[int] = ..., observed_at_unix_ms: _Optional[int] = ..., last_seen_unix_ms: _Optional[int] = ..., epoch: _Optional[int] = ..., size: _Optional[int] = ..., applied_size: _Optional[int] = ..., origin: _Optional[bool] = ...) -> None: ...

class DeliveryLedger(_message.Message):
    __slots__ = ("channel", "epoch", "index", "kind", "issued_at_unix_ms", "void", "applied", "total", "missing", "rows", "removals", "time_unix_ms")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    VOID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    REMOVALS_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    index: int
    kind: _channel_pb2.EntryKind
    issued_at_unix_ms: int
    void: bool
    applied: int
    total: int
    missing: _containers.RepeatedScalarFieldContainer[str]
    rows: _containers.RepeatedCompositeFieldContainer[LedgerRow]
    removals: _containers.RepeatedCompositeFieldContainer[_record_pb2.RecordRef]
    time_unix_ms: int
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., kind: _Optional[_Union[_channel_pb2.EntryKind, str]] = ..., issued_at_unix_ms: _Optional[int] = ..., void: _Optional[bool] = ..., applied: _Optional[int] = ..., total: _Optional[int] = ..., missing: _Optional[_Iterable[str]] = ..., rows: _Optional[_Iterable[_Union[LedgerRow, _Mapping]]] = ..., removals: _Optional[_Iterable[_Union[_record_pb2.RecordRef, _Mapping]]] = ..., time_unix_ms: _Optional[int] = ...) -> None: ...

class WatchDeliveryResponse(_message.Message):
    __slots__ = ("ledger",)
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ledger: DeliveryLedger
    def __init__(self, ledger: _Optional[_Union[DeliveryLedger, _Mapping]] = ...) -> None: ...

class ReportDeliveryRequest(_message.Message):
    __slots__ = ("list", "entry", "listing")
    LIST_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    LISTING_FIELD_NUMBER: _ClassVar[int]
    list: str
    entry: _record_pb2.RecordRef
    listing: bool
    def __init__(self, list: _Optional[str] = ..., entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., listing: _Optional[bool] = ...) -> None: ...

class ReportDeliveryResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: bytes
    def __init__(self, report: _Optional[bytes] = ...) -> None: ...
