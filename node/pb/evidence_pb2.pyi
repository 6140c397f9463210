from node.pb import channel_pb2 as _channel_pb2
from node.pb import envelope_pb2 as _envelope_pb2
from node.pb import record_pb2 as _record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegistryFile(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class EvidenceBundle(_message.Message):
    __slots__ = ("network", "record", "slot", "record_proof", "entry", "entry_proof", "heartbeat", "receipts", "registry_files", "as_of_unix_ms", "cut", "acts")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    RECORD_PROOF_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PROOF_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FILES_FIELD_NUMBER: _ClassVar[int]
    AS_OF_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    network: str
    record: _record_pb2.RecordRef
    slot: _channel_pb2.Slot
    record_proof: _containers.RepeatedScalarFieldContainer[bytes]
    entry: _envelope_pb2.Envelope
    entry_proof: _containers.RepeatedScalarFieldContainer[bytes]
    heartbeat: _channel_pb2.HeartbeatView
    receipts: _containers.RepeatedCompositeFieldContainer[ReceiptEvidence]
    registry_files: _containers.RepeatedCompositeFieldContainer[RegistryFile]
    as_of_unix_ms: int
    cut: CutEvidence
    acts: _containers.RepeatedCompositeFieldContainer[ActEvidence]
    def __init__(self, network: _Optional[str] = ..., record: _Optional[_Union[_record_pb2.RecordRef, _Mapping]] = ..., slot: _Optional[_Union[_channel_pb2.Slot, _Mapping]] = ..., record_proof: _Optional[_Iterable[bytes]] = ..., entry: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., entry_proof: _Optional[_Iterable[bytes]] = ..., heartbeat: _Optional[_Union[_channel_pb2.HeartbeatView, _Mapping]] = ..., receipts: _Optional[_Iterable[_Union[ReceiptEvidence, _Mapping]]] = ..., registry_files: _Optional[_Iterable[_Union[RegistryFile, _Mapping]]] = ..., as_of_unix_ms: _Optional[int] = ..., cut: _Optional[_Union[CutEvidence, _Mapping]] = ..., acts: _Optional[_Iterable[_Union[ActEvidence, _Mapping]]] = ...) -> None: ...

class ActEvidence(_message.Message):
    __slots__ = ("entry", "entry_proof", "position", "slot", "slot_proof", "particulars", "particulars_proof")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PROOF_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    SLOT_PROOF_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_FIELD_NUMBER: _ClassVar[int]
    PARTICULARS_PROOF_FIELD_NUMBER: _ClassVar[int]
    entry: _envelope_pb2.Envelope
    entry_proof: _containers.RepeatedScalarFieldContainer[bytes]
    position: int
    slot: _channel_pb2.Slot
    slot_proof: _containers.RepeatedScalarFieldContainer[bytes]
    particulars: _channel_pb2.Slot
    particulars_proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, entry: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., entry_proof: _Optional[_Iterable[bytes]] = ..., position: _Optional[int] = ..., slot: _Optional[_Union[_channel_pb2.Slot, _Mapping]] = ..., slot_proof: _Optional[_Iterable[bytes]] = ..., particulars: _Optional[_Union[_channel_pb2.Slot, _Mapping]] = ..., particulars_proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ReceiptEvidence(_message.Message):
    __slots__ = ("receipt", "consistency_proof")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_PROOF_FIELD_NUMBER: _ClassVar[int]
    receipt: _envelope_pb2.Envelope
    consistency_proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, receipt: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., consistency_proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CutEvidence(_message.Message):
    __slots__ = ("size", "root", "consistency_proof")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_PROOF_FIELD_NUMBER: _ClassVar[int]
    size: int
    root: bytes
    consistency_proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, size: _Optional[int] = ..., root: _Optional[bytes] = ..., consistency_proof: _Optional[_Iterable[bytes]] = ...) -> None: ...
