from node.pb import listing_pb2 as _listing_pb2
from node.pb import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_VERDICT_UNSPECIFIED: _ClassVar[QueryVerdict]
    QUERY_VERDICT_CLEAR: _ClassVar[QueryVerdict]
    QUERY_VERDICT_LISTED: _ClassVar[QueryVerdict]
    QUERY_VERDICT_UNCONFIRMED: _ClassVar[QueryVerdict]
QUERY_VERDICT_UNSPECIFIED: QueryVerdict
QUERY_VERDICT_CLEAR: QueryVerdict
QUERY_VERDICT_LISTED: QueryVerdict
QUERY_VERDICT_UNCONFIRMED: QueryVerdict

class QueryQuestion(_message.Message):
    __slots__ = ("officer", "unit", "matter", "ground")
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MATTER_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    officer: str
    unit: str
    matter: str
    ground: str
    def __init__(self, officer: _Optional[str] = ..., unit: _Optional[str] = ..., matter: _Optional[str] = ..., ground: _Optional[str] = ...) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("question", "subject")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    question: QueryQuestion
    subject: str
    def __init__(self, question: _Optional[_Union[QueryQuestion, _Mapping]] = ..., subject: _Optional[str] = ...) -> None: ...

class CheckBatchRequest(_message.Message):
    __slots__ = ("question", "subjects")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    question: QueryQuestion
    subjects: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, question: _Optional[_Union[QueryQuestion, _Mapping]] = ..., subjects: _Optional[_Iterable[str]] = ...) -> None: ...

class SweepRequest(_message.Message):
    __slots__ = ("question", "subjects")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    question: QueryQuestion
    subjects: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, question: _Optional[_Union[QueryQuestion, _Mapping]] = ..., subjects: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("answer",)
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    answer: SubjectAnswer
    def __init__(self, answer: _Optional[_Union[SubjectAnswer, _Mapping]] = ...) -> None: ...

class CheckBatchResponse(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[SubjectAnswer]
    def __init__(self, answers: _Optional[_Iterable[_Union[SubjectAnswer, _Mapping]]] = ...) -> None: ...

class SweepResponse(_message.Message):
    __slots__ = ("count", "common", "others")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    COMMON_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    count: int
    common: SubjectAnswer
    others: _containers.RepeatedCompositeFieldContainer[SweptSubject]
    def __init__(self, count: _Optional[int] = ..., common: _Optional[_Union[SubjectAnswer, _Mapping]] = ..., others: _Optional[_Iterable[_Union[SweptSubject, _Mapping]]] = ...) -> None: ...

class SweptSubject(_message.Message):
    __slots__ = ("position", "answer")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    position: int
    answer: SubjectAnswer
    def __init__(self, position: _Optional[int] = ..., answer: _Optional[_Union[SubjectAnswer, _Mapping]] = ...) -> None: ...

class SubjectAnswer(_message.Message):
    __slots__ = ("subject", "verdict", "lists", "answered_at_unix_ms", "query", "matters_version", "measures_version")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LISTS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MATTERS_VERSION_FIELD_NUMBER: _ClassVar[int]
    MEASURES_VERSION_FIELD_NUMBER: _ClassVar[int]
    subject: str
    verdict: QueryVerdict
    lists: _containers.RepeatedCompositeFieldContainer[ListVerdict]
    answered_at_unix_ms: int
    query: int
    matters_version: str
    measures_version: str
    def __init__(self, subject: _Optional[str] = ..., verdict: _Optional[_Union[QueryVerdict, str]] = ..., lists: _Optional[_Iterable[_Union[ListVerdict, _Mapping]]] = ..., answered_at_unix_ms: _Optional[int] = ..., query: _Optional[int] = ..., matters_version: _Optional[str] = ..., measures_version: _Optional[str] = ...) -> None: ...

class ListVerdict(_message.Message):
    __slots__ = ("channel", "verdict", "doubts", "advice", "list", "origin", "origin_name", "fresh_at_unix_ms", "staleness_limit_s", "entries")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    DOUBTS_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_NAME_FIELD_NUMBER: _ClassVar[int]
    FRESH_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    STALENESS_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    channel: str
    verdict: QueryVerdict
    doubts: _containers.RepeatedScalarFieldContainer[str]
    advice: str
    list: _listing_pb2.ListType
    origin: str
    origin_name: str
    fresh_at_unix_ms: int
    staleness_limit_s: int
    entries: _containers.RepeatedCompositeFieldContainer[ListedEntry]
    def __init__(self, channel: _Optional[str] = ..., verdict: _Optional[_Union[QueryVerdict, str]] = ..., doubts: _Optional[_Iterable[str]] = ..., advice: _Optional[str] = ..., list: _Optional[_Union[_listing_pb2.ListType, _Mapping]] = ..., origin: _Optional[str] = ..., origin_name: _Optional[str] = ..., fresh_at_unix_ms: _Optional[int] = ..., staleness_limit_s: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[ListedEntry, _Mapping]]] = ...) -> None: ...

class ListedEntry(_message.Message):
    __slots__ = ("entry", "since", "until", "measures", "unpublished", "applicable")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    UNPUBLISHED_FIELD_NUMBER: _ClassVar[int]
    APPLICABLE_FIELD_NUMBER: _ClassVar[int]
    entry: _record_pb2.RecordRef
    since: str
    until: str
    measures: _containers.RepeatedCompositeFieldContainer[ListedMeasure]
    unpublished: int
    applicable: bool
    def __init__(self, entry: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., measures: _Optional[_Iterable[_Union[ListedMeasure, _Mapping]]] = ..., unpublished: _Optional[int] = ..., applicable: _Optional[bool] = ...) -> None: ...

class ListedMeasure(_message.Message):
    __slots__ = ("code", "title_zh", "title_en", "basis", "applies")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_ZH_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    APPLIES_FIELD_NUMBER: _ClassVar[int]
    code: str
    title_zh: str
    title_en: str
    basis: str
    applies: bool
    def __init__(self, code: _Optional[str] = ..., title_zh: _Optional[str] = ..., title_en: _Optional[str] = ..., basis: _Optional[str] = ..., applies: _Optional[bool] = ...) -> None: ...

class ListQueriesRequest(_message.Message):
    __slots__ = ("subject", "after", "limit", "newest")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    subject: str
    after: int
    limit: int
    newest: bool
    def __init__(self, subject: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ..., newest: _Optional[bool] = ...) -> None: ...

class ListQueriesResponse(_message.Message):
    __slots__ = ("queries", "unsearchable")
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    UNSEARCHABLE_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[QueryLine]
    unsearchable: int
    def __init__(self, queries: _Optional[_Iterable[_Union[QueryLine, _Mapping]]] = ..., unsearchable: _Optional[int] = ...) -> None: ...

class QueryLine(_message.Message):
    __slots__ = ("sequence", "asked_at_unix_ms", "officer", "unit", "matter", "matters_version", "ground", "subject", "subjects", "entry_hash")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MATTER_FIELD_NUMBER: _ClassVar[int]
    MATTERS_VERSION_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_HASH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    asked_at_unix_ms: int
    officer: str
    unit: str
    matter: str
    matters_version: str
    ground: str
    subject: str
    subjects: int
    entry_hash: bytes
    def __init__(self, sequence: _Optional[int] = ..., asked_at_unix_ms: _Optional[int] = ..., officer: _Optional[str] = ..., unit: _Optional[str] = ..., matter: _Optional[str] = ..., matters_version: _Optional[str] = ..., ground: _Optional[str] = ..., subject: _Optional[str] = ..., subjects: _Optional[int] = ..., entry_hash: _Optional[bytes] = ...) -> None: ...

class VerifyQueriesRequest(_message.Message):
    __slots__ = ("noted_sequence", "noted_hash")
    NOTED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NOTED_HASH_FIELD_NUMBER: _ClassVar[int]
    noted_sequence: int
    noted_hash: bytes
    def __init__(self, noted_sequence: _Optional[int] = ..., noted_hash: _Optional[bytes] = ...) -> None: ...

class VerifyQueriesResponse(_message.Message):
    __slots__ = ("sequence", "entry_hash", "fault")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_HASH_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    entry_hash: bytes
    fault: str
    def __init__(self, sequence: _Optional[int] = ..., entry_hash: _Optional[bytes] = ..., fault: _Optional[str] = ...) -> None: ...
