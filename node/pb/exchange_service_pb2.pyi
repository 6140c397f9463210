from node.pb import channel_pb2 as _channel_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import registry_pb2 as _registry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BodyEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BODY_ENCODING_UNSPECIFIED: _ClassVar[BodyEncoding]
    BODY_ENCODING_IDENTITY: _ClassVar[BodyEncoding]
    BODY_ENCODING_ZSTD: _ClassVar[BodyEncoding]
BODY_ENCODING_UNSPECIFIED: BodyEncoding
BODY_ENCODING_IDENTITY: BodyEncoding
BODY_ENCODING_ZSTD: BodyEncoding

class Cursor(_message.Message):
    __slots__ = ("incarnation", "heartbeats", "addresses", "receipts", "equivocations")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    EQUIVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    heartbeats: int
    addresses: int
    receipts: int
    equivocations: int
    def __init__(self, incarnation: _Optional[str] = ..., heartbeats: _Optional[int] = ..., addresses: _Optional[int] = ..., receipts: _Optional[int] = ..., equivocations: _Optional[int] = ...) -> None: ...

class HelloRequest(_message.Message):
    __slots__ = ("network", "time_unix_ms", "shared_digest", "heartbeats", "addresses", "registry", "equivocations", "cursor", "closed_heads", "heartbeats_digest")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    SHARED_DIGEST_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    EQUIVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEADS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    network: str
    time_unix_ms: int
    shared_digest: bytes
    heartbeats: _containers.RepeatedCompositeFieldContainer[_channel_pb2.HeartbeatView]
    addresses: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    registry: _registry_pb2.RegistryVersions
    equivocations: _containers.RepeatedCompositeFieldContainer[_channel_pb2.Equivocation]
    cursor: Cursor
    closed_heads: _containers.RepeatedCompositeFieldContainer[_channel_pb2.Head]
    heartbeats_digest: bytes
    def __init__(self, network: _Optional[str] = ..., time_unix_ms: _Optional[int] = ..., shared_digest: _Optional[bytes] = ..., heartbeats: _Optional[_Iterable[_Union[_channel_pb2.HeartbeatView, _Mapping]]] = ..., addresses: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., registry: _Optional[_Union[_registry_pb2.RegistryVersions, _Mapping]] = ..., equivocations: _Optional[_Iterable[_Union[_channel_pb2.Equivocation, _Mapping]]] = ..., cursor: _Optional[_Union[Cursor, _Mapping]] = ..., closed_heads: _Optional[_Iterable[_Union[_channel_pb2.Head, _Mapping]]] = ..., heartbeats_digest: _Optional[bytes] = ...) -> None: ...

class HelloResponse(_message.Message):
    __slots__ = ("time_unix_ms", "in_step", "heads", "held_receipts", "heartbeats", "addresses", "registry", "equivocations", "receipts", "cursor", "heartbeats_digest", "heartbeats_held")
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    IN_STEP_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HELD_RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    EQUIVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_HELD_FIELD_NUMBER: _ClassVar[int]
    time_unix_ms: int
    in_step: bool
    heads: _containers.RepeatedCompositeFieldContainer[_channel_pb2.Head]
    held_receipts: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    heartbeats: _containers.RepeatedCompositeFieldContainer[_channel_pb2.HeartbeatView]
    addresses: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    registry: _registry_pb2.RegistryVersions
    equivocations: _containers.RepeatedCompositeFieldContainer[_channel_pb2.Equivocation]
    receipts: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    cursor: Cursor
    heartbeats_digest: bytes
    heartbeats_held: _containers.RepeatedCompositeFieldContainer[HeldHeartbeat]
    def __init__(self, time_unix_ms: _Optional[int] = ..., in_step: _Optional[bool] = ..., heads: _Optional[_Iterable[_Union[_channel_pb2.Head, _Mapping]]] = ..., held_receipts: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., heartbeats: _Optional[_Iterable[_Union[_channel_pb2.HeartbeatView, _Mapping]]] = ..., addresses: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., registry: _Optional[_Union[_registry_pb2.RegistryVersions, _Mapping]] = ..., equivocations: _Optional[_Iterable[_Union[_channel_pb2.Equivocation, _Mapping]]] = ..., receipts: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., cursor: _Optional[_Union[Cursor, _Mapping]] = ..., heartbeats_digest: _Optional[bytes] = ..., heartbeats_held: _Optional[_Iterable[_Union[HeldHeartbeat, _Mapping]]] = ...) -> None: ...

class HeldHeartbeat(_message.Message):
    __slots__ = ("node", "time_unix_ms", "heads")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    node: str
    time_unix_ms: int
    heads: int
    def __init__(self, node: _Optional[str] = ..., time_unix_ms: _Optional[int] = ..., heads: _Optional[int] = ...) -> None: ...

class EntryStart(_message.Message):
    __slots__ = ("channel", "epoch", "index", "envelope", "encoding", "encoded_bytes", "body_bytes", "invitation", "leads_to_size", "leads_to_hashes", "inclusion_hashes")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    ENCODED_BYTES_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    LEADS_TO_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEADS_TO_HASHES_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_HASHES_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    index: int
    envelope: _envelope_pb2.Envelope
    encoding: BodyEncoding
    encoded_bytes: int
    body_bytes: int
    invitation: _envelope_pb2.Envelope
    leads_to_size: int
    leads_to_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    inclusion_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., envelope: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., encoding: _Optional[_Union[BodyEncoding, str]] = ..., encoded_bytes: _Optional[int] = ..., body_bytes: _Optional[int] = ..., invitation: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., leads_to_size: _Optional[int] = ..., leads_to_hashes: _Optional[_Iterable[bytes]] = ..., inclusion_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EntryFrame(_message.Message):
    __slots__ = ("start", "data")
    START_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    start: EntryStart
    data: bytes
    def __init__(self, start: _Optional[_Union[EntryStart, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class PullRequest(_message.Message):
    __slots__ = ("network", "channel", "epoch", "start_index", "end_index", "acts_of_size")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACTS_OF_SIZE_FIELD_NUMBER: _ClassVar[int]
    network: str
    channel: str
    epoch: int
    start_index: int
    end_index: int
    acts_of_size: int
    def __init__(self, network: _Optional[str] = ..., channel: _Optional[str] = ..., epoch: _Optional[int] = ..., start_index: _Optional[int] = ..., end_index: _Optional[int] = ..., acts_of_size: _Optional[int] = ...) -> None: ...

class PullResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: EntryFrame
    def __init__(self, frame: _Optional[_Union[EntryFrame, _Mapping]] = ...) -> None: ...

class PushRequest(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: EntryFrame
    def __init__(self, frame: _Optional[_Union[EntryFrame, _Mapping]] = ...) -> None: ...

class PushResponse(_message.Message):
    __slots__ = ("channel", "epoch", "size", "refusal", "receipt")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    size: int
    refusal: _envelope_pb2.Refusal
    receipt: _envelope_pb2.Envelope
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., size: _Optional[int] = ..., refusal: _Optional[_Union[_envelope_pb2.Refusal, _Mapping]] = ..., receipt: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("channel", "epoch", "old_size", "new_size")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    old_size: int
    new_size: int
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., old_size: _Optional[int] = ..., new_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("channel", "epoch", "index", "size")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    channel: str
    epoch: int
    index: int
    size: int
    def __init__(self, channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PutReceiptsRequest(_message.Message):
    __slots__ = ("receipts",)
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, receipts: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class PutReceiptsResponse(_message.Message):
    __slots__ = ("refusals",)
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    refusals: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Refusal]
    def __init__(self, refusals: _Optional[_Iterable[_Union[_envelope_pb2.Refusal, _Mapping]]] = ...) -> None: ...
