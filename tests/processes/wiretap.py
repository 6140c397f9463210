"""A tap on the wire between nodes: it reads what mutual TLS hides, and neither end of a connection is changed.

The tap stands where a node tells its peers to call. It holds the members' own keys, which the test has: towards the
caller it is the node that is called, towards that node it is the caller. So both ends do their real handshake, and
between them what they say lies open, as HTTP/2. What is not encrypted (the registry's port) is passed on as it is.

tap = Tap(); town.set("310000", advertise=tap.exchange(town, "310000"))
tap.heard("320500")        every byte that this node was sent or has sent, and what stands in it
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.processes.members import certificate_of, server_name
from tests.processes.network import LOOPBACK, Town, free_port

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
DATA, HEADERS, CONTINUATION = 0, 1, 9
PADDED, WITH_PRIORITY = 0x8, 0x20
GRPC_PREFIX_BYTES = 5
PIECE_BYTES = 1 << 16


@dataclass
class Conversation:
    """One connection: who called whom, and what each of them said."""

    caller: str
    called: str
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)

    def readable(self) -> Iterator[bytes]:
        """What was said, as it was sent, and as the messages and headers that it carries."""
        for said in (bytes(self.asked), bytes(self.answered)):
            yield said
            yield from messages(said)


class Tap:
    """Listens for a whole town on a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.conversations: list[Conversation] = []
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="tap", daemon=True)
        self._thread.start()

    def exchange(self, town: Town, node: str) -> str:
        """The address at which the node is called through the tap; all members have their keys by now."""
        pems = {each: certificate_of(town, each) for each in town.plans}
        by_certificate = {_der(certificate): each for each, (_, certificate) in pems.items()}
        inner, inside = self._context(ssl.PROTOCOL_TLS_SERVER, node, pems[node]), town.setting(node, "listen")
        inner.verify_mode = ssl.CERT_REQUIRED
        inner.load_verify_locations(cadata="".join(certificate.decode() for _, certificate in pems.values()))

        async def call(caller: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            outer = self._context(ssl.PROTOCOL_TLS_CLIENT, caller, pems[caller])
            outer.check_hostname = False
            outer.load_verify_locations(cadata=pems[node][1].decode())
            host, _, port = inside.rpartition(":")
            return await asyncio.open_connection(host, int(port), ssl=outer, server_hostname=server_name(pems[node][1]))

        def who(writer: asyncio.StreamWriter) -> str:
            return by_certificate[writer.get_extra_info("ssl_object").getpeercert(binary_form=True)]

        return self._listen(node, who, call, inner)

    def plain(self, called: str, inside: str) -> str:
        """The address at which something without TLS is called through the tap; nobody shows there who calls."""

        async def call(_: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            host, _, port = inside.rpartition(":")
            return await asyncio.open_connection(host, int(port))

        return self._listen(called, lambda _: "anybody", call, None)

    def heard(self, *nodes: str) -> list[Conversation]:
        """The conversations in which one of these took part."""
        return [each for each in self.conversations if each.caller in nodes or each.called in nodes]

    def close(self) -> None:
        """End every connection."""
        self._run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- inside

    def _context(self, protocol: int, node: str, pem: tuple[bytes, bytes]) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.set_alpn_protocols(["h2"])
        path = self._folder / f"tap-{node}.pem"
        path.write_bytes(b"".join(pem))
        path.chmod(0o600)
        context.load_cert_chain(path)
        path.unlink()
        return context

    def _listen(
        self,
        called: str,
        who: Callable[[asyncio.StreamWriter], str],
        call: Callable[[str], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
        context: ssl.SSLContext | None,
    ) -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            said = Conversation(who(writer), called)
            self.conversations.append(said)
            with contextlib.closing(writer), contextlib.suppress(OSError):
                inner_reader, inner_writer = await call(said.caller)
                with contextlib.closing(inner_writer):
                    await asyncio.gather(
                        _pass_on(reader, inner_writer, said.asked), _pass_on(inner_reader, writer, said.answered)
                    )

        port = free_port()
        server = self._run(asyncio.start_server(answer, LOOPBACK, port, ssl=context))
        self._servers.append(server)
        return f"{LOOPBACK}:{port}"

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _shut(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    """Pass on what one side says, until it ends; then the other side is told so."""
    with contextlib.suppress(OSError, ssl.SSLError):
        while piece := await reader.read(PIECE_BYTES):
            kept += piece
            writer.write(piece)
            await writer.drain()
    writer.close()


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


# --- HTTP/2, as far as reading needs it (RFC 9113, RFC 7541) ---------------------------------------------------------


def messages(said: bytes) -> Iterator[bytes]:
    """The gRPC messages of each stream without what frames them, and every block of headers."""
    streams: dict[int, bytearray] = {}
    for kind, stream, payload in _frames(said.removeprefix(PREFACE)):
        if kind == DATA:
            streams.setdefault(stream, bytearray()).extend(payload)
        elif kind in (HEADERS, CONTINUATION):
            yield payload
    for content in streams.values():
        yield from _grpc_messages(bytes(content))


def _frames(said: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + FRAME_HEAD_BYTES <= len(said):
        size, kind, flags = int.from_bytes(said[at : at + 3]), said[at + 3], said[at + 4]
        stream = int.from_bytes(said[at + 5 : at + FRAME_HEAD_BYTES]) & 0x7FFFFFFF
        at += FRAME_HEAD_BYTES
        payload = said[at : at + size]
        at += size
        if kind in (DATA, HEADERS) and flags & PADDED and payload:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == HEADERS and flags & WITH_PRIORITY:
            payload = payload[5:]
        yield kind, stream, payload


def _grpc_messages(content: bytes) -> Iterator[bytes]:
    at = 0
    while at + GRPC_PREFIX_BYTES <= len(content):
        size = int.from_bytes(content[at + 1 : at + GRPC_PREFIX_BYTES])
        yield content[at + GRPC_PREFIX_BYTES : at + GRPC_PREFIX_BYTES + size]
        at += GRPC_PREFIX_BYTES + size


def coded_texts(said: bytes) -> int:
    """How many texts in headers are Huffman coded, and thus not read by whoever searches what was said."""
    kinds = list(_frames(said.removeprefix(PREFACE)))
    assert not any(kind == CONTINUATION for kind, _, _ in kinds), "a block of headers goes on in another frame"
    return sum(_coded_in(payload) for kind, _, payload in kinds if kind == HEADERS)


def _coded_in(block: bytes) -> int:
    at, coded = 0, 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            _, at = _number(block, at, 7)
            continue
        if first & 0xE0 == 0x20:
            _, at = _number(block, at, 5)
            continue
        name, at = _number(block, at, 6 if first & 0x40 else 4)
        for _ in range(1 if name else 2):
            coded += block[at] >> 7
            size, at = _number(block, at, 7)
            at += size
    return coded


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """(a number with a prefix of so many bits, the place after it)."""
    most = (1 << bits) - 1
    value, at = block[at] & most, at + 1
    if value < most:
        return value, at
    shift = 0
    while True:
        value += (block[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not block[at - 1] & 0x80:
            return value, at
