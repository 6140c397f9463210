"""A side process: a program that a node starts beside itself, on one end of a socket, for what keeps a processor busy.

It is told nothing that was told to the node, and stands back for it. What the node sends is trusted there; what comes
back is read as plain values only. Messages are pickles, each after its length.
"""

import contextlib
import io
import os
import pickle
import signal
import socket
import sys
from pathlib import Path
from typing import Any, BinaryIO

LENGTH_BYTES = 4
SOCKET_BYTES = 1024 * 1024
TOLD_TO_THE_NODE = ("XINQIAO_", "CREDENTIALS_DIRECTORY")
BEHIND = 10
"""Its niceness: nothing urgent is done beside the node, whose own work goes first where processors are short."""


class _PlainUnpickler(pickle.Unpickler):
    """Reads numbers, texts, bytes and what holds them; nothing that would have to be imported."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} in an answer")


def read_plain(message: bytes) -> Any:
    """The plain values of an answer; raises UnpicklingError, EOFError, LookupError or ValueError for any other one."""
    return _PlainUnpickler(io.BytesIO(message)).load()


def write(stream: BinaryIO, message: bytes) -> None:
    """Write a message after its length."""
    stream.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
    stream.flush()


# --- At the node --------------------------------------------------------------------------------------------------


def ends() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new socket: the node's and the process's."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    return ours, theirs


def command(module: str) -> tuple[str, ...]:
    """How a module is started; -P: what lies in the folder that the node was started in is not imported."""
    return sys.executable, "-P", "-m", module


def environment() -> dict[str, str]:
    """What an interpreter needs to start, and nothing that was told to the node: a passphrase may be among it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(TOLD_TO_THE_NODE)}


# --- In the process -----------------------------------------------------------------------------------------------


def stand_back() -> None:
    """Leave signals to the node, which drains before it closes the socket, and processors to whoever needs them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(BEHIND)
    with contextlib.suppress(OSError):  # Linux: where processors are shared out to sessions first, and then in them
        Path("/proc/self/autogroup").write_text(str(BEHIND), "utf-8")
