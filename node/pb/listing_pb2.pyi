from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_KIND_UNSPECIFIED: _ClassVar[ListKind]
    LIST_KIND_SERIOUS: _ClassVar[ListKind]
    LIST_KIND_RED: _ClassVar[ListKind]
    LIST_KIND_WATCH: _ClassVar[ListKind]

class ListAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIST_ACT_UNSPECIFIED: _ClassVar[ListAct]
    LIST_ACT_ENTER: _ClassVar[ListAct]
    LIST_ACT_AMEND: _ClassVar[ListAct]
    LIST_ACT_SUSPEND: _ClassVar[ListAct]
    LIST_ACT_RESUME: _ClassVar[ListAct]
    LIST_ACT_EXIT: _ClassVar[ListAct]

class ExitGround(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_GROUND_UNSPECIFIED: _ClassVar[ExitGround]
    EXIT_GROUND_CONDITIONS_MET: _ClassVar[ExitGround]
    EXIT_GROUND_REPAIRED: _ClassVar[ExitGround]
    EXIT_GROUND_ANNULLED: _ClassVar[ExitGround]
LIST_KIND_UNSPECIFIED: ListKind
LIST_KIND_SERIOUS: ListKind
LIST_KIND_RED: ListKind
LIST_KIND_WATCH: ListKind
LIST_ACT_UNSPECIFIED: ListAct
LIST_ACT_ENTER: ListAct
LIST_ACT_AMEND: ListAct
LIST_ACT_SUSPEND: ListAct
LIST_ACT_RESUME: ListAct
LIST_ACT_EXIT: ListAct
EXIT_GROUND_UNSPECIFIED: ExitGround
EXIT_GROUND_CONDITIONS_MET: ExitGround
EXIT_GROUND_REPAIRED: ExitGround
EXIT_GROUND_ANNULLED: ExitGround

class LegalBasis(_message.Message):
    __slots__ = ("title", "article")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ARTICLE_FIELD_NUMBER: _ClassVar[int]
    title: str
    article: str
    def __init__(self, title: _Optional[str] = ..., article: _Optional[str] = ...) -> None: ...

class ListType(_message.Message):
    __slots__ = ("code", "title_zh", "title_en", "kind", "authority", "legal_basis", "entry_conditions", "exit_conditions", "remedy", "measures", "term_months")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    TERM_MONTHS_FIELD_NUMBER: _ClassVar[int]
    code: str
    title_zh: str
    title_en: str
    kind: ListKind
    authority: str
    legal_basis: _containers.RepeatedCompositeFieldContainer[LegalBasis]
    entry_conditions: str
    exit_conditions: str
    remedy: str
    measures: _containers.RepeatedScalarFieldContainer[str]
    term_months: int
    def __init__(self, code: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., kind: _Optional[_Union[ListKind, str]] = ..., authority: _Optional[str] = ..., legal_basis: _Optional[_Iterable[_Union[LegalBasis, _Mapping]]] = ..., entry_conditions: _Optional[str] = ..., exit_conditions: _Optional[str] = ..., remedy: _Optional[str] = ..., measures: _Optional[_Iterable[str]] = ..., term_months: _Optional[int] = ...) -> None: ...

class ListOp(_message.Message):
    __slots__ = ("act", "entry", "decided_on", "notice_served", "until", "measures", "ground", "particulars_slot")
    ACT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_ON_FIELD_NUMBER: _ClassVar[int]
    NOTICE_SERVED_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_SLOT_FIELD_NUMBER: _ClassVar[int]
    act: ListAct
    entry: _record_pb2.RecordRef
    decided_on: str
    notice_served: str
    until: str
    measures: _containers.RepeatedScalarFieldContainer[str]
    ground: ExitGround
    particulars_slot: int
    def __init__(self, act: _Optional[_Union[ListAct, str]] = ..., entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., decided_on: _Optional[str] = ..., notice_served: _Optional[str] = ..., until: _Optional[str] = ..., measures: _Optional[_Iterable[str]] = ..., ground: _Optional[_Union[ExitGround, str]] = ..., particulars_slot: _Optional[int] = ...) -> None: ...

class ListParticulars(_message.Message):
    __slots__ = ("subject", "subject_name", "decision", "reason")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_NAME_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject: str
    subject_name: str
    decision: str
    reason: str
    def __init__(self, subject: _Optional[str] = ..., subject_name: _Optional[str] = ..., decision: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class OfficerSignature(_message.Message):
    __slots__ = ("officer", "suite", "public_key", "statement")
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    officer: str
    suite: str
    public_key: bytes
    statement: _envelope_pb2.Envelope
    def __init__(self, officer: _Optional[str] = ..., suite: _Optional[str] = ..., public_key: _Optional[bytes] = ..., statement: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class ListWarrant(_message.Message):
    __slots__ = ("change", "batch", "batches", "path", "signatures")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    change: str
    batch: int
    batches: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    signatures: _containers.RepeatedCompositeFieldContainer[OfficerSignature]
    def __init__(self, change: _Optional[str] = ..., batch: _Optional[int] = ..., batches: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ..., signatures: _Optional[_Iterable[_Union[OfficerSignature, _Mapping]]] = ...) -> None: ...

class ListChangeDigested(_message.Message):
    __slots__ = ("id", "channel", "batches", "root")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    id: str
    channel: str
    batches: int
    root: bytes
    def __init__(self, id: _Optional[str] = ..., channel: _Optional[str] = ..., batches: _Optional[int] = ..., root: _Optional[bytes] = ...) -> None: ...

class ListSlot(_message.Message):
    __slots__ = ("op", "particulars", "warrant")
    OP_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_FIELD_NUMBER: _ClassVar[int]
    WARRANT_FIELD_NUMBER: _ClassVar[int]
    op: ListOp
    particulars: ListParticulars
    warrant: ListWarrant
    def __init__(self, op: _Optional[_Union[ListOp, _Mapping]] = ..., particulars: _Optional[_Union[ListParticulars, _Mapping]] = ..., warrant: _Optional[_Union[ListWarrant, _Mapping]] = ...) -> None: ...
