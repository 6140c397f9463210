from node.pb import admin_service_pb2 as _admin_service_pb2
from node.pb import channel_pb2 as _channel_pb2
from node.pb import listing_pb2 as _listing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DefineListRequest(_message.Message):
    __slots__ = ("list", "audience", "disclosure", "staleness_limit_s")
    LIST_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    STALENESS_LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    list: _listing_pb2.ListType
    audience: _channel_pb2.Audience
    disclosure: _channel_pb2.DisclosureClass
    staleness_limit_s: int
    def __init__(self, list: _Optional[_Union[_listing_pb2.ListType, _Mapping]] = ..., audience: _Optional[_Union[_channel_pb2.Audience, _Mapping]] = ..., disclosure: _Optional[_Union[_channel_pb2.DisclosureClass, str]] = ..., staleness_limit_s: _Optional[int] = ...) -> None: ...

class DefineListResponse(_message.Message):
    __slots__ = ("list", "changed")
    LIST_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    list: ListLine
    changed: bool
    def __init__(self, list: _Optional[_Union[ListLine, _Mapping]] = ..., changed: _Optional[bool] = ...) -> None: ...

class ListLine(_message.Message):
    __slots__ = ("channel", "own")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    channel: _admin_service_pb2.ChannelSummary
    own: bool
    def __init__(self, channel: _Optional[_Union[_admin_service_pb2.ChannelSummary, _Mapping]] = ..., own: _Optional[bool] = ...) -> None: ...

class ListListsRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class ListListsResponse(_message.Message):
    __slots__ = ("lists",)
    LISTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[ListLine]
    def __init__(self, lists: _Optional[_Iterable[_Union[ListLine, _Mapping]]] = ...) -> None: ...
