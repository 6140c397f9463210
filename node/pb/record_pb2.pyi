from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_KIND_UNSPECIFIED: _ClassVar[StatusKind]
    STATUS_KIND_ERASE: _ClassVar[StatusKind]
    STATUS_KIND_CORRECT: _ClassVar[StatusKind]
    STATUS_KIND_REPAIR: _ClassVar[StatusKind]
    STATUS_KIND_WITHDRAW: _ClassVar[StatusKind]
    STATUS_KIND_SUSPEND: _ClassVar[StatusKind]
    STATUS_KIND_RESUME: _ClassVar[StatusKind]
    STATUS_KIND_ERASE_ENTRY: _ClassVar[StatusKind]
    STATUS_KIND_REVIEW: _ClassVar[StatusKind]
STATUS_KIND_UNSPECIFIED: StatusKind
STATUS_KIND_ERASE: StatusKind
STATUS_KIND_CORRECT: StatusKind
STATUS_KIND_REPAIR: StatusKind
STATUS_KIND_WITHDRAW: StatusKind
STATUS_KIND_SUSPEND: StatusKind
STATUS_KIND_RESUME: StatusKind
STATUS_KIND_ERASE_ENTRY: StatusKind
STATUS_KIND_REVIEW: StatusKind

class Field(_message.Message):
    __slots__ = ("number", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    text: str
    def __init__(self, number: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("item", "fields")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    item: str
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, item: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...

class RecordParts(_message.Message):
    __slots__ = ("item", "fields")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    item: str
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, item: _Optional[str] = ..., fields: _Optional[_Iterable[bytes]] = ...) -> None: ...

class RecordRef(_message.Message):
    __slots__ = ("channel", "epoch", "index", "position")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    index: int
    position: int
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class StatusOp(_message.Message):
    __slots__ = ("kind", "target", "commitment", "effective_at_unix_ms", "particulars_slot", "replacement")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_SLOT_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    kind: StatusKind
    target: RecordRef
    commitment: bytes
    effective_at_unix_ms: int
    particulars_slot: int
    replacement: RecordRef
    def __init__(self, kind: _Optional[_Union[StatusKind, str]] = ..., target: _Optional[_Union[RecordRef, _Mapping]] = ..., commitment: _Optional[bytes] = ..., effective_at_unix_ms: _Optional[int] = ..., particulars_slot: _Optional[int] = ..., replacement: _Optional[_Union[RecordRef, _Mapping]] = ...) -> None: ...

class StatusParticulars(_message.Message):
    __slots__ = ("decision", "reason")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    decision: str
    reason: str
    def __init__(self, decision: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class StatusSlot(_message.Message):
    __slots__ = ("op", "particulars")
    OP_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_FIELD_NUMBER: _ClassVar[int]
    op: StatusOp
    particulars: StatusParticulars
    def __init__(self, op: _Optional[_Union[StatusOp, _Mapping]] = ..., particulars: _Optional[_Union[StatusParticulars, _Mapping]] = ...) -> None: ...
