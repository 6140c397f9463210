from node.pb import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_STATE_UNSPECIFIED: _ClassVar[KeyState]
    KEY_STATE_ACTIVE: _ClassVar[KeyState]
    KEY_STATE_RETIRED: _ClassVar[KeyState]
    KEY_STATE_REVOKED: _ClassVar[KeyState]

class JoinState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOIN_STATE_UNSPECIFIED: _ClassVar[JoinState]
    JOIN_STATE_UNKNOWN: _ClassVar[JoinState]
    JOIN_STATE_PENDING: _ClassVar[JoinState]
    JOIN_STATE_LISTED: _ClassVar[JoinState]
    JOIN_STATE_REJECTED: _ClassVar[JoinState]
KEY_STATE_UNSPECIFIED: KeyState
KEY_STATE_ACTIVE: KeyState
KEY_STATE_RETIRED: KeyState
KEY_STATE_REVOKED: KeyState
JOIN_STATE_UNSPECIFIED: JoinState
JOIN_STATE_UNKNOWN: JoinState
JOIN_STATE_PENDING: JoinState
JOIN_STATE_LISTED: JoinState
JOIN_STATE_REJECTED: JoinState

class SigningKey(_message.Message):
    __slots__ = ("key_id", "suite", "public_key", "state", "not_before_unix_ms", "not_after_unix_ms")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    suite: str
    public_key: bytes
    state: KeyState
    not_before_unix_ms: int
    not_after_unix_ms: int
    def __init__(self, key_id: _Optional[str] = ..., suite: _Optional[str] = ..., public_key: _Optional[bytes] = ..., state: _Optional[_Union[KeyState, str]] = ..., not_before_unix_ms: _Optional[int] = ..., not_after_unix_ms: _Optional[int] = ...) -> None: ...

class TlsCertificate(_message.Message):
    __slots__ = ("certificate",)
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    def __init__(self, certificate: _Optional[bytes] = ...) -> None: ...

class Authority(_message.Message):
    __slots__ = ("uscc", "from_unix_ms", "to_unix_ms", "successor")
    USCC_FIELD_NUMBER: _ClassVar[int]
    FROM_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    TO_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_FIELD_NUMBER: _ClassVar[int]
    uscc: str
    from_unix_ms: int
    to_unix_ms: int
    successor: str
    def __init__(self, uscc: _Optional[str] = ..., from_unix_ms: _Optional[int] = ..., to_unix_ms: _Optional[int] = ..., successor: _Optional[str] = ...) -> None: ...

class NodeDescriptor(_message.Message):
    __slots__ = ("id", "version", "name", "level", "division", "parent", "authorities", "signing_keys", "tls_certificates", "created_at_unix_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DIVISION_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEYS_FIELD_NUMBER: _ClassVar[int]
    TLS_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: int
    name: str
    level: str
    division: str
    parent: str
    authorities: _containers.RepeatedCompositeFieldContainer[Authority]
    signing_keys: _containers.RepeatedCompositeFieldContainer[SigningKey]
    tls_certificates: _containers.RepeatedCompositeFieldContainer[TlsCertificate]
    created_at_unix_ms: int
    def __init__(self, id: _Optional[str] = ..., version: _Optional[int] = ..., name: _Optional[str] = ..., level: _Optional[str] = ..., division: _Optional[str] = ..., parent: _Optional[str] = ..., authorities: _Optional[_Iterable[_Union[Authority, _Mapping]]] = ..., signing_keys: _Optional[_Iterable[_Union[SigningKey, _Mapping]]] = ..., tls_certificates: _Optional[_Iterable[_Union[TlsCertificate, _Mapping]]] = ..., created_at_unix_ms: _Optional[int] = ...) -> None: ...

class AddressRecord(_message.Message):
    __slots__ = ("network", "node", "sequence", "exchange_endpoint", "registry_endpoint")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    network: str
    node: str
    sequence: int
    exchange_endpoint: str
    registry_endpoint: str
    def __init__(self, network: _Optional[str] = ..., node: _Optional[str] = ..., sequence: _Optional[int] = ..., exchange_endpoint: _Optional[str] = ..., registry_endpoint: _Optional[str] = ...) -> None: ...

class OriginHeads(_message.Message):
    __slots__ = ("origin", "head_leaves")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HEAD_LEAVES_FIELD_NUMBER: _ClassVar[int]
    origin: str
    head_leaves: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, origin: _Optional[str] = ..., head_leaves: _Optional[_Iterable[bytes]] = ...) -> None: ...

class HeadReport(_message.Message):
    __slots__ = ("network", "reporter", "time_unix_ms", "origins")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    network: str
    reporter: str
    time_unix_ms: int
    origins: _containers.RepeatedCompositeFieldContainer[OriginHeads]
    def __init__(self, network: _Optional[str] = ..., reporter: _Optional[str] = ..., time_unix_ms: _Optional[int] = ..., origins: _Optional[_Iterable[_Union[OriginHeads, _Mapping]]] = ...) -> None: ...

class RegistryVersions(_message.Message):
    __slots__ = ("root_version", "timestamp_version", "snapshot_version", "snapshot_hash")
    ROOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_HASH_FIELD_NUMBER: _ClassVar[int]
    root_version: int
    timestamp_version: int
    snapshot_version: int
    snapshot_hash: bytes
    def __init__(self, root_version: _Optional[int] = ..., timestamp_version: _Optional[int] = ..., snapshot_version: _Optional[int] = ..., snapshot_hash: _Optional[bytes] = ...) -> None: ...

class MembershipRequest(_message.Message):
    __slots__ = ("descriptor",)
    DESCRIPTOR_FIELD_NUMBER: _ClassVar[int]
    descriptor: _envelope_pb2.Envelope
    def __init__(self, descriptor: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...
