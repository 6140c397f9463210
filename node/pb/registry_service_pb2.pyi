from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import registry_pb2 as _registry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetFileRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetFileResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class RequestMembershipRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _registry_pb2.MembershipRequest
    def __init__(self, request: _Optional[_Union[_registry_pb2.MembershipRequest, _Mapping]] = ...) -> None: ...

class RequestMembershipResponse(_message.Message):
    __slots__ = ("state", "time_unix_ms")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    state: _registry_pb2.JoinState
    time_unix_ms: int
    def __init__(self, state: _Optional[_Union[_registry_pb2.JoinState, str]] = ..., time_unix_ms: _Optional[int] = ...) -> None: ...

class GetRequestStateRequest(_message.Message):
    __slots__ = ("node_id", "fingerprint")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    fingerprint: bytes
    def __init__(self, node_id: _Optional[str] = ..., fingerprint: _Optional[bytes] = ...) -> None: ...

class GetRequestStateResponse(_message.Message):
    __slots__ = ("state", "signatures_present", "signatures_needed", "time_unix_ms")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_PRESENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_NEEDED_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    state: _registry_pb2.JoinState
    signatures_present: int
    signatures_needed: int
    time_unix_ms: int
    def __init__(self, state: _Optional[_Union[_registry_pb2.JoinState, str]] = ..., signatures_present: _Optional[int] = ..., signatures_needed: _Optional[int] = ..., time_unix_ms: _Optional[int] = ...) -> None: ...

class ReportHeadsRequest(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _envelope_pb2.Envelope
    def __init__(self, report: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class ReportHeadsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShareAddressesRequest(_message.Message):
    __slots__ = ("address", "known_digest")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    address: _envelope_pb2.Envelope
    known_digest: bytes
    def __init__(self, address: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., known_digest: _Optional[bytes] = ...) -> None: ...

class ShareAddressesResponse(_message.Message):
    __slots__ = ("addresses",)
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, addresses: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("refusal", "registry", "time_unix_ms")
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    refusal: _envelope_pb2.Refusal
    registry: _registry_pb2.RegistryVersions
    time_unix_ms: int
    def __init__(self, refusal: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., registry: _Optional[_Union[_registry_pb2.RegistryVersions, _Mapping]] = ..., time_unix_ms: _Optional[int] = ...) -> None: ...
