from node.pb import admin_service_pb2 as _admin_service_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListOfficersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OfficerLine(_message.Message):
    __slots__ = ("name", "state", "suite", "key_id", "added_at_unix_ms", "added_by", "disabled_at_unix_ms", "disabled_by", "disabled_because")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    ADDED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    ADDED_BY_FIELD_NUMBER: _ClassVar[int]
    DISABLED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DISABLED_BY_FIELD_NUMBER: _ClassVar[int]
    DISABLED_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    suite: str
    key_id: str
    added_at_unix_ms: int
    added_by: _containers.RepeatedScalarFieldContainer[str]
    disabled_at_unix_ms: int
    disabled_by: _containers.RepeatedScalarFieldContainer[str]
    disabled_because: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., suite: _Optional[str] = ..., key_id: _Optional[str] = ..., added_at_unix_ms: _Optional[int] = ..., added_by: _Optional[_Iterable[str]] = ..., disabled_at_unix_ms: _Optional[int] = ..., disabled_by: _Optional[_Iterable[str]] = ..., disabled_because: _Optional[str] = ...) -> None: ...

class ListOfficersResponse(_message.Message):
    __slots__ = ("officers", "network", "node", "time_unix_ms")
    OFFICERS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    officers: _containers.RepeatedCompositeFieldContainer[OfficerLine]
    network: str
    node: str
    time_unix_ms: int
    def __init__(self, officers: _Optional[_Iterable[_Union[OfficerLine, _Mapping]]] = ..., network: _Optional[str] = ..., node: _Optional[str] = ..., time_unix_ms: _Optional[int] = ...) -> None: ...

class SubmitStatementRequest(_message.Message):
    __slots__ = ("statement", "content")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    statement: _envelope_pb2.Envelope
    content: bytes
    def __init__(self, statement: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class SubmitStatementResponse(_message.Message):
    __slots__ = ("sequence", "state", "fault")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    state: str
    fault: _envelope_pb2.Refusal
    def __init__(self, sequence: _Optional[int] = ..., state: _Optional[str] = ..., fault: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ...) -> None: ...

class ListHoldsRequest(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class HoldReason(_message.Message):
    __slots__ = ("column", "why")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    column: str
    why: _envelope_pb2.Refusal
    def __init__(self, column: _Optional[str] = ..., why: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ...) -> None: ...

class HoldSignature(_message.Message):
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

class HoldLine(_message.Message):
    __slots__ = ("id", "channel", "state", "reasons", "source", "row", "held_at_unix_ms", "until_unix_ms", "signatures", "proposed", "fault")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    HELD_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    id: str
    channel: str
    state: str
    reasons: _containers.RepeatedCompositeFieldContainer[HoldReason]
    source: str
    row: int
    held_at_unix_ms: int
    until_unix_ms: int
    signatures: _containers.RepeatedCompositeFieldContainer[HoldSignature]
    proposed: str
    fault: _envelope_pb2.Refusal
    def __init__(self, id: _Optional[str] = ..., channel: _Optional[str] = ..., state: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[HoldReason, _Mapping]]] = ..., source: _Optional[str] = ..., row: _Optional[int] = ..., held_at_unix_ms: _Optional[int] = ..., until_unix_ms: _Optional[int] = ..., signatures: _Optional[_Iterable[_Union[HoldSignature, _Mapping]]] = ..., proposed: _Optional[str] = ..., fault: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ...) -> None: ...

class ListHoldsResponse(_message.Message):
    __slots__ = ("holds",)
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[HoldLine]
    def __init__(self, holds: _Optional[_Iterable[_Union[HoldLine, _Mapping]]] = ...) -> None: ...

class GetHoldRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetHoldResponse(_message.Message):
    __slots__ = ("hold", "values", "record", "salt", "rules_version", "item")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    hold: HoldLine
    values: _containers.RepeatedCompositeFieldContainer[_admin_service_pb2.ColumnValue]
    record: bytes
    salt: bytes
    rules_version: str
    item: str
    def __init__(self, hold: _Optional[_Union[HoldLine, _Mapping]] = ..., values: _Optional[_Iterable[_Union[_admin_service_pb2.ColumnValue, _Mapping]]] = ..., record: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., rules_version: _Optional[str] = ..., item: _Optional[str] = ...) -> None: ...
