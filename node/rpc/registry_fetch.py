"""Where python-tuf gets the registry's files from: a registry port over gRPC, or files that are held already.

Everything here runs in a worker thread, as python-tuf blocks.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping

import grpc
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError
from tuf.ngclient import FetcherInterface

from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import registry_service_pb2 as pb
from node.pb.registry_service_pb2_grpc import RegistryServiceStub
from node.rpc.refusals import from_rpc_error

BASE_URL = "/"
NOT_FOUND = 404


class RegistryFetcher(FetcherInterface):
    """A source of files by their published names; remembers the last metadata it was asked for."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.fetched: dict[str, bytes] = {}

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """The file's content, of at most max_length bytes and never more than one registry file may have."""
        content = super().download_bytes(url, min(max_length, self.limits.max_registry_file_bytes))
        name = url.removeprefix(BASE_URL)
        # The newest goes last: where reading stops, the last file is the one that stopped it.
        self.fetched.pop(name, None)
        self.fetched[name] = content
        return content

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.chunks(url.removeprefix(BASE_URL))

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """The pieces of a file; raises DownloadError, DownloadHTTPError with 404 when there is none."""


class HeldFiles(RegistryFetcher):
    """Files that are held already, e.g. in the database."""

    def __init__(self, files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._files = files

    def chunks(self, name: str) -> Iterator[bytes]:
        """The file in one piece."""
        content = self._files.get(name)
        if content is None:
            raise DownloadHTTPError(f"{name} is not held", NOT_FOUND)
        yield content


class PortFiles(RegistryFetcher):
    """Files from the registry port of the registry or of a node; close() ends what is under way."""

    def __init__(self, endpoint: str, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._endpoint = endpoint
        self._channel = grpc.insecure_channel(endpoint, channel_options(limits))
        self._stub = RegistryServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection; a call under way in the worker thread fails."""
        self._channel.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """The file as GetFile streams it, each piece checked for its size."""
        try:
            answer = self._stub.GetFile(pb.GetFileRequest(name=name), timeout=self.limits.call_deadline_s)
            for number, response in enumerate(answer):
                # An empty file is one empty piece; more of them would go on for ever and reach no limit of length.
                if len(response.data) > self.limits.max_registry_chunk_bytes or (number and not response.data):
                    raise DownloadLengthMismatchError(f"{name} comes in a piece of {len(response.data)} bytes")
                yield response.data
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise DownloadHTTPError(f"{name} is not served", NOT_FOUND) from error
            raise DownloadError(from_rpc_error(error, peer="its port", address=self._endpoint).text) from error
        except ValueError as error:  # grpc: the channel was closed meanwhile
            raise DownloadError(f"{self._endpoint} was given up") from error


def channel_options(limits: Limits) -> list[tuple[str, int]]:
    """Options of a connection to a registry port."""
    return [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        # The addresses are given; a proxy of the environment has no business here.
        ("grpc.enable_http_proxy", 0),
        # Each attempt is a real one: no shared connection that still waits after an earlier failure.
        ("grpc.use_local_subchannel_pool", 1),
    ]
