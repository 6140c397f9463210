from node.pb import channel_pb2 as _channel_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import evidence_pb2 as _evidence_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_SENT: _ClassVar[DeliveryState]
    DELIVERY_STATE_RECEIVED: _ClassVar[DeliveryState]
    DELIVERY_STATE_APPLIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_ORIGIN: _ClassVar[DeliveryState]
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_SENT: DeliveryState
DELIVERY_STATE_RECEIVED: DeliveryState
DELIVERY_STATE_APPLIED: DeliveryState
DELIVERY_STATE_ORIGIN: DeliveryState

class StatedDelivery(_message.Message):
    __slots__ = ("node", "state", "receipt_sha256")
    NODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_SHA256_FIELD_NUMBER: _ClassVar[int]
    node: str
    state: DeliveryState
    receipt_sha256: bytes
    def __init__(self, node: _Optional[str] = ..., state: _Optional[_Union[DeliveryState, str]] = ..., receipt_sha256: _Optional[bytes] = ...) -> None: ...

class DeliveryStatement(_message.Message):
    __slots__ = ("network", "node", "channel", "epoch", "index", "entry_leaf", "body_sha256", "lines", "observed_at_unix_ms")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENTRY_LEAF_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    network: str
    node: str
    channel: str
    epoch: int
    index: int
    entry_leaf: bytes
    body_sha256: bytes
    lines: _containers.RepeatedCompositeFieldContainer[StatedDelivery]
    observed_at_unix_ms: int
    def __init__(self, network: _Optional[str] = ..., node: _Optional[str] = ..., channel: _Optional[str] = ..., epoch: _Optional[int] = ..., index: _Optional[int] = ..., entry_leaf: _Optional[bytes] = ..., body_sha256: _Optional[bytes] = ..., lines: _Optional[_Iterable[_Union[StatedDelivery, _Mapping]]] = ..., observed_at_unix_ms: _Optional[int] = ...) -> None: ...

class DeliveryReport(_message.Message):
    __slots__ = ("format", "network", "statement", "entry", "entry_proof", "body", "heartbeat", "receipts", "registry_files", "as_of_unix_ms", "cut")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PROOF_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FILES_FIELD_NUMBER: _ClassVar[int]
    AS_OF_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    format: str
    network: str
    statement: _envelope_pb2.Envelope
    entry: _envelope_pb2.Envelope
    entry_proof: _containers.RepeatedScalarFieldContainer[bytes]
    body: bytes
    heartbeat: _channel_pb2.HeartbeatView
    receipts: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.ReceiptEvidence]
    registry_files: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.RegistryFile]
    as_of_unix_ms: int
    cut: _evidence_pb2.CutEvidence
    def __init__(self, format: _Optional[str] = ..., network: _Optional[str] = ..., statement: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., entry: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., entry_proof: _Optional[_Iterable[bytes]] = ..., body: _Optional[bytes] = ..., heartbeat: _Optional[_Union[_channel_pb2.HeartbeatView, _Mapping]] = ..., receipts: _Optional[_Iterable[_Union[_evidence_pb2.ReceiptEvidence, _Mapping]]] = ..., registry_files: _Optional[_Iterable[_Union[_evidence_pb2.RegistryFile, _Mapping]]] = ..., as_of_unix_ms: _Optional[int] = ..., cut: _Optional[_Union[_evidence_pb2.CutEvidence, _Mapping]] = ...) -> None: ...
