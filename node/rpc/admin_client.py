"""How the command line reaches the node it serves: the admin service on its unix socket."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from node.core.catalogue import Edition, parse_edition
from node.core.errors import XinqiaoError
from node.pb import admin_service_pb2 as pb
from node.pb import admin_service_pb2_grpc
from node.rpc.refusals import from_rpc_error

T = TypeVar("T")

CALL_DEADLINE_S = 60.0
PIECE_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class AdminClient:
    """Calls the admin service of a running node; raises ADMIN_UNREACHABLE when none runs."""

    def __init__(self, home: Path, socket: Path) -> None:
        self._home = home
        self._socket = socket
        options = [("grpc.max_receive_message_length", MAX_ANSWER_BYTES), ("grpc.enable_retries", 0)]
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=options)
        self._stub = admin_service_pb2_grpc.AdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        if not self._socket.exists():
            raise XinqiaoError("ADMIN_UNREACHABLE", home=self._home)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def status(self) -> pb.GetStatusResponse:
        """How the node stands."""
        return self._call(pb.GetStatusResponse, self._stub.GetStatus, pb.GetStatusRequest())

    def peers(self) -> pb.ListPeersResponse:
        """How the links stand."""
        return self._call(pb.ListPeersResponse, self._stub.ListPeers, pb.ListPeersRequest())

    def create_channel(self, request: pb.CreateChannelRequest) -> pb.ChannelSummary:
        """Create a channel."""
        return self._call(pb.CreateChannelResponse, self._stub.CreateChannel, request).channel

    def set_audience(self, request: pb.SetAudienceRequest) -> pb.ChannelSummary:
        """Change an audience."""
        return self._call(pb.SetAudienceResponse, self._stub.SetAudience, request).channel

    def channels(self) -> pb.ListChannelsResponse:
        """The channels held."""
        return self._call(pb.ListChannelsResponse, self._stub.ListChannels, pb.ListChannelsRequest())

    def channel(self, name: str) -> pb.GetChannelResponse:
        """One channel with its deliveries."""
        return self._call(pb.GetChannelResponse, self._stub.GetChannel, pb.GetChannelRequest(channel=name))

    def publish(self, first: pb.PublishRequest, file: Path) -> Iterator[pb.PublishResponse]:
        """Publish a file piece by piece, or try it, as the first message says."""
        yield from self._stream(pb.PublishResponse, self._stub.Publish, _pieces(first, file))

    def catalogue(self) -> Edition:
        """The catalogue edition under which the node publishes."""
        return parse_edition(self.edition().edition)

    def edition(self, version: str = "") -> pb.GetCatalogueResponse:
        """A catalogue edition as it was signed, that in force unless another one is named."""
        request = pb.GetCatalogueRequest(version=version)
        return self._call(pb.GetCatalogueResponse, self._stub.GetCatalogue, request)

    def records(self, request: pb.ListRecordsRequest) -> Iterator[pb.HeldRecord]:
        """Records in force."""
        for response in self._stream(pb.ListRecordsResponse, self._stub.ListRecords, request):
            yield from response.records

    def quality(self, channel: str, month: str) -> pb.GetQualityResponse:
        """The quality figures of a channel."""
        request = pb.GetQualityRequest(channel=channel, month=month)
        return self._call(pb.GetQualityResponse, self._stub.GetQuality, request)

    def rules(self, request: pb.ListRulesRequest) -> pb.ListRulesResponse:
        """The rules of an edition."""
        return self._call(pb.ListRulesResponse, self._stub.ListRules, request)

    def measures(self, version: str) -> pb.ListMeasuresResponse:
        """The measures of an edition, that in force unless another one is named."""
        request = pb.ListMeasuresRequest(version=version)
        return self._call(pb.ListMeasuresResponse, self._stub.ListMeasures, request)

    def matters(self, version: str) -> pb.ListMattersResponse:
        """The matters of an edition, that in force unless another one is named."""
        return self._call(pb.ListMattersResponse, self._stub.ListMatters, pb.ListMattersRequest(version=version))

    def explain_record(self, request: pb.ExplainRecordRequest) -> pb.ExplainRecordResponse:
        """By which rules a record was judged."""
        return self._call(pb.ExplainRecordResponse, self._stub.ExplainRecord, request)

    def erase(self, request: pb.EraseRecordRequest) -> pb.EraseRecordResponse:
        """Erase one record everywhere."""
        return self._call(pb.EraseRecordResponse, self._stub.EraseRecord, request)

    def act(self, request: pb.ActOnRecordRequest) -> pb.ActOnRecordResponse:
        """Change how one record stands."""
        return self._call(pb.ActOnRecordResponse, self._stub.ActOnRecord, request)

    def prove(self, request: pb.ProveRequest) -> bytes:
        """The evidence bundle of a record."""
        return self._call(pb.ProveResponse, self._stub.Prove, request).bundle

    def keys(self) -> pb.ListKeysResponse:
        """The node's keys."""
        return self._call(pb.ListKeysResponse, self._stub.ListKeys, pb.ListKeysRequest())

    def rotate_key(self, kind: str) -> pb.RotateKeyResponse:
        """Start or continue a rotation."""
        return self._call(pb.RotateKeyResponse, self._stub.RotateKey, pb.RotateKeyRequest(kind=kind))

    def diagnose(self, peer: str) -> Iterator[pb.Finding]:
        """What an examination finds, one finding after another."""
        for response in self._stream(pb.DiagnoseResponse, self._stub.Diagnose, pb.DiagnoseRequest(peer=peer)):
            yield response.finding

    def forecast(self, days: int) -> pb.ForecastResponse:
        """What ends or fills up within some days."""
        return self._call(pb.ForecastResponse, self._stub.Forecast, pb.ForecastRequest(days=days))

    def progress(self) -> pb.GetProgressResponse:
        """How much of what is announced is here."""
        return self._call(pb.GetProgressResponse, self._stub.GetProgress, pb.GetProgressRequest())

    def shutdown(self) -> None:
        """Ask the node to drain and stop."""
        self._call(pb.ShutdownResponse, self._stub.Shutdown, pb.ShutdownRequest())

    def _call(self, _: type[T], method: Callable[..., T], request: Message) -> T:
        try:
            return method(request, timeout=CALL_DEADLINE_S)
        except grpc.RpcError as error:
            raise self._readable(error) from None

    def _stream(self, _: type[T], method: Callable[..., Iterable[T]], request: Any) -> Iterator[T]:
        try:
            yield from method(request)
        except grpc.RpcError as error:
            raise self._readable(error) from None

    def _readable(self, error: grpc.RpcError) -> XinqiaoError:
        found = from_rpc_error(error, peer="the node", address=str(self._socket))
        return XinqiaoError("ADMIN_UNREACHABLE", home=self._home) if found.code == "WIRE_UNREACHABLE" else found


def _pieces(first: pb.PublishRequest, file: Path) -> Iterator[pb.PublishRequest]:
    with file.open("rb") as opened:
        named = pb.PublishRequest(file_name=file.name, file_bytes=file.stat().st_size, data=opened.read(PIECE_BYTES))
        named.MergeFrom(first)
        yield named
        while piece := opened.read(PIECE_BYTES):
            yield pb.PublishRequest(data=piece)
