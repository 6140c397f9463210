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
    __slots__ = ("sequence", "state")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    state: str
    def __init__(self, sequence: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...
