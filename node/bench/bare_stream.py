"""The two ends of a bare stream: entries over gRPC and mutual TLS, verified as they come, and then forgotten.

    python -m node.bench.bare_stream receive HOME PEER_HOME
    python -m node.bench.bare_stream send HOME PEER_HOME FILE ADDRESS

HOME has the certificate and key to show, PEER_HOME the certificate to expect and, for what is received, the origin.
FILE holds the entries: see write and messages. The receiver prints its address and serves until it is told to end; the
sender prints how long it took until the last entry was answered, and how many records the receiver had verified by
then. Every record is hashed and parsed, every batch root and signature checked; nothing is judged and nothing kept: no
exchange of the same bytes can be faster with the same libraries and one process at each end.
"""

import json
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc

from node.bench.programs import demand
from node.bench.stores import database, opened
from node.core import envelope as envelopes
from node.core import merkle
from node.core.suites import PublicKey
from node.home import Home
from node.keys import TlsIdentity
from node.pb import channel_pb2, envelope_pb2, record_pb2
from node.rpc import registry_source, tls

METHOD = "/xinqiao.bench.BareStream/Send"
LENGTH = struct.Struct("<I")
COUNT = struct.Struct("<Q")
OPTIONS = [("grpc.max_receive_message_length", 1 << 26), ("grpc.max_send_message_length", 1 << 26)]
CONNECT_S = 30.0


# -- the entries, in a file and in messages ----------------------------------------------------------------------


def write(home: Home, channel: str, file: Path) -> None:
    """Write every entry of records of a channel as one message, its length before it."""
    with opened(home) as store, file.open("wb") as out:
        for entry in store.entries(channel, 0, 0):
            if entry.body:
                message = message_of(entry.envelope, entry.body)
                out.write(LENGTH.pack(len(message)) + message)


def message_of(envelope: envelope_pb2.Envelope, body: bytes) -> bytes:
    """One entry as it travels."""
    signed = envelope.SerializeToString()
    return LENGTH.pack(len(signed)) + signed + body


def messages(file: Path) -> Iterator[bytes]:
    """The messages of a file."""
    with file.open("rb") as opened:
        while head := opened.read(LENGTH.size):
            yield opened.read(LENGTH.unpack(head)[0])


# -- receiving ---------------------------------------------------------------------------------------------------


class Verifier:
    """Verifies entries of one origin as its keys are now, whatever is in them."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = tuple(keys)

    def records(self, message: bytes) -> int:
        """How many records an entry holds, all of them verified; raises StageError."""
        (size,) = LENGTH.unpack_from(message)
        envelope = envelope_pb2.Envelope.FromString(message[LENGTH.size : LENGTH.size + size])
        demand(bool(envelopes.signers(envelope, envelopes.ENTRY_HEADER, self._keys)), "an entry is not signed")
        header = channel_pb2.EntryHeader.FromString(envelope.payload)
        slots = channel_pb2.EntryBody.FromString(message[LENGTH.size + size :]).slots
        leaves = [sha256(b"\x00" + slot.salt + slot.record).digest() for slot in slots]
        demand(merkle.root(leaves) == header.records_root, "an entry holds other records than were signed")
        return len([record_pb2.Record.FromString(slot.record) for slot in slots])

    def answer(self, requests: Iterator[bytes], _context: Any) -> Iterator[bytes]:
        """Answer every entry with the number of records verified so far."""
        count = 0
        for message in requests:
            count += self.records(message)
            yield COUNT.pack(count)


def receive(home: Home, peer: Home) -> None:
    """Serve until told to end."""
    members = registry_source.load(database(peer).registry_files()).members
    verifier = Verifier(members.active(peer.load().id).active_keys)
    server = grpc.server(ThreadPoolExecutor(2), options=OPTIONS)
    served = grpc.method_handlers_generic_handler(
        METHOD.split("/")[1], {METHOD.split("/")[2]: grpc.stream_stream_rpc_method_handler(verifier.answer)}
    )
    server.add_generic_rpc_handlers((served,))
    own, callers = _identity(home), _identity(peer).certificate_pem
    credentials = tls.server_credentials(lambda: (own.private_key_pem, own.certificate_pem), lambda: callers)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    ended.wait()
    server.stop(None)


def _identity(home: Home) -> TlsIdentity:
    """What a home shows of itself."""
    return home.open_keys(home.load(), {}).tls


# -- sending -----------------------------------------------------------------------------------------------------


def send(home: Home, peer: Home, file: Path, address: str) -> None:
    """Send all entries of a file, and tell how long it took until the last one was answered."""
    own, expected = _identity(home), _identity(peer).certificate
    credentials = tls.channel_credentials([expected], own.private_key_pem, own.certificate_pem)
    options = [*OPTIONS, ("grpc.ssl_target_name_override", tls.peer_name(expected))]
    with grpc.secure_channel(address, credentials, options) as connection:
        grpc.channel_ready_future(connection).result(CONNECT_S)
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = connection.stream_stream(METHOD)
        began = perf_counter()
        (last,) = deque(call(messages(file)), maxlen=1)
        seconds = perf_counter() - began
    print(json.dumps({"seconds": round(seconds, 4), "records": COUNT.unpack(last)[0]}))


if __name__ == "__main__":
    what, own, other, *rest = sys.argv[1:]
    if what == "receive":
        receive(Home(Path(own)), Home(Path(other)))
    else:
        send(Home(Path(own)), Home(Path(other)), Path(rest[0]), rest[1])
