from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Officer(_message.Message):
    __slots__ = ("name", "suite", "public_key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    suite: str
    public_key: bytes
    def __init__(self, name: _Optional[str] = ..., suite: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class OfficerStatement(_message.Message):
    __slots__ = ("network", "node", "act", "subject", "decided_sha256", "reason", "signed_at_unix_ms")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_SHA256_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    network: str
    node: str
    act: str
    subject: str
    decided_sha256: bytes
    reason: str
    signed_at_unix_ms: int
    def __init__(self, network: _Optional[str] = ..., node: _Optional[str] = ..., act: _Optional[str] = ..., subject: _Optional[str] = ..., decided_sha256: _Optional[bytes] = ..., reason: _Optional[str] = ..., signed_at_unix_ms: _Optional[int] = ...) -> None: ...

class HeldRowDigested(_message.Message):
    __slots__ = ("id", "channel", "rules_version", "rules", "record", "salt")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    RULES_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    id: str
    channel: str
    rules_version: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    record: bytes
    salt: bytes
    def __init__(self, id: _Optional[str] = ..., channel: _Optional[str] = ..., rules_version: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., record: _Optional[bytes] = ..., salt: _Optional[bytes] = ...) -> None: ...
