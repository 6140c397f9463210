"""The home of a node: one directory, one lock, one process that serves it.

HOME/                       0700
  xinqiao.toml              the settings; a directory without it holds no node
  keys/                     private keys and keys.json, see node/keys
  descriptor.pb             the newest descriptor this node signed, an Envelope
  xinqiao.db                the database, or else
  database-id               which database on a server it is, see node/storage/databases.py
  heads.json                what this node has signed at most; outside backups, see node/storage
  serve.lock                locked by the process that serves, with its pid
  (no name)                 a workbook while it is read: the system removes it, see node/ingest/spool.py
  admin.sock                where the command line talks to it, 0600
  admin.socket-path         where that socket is instead, if the path of the home is too long for one
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from node import config as settings
from node import files
from node.config import Config
from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.keys import KeyRing, Passphrase, build_descriptor, find_passphrase
from node.pb import envelope_pb2

MAX_SOCKET_PATH_BYTES = 100
"""A socket's path has 108 bytes on Linux and 104 elsewhere, its end included (sys/un.h)."""
_STAGING = ".init-"
_MAX_PID_CHARS = 20
_MAX_DESCRIPTOR_FILE_BYTES = 2 * DEFAULT_LIMITS.max_descriptor_bytes


class Home:
    """The directory of one node: where everything in it is, and the lock on it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def __repr__(self) -> str:
        return f"Home({self.path})"

    @property
    def config_file(self) -> Path:
        """The settings."""
        return self.path / settings.FILE

    @property
    def keys(self) -> Path:
        """The directory of the keys."""
        return self.path / "keys"

    @property
    def descriptor_file(self) -> Path:
        """The newest descriptor this node signed."""
        return self.path / "descriptor.pb"

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.path / "xinqiao.db"

    @property
    def heads_file(self) -> Path:
        """The sidecar with the largest heads signed; it must not be part of a backup."""
        return self.path / "heads.json"

    @property
    def exists(self) -> bool:
        """Whether it holds a node."""
        return self.config_file.exists()

    def load(self) -> Config:
        """The settings; raises HOME_MISSING, CONFIG_UNKNOWN_KEY, CONFIG_INVALID."""
        return settings.load(self.path)

    def open_keys(self, config: Config, environ: Mapping[str, str]) -> KeyRing:
        """The keys, with the passphrase from wherever the operator put it; raises KEY_FILE, KEY_PASSPHRASE."""
        return KeyRing.open(self.keys, find_passphrase(config.passphrase_path(self.path), environ))

    # -- the descriptor ------------------------------------------------------------------------------------

    def descriptor(self) -> envelope_pb2.Envelope:
        """The newest descriptor this node signed; raises KEY_FILE, ENVELOPE_SHAPE."""
        content = files.read_private(self.descriptor_file, _MAX_DESCRIPTOR_FILE_BYTES)
        return envelopes.parse(envelope_pb2.Envelope, content)

    def write_descriptor(self, descriptor: envelope_pb2.Envelope) -> None:
        """Keep a newly signed descriptor, so that its fingerprint stays the one that was printed; raises DISK_FULL."""
        files.replace(self.descriptor_file, descriptor.SerializeToString(deterministic=True))

    # -- the lock ------------------------------------------------------------------------------------------

    def lock(self) -> "HomeLock":
        """Claim the home for this process until the lock is released; raises HOME_MISSING, HOME_LOCKED."""
        if not self.exists:
            raise XinqiaoError("HOME_MISSING", home=self.path)
        return HomeLock(self.path / "serve.lock")

    # -- the admin socket ----------------------------------------------------------------------------------

    def socket(self) -> Path:
        """Where the serving process listens for commands.

        Raises HOME_UNSAFE where others could listen in its place, ADMIN_UNREACHABLE where nobody can.
        """
        try:
            elsewhere = Path(self._socket_record.read_text("utf-8").strip())
        except FileNotFoundError:
            return self.path / "admin.sock"
        if not elsewhere.parent.exists():
            raise XinqiaoError("ADMIN_UNREACHABLE", home=self.path)
        _check_own(elsewhere.parent)
        return elsewhere

    def claim_socket(self, environ: Mapping[str, str]) -> Path:
        """Where to listen for commands, the place of a dead process's socket cleared; needs the lock.

        Raises HOME_UNSAFE where others could put a socket of theirs in its place.
        """
        path = self.path / "admin.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
            self._socket_record.unlink(missing_ok=True)
        else:
            path = _short_directory(environ) / f"{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}.sock"
            files.replace(self._socket_record, f"{path}\n".encode())
        path.unlink(missing_ok=True)
        return path

    @property
    def _socket_record(self) -> Path:
        return self.path / "admin.socket-path"


class HomeLock:
    """A held lock on a home; the system releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, files.PRIVATE_FILE)
        if not _locked(self._descriptor):
            pid = _pid(self._descriptor)
            os.close(self._descriptor)
            raise XinqiaoError("HOME_LOCKED", pid=pid or "unknown", home=path.parent)
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the home free; the file stays, so that two processes never lock two files of one name."""
        if self._descriptor >= 0:
            os.truncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def init_home(
    path: Path, config: Config, now_ms: int, passphrase: Passphrase | None = None, suite: str | None = None
) -> envelope_pb2.Envelope:
    """Create a node: its directory, settings, first keys and first descriptor, which is returned.

    The node exists from the moment the settings are in place, which comes last. What an interrupted run leaves is
    removed by the next one: nobody has seen its fingerprint. Raises HOME_EXISTS, HOME_LOCKED, HOME_UNSAFE,
    CONFIG_INVALID, ARGUMENT_INVALID, DISK_FULL.
    """
    home = Home(path)
    # (1) a directory of our own, and nobody else who makes a node in it
    _refuse_node(home)
    _make_directory(home.path)
    with HomeLock(home.path / "serve.lock"):
        _refuse_used(home)
        # (2) everything is made aside, in one hidden directory
        staging = home.path / f"{_STAGING}{secrets.token_hex(4)}"
        try:
            descriptor = _fill(Home(staging), config, now_ms, passphrase, suite)
            # (3) and moved into place; a crash in between leaves the staged settings, and so a trace of itself
            for name in (home.keys.name, home.descriptor_file.name, home.heads_file.name, home.config_file.name):
                (staging / name).rename(home.path / name)
        except BaseException:
            # An interrupt can arrive after the last move, when the node is there.
            if not home.exists:
                _remove_traces(home)
            raise
        # (4) a crash from here on leaves a node and an empty directory
        staging.rmdir()
        files.sync_directory(home.path)
        files.sync_directory(home.path.parent)
    return descriptor


def _fill(
    staging: Home, config: Config, now_ms: int, passphrase: Passphrase | None, suite: str | None
) -> envelope_pb2.Envelope:
    staging.path.mkdir(mode=files.PRIVATE_DIRECTORY)
    ring = KeyRing.create(staging.keys, config.id, now_ms, passphrase, suite)
    descriptor = build_descriptor(None, config, ring, now_ms)
    staging.write_descriptor(descriptor)
    # It says that nothing is signed yet. A home without it is one that has lost what it signed.
    files.write_new(staging.heads_file, b'{"incarnation": "", "heads": []}\n')
    files.write_new(staging.config_file, settings.render(config).encode())
    # The same reading as at every later start: what could not be started is not created.
    staging.load()
    return descriptor


def _make_directory(path: Path) -> None:
    """An own directory with nobody else's rights; one that is there already, as volumes are, is taken over."""
    try:
        path.mkdir(mode=files.PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        if path.lstat().st_uid == os.geteuid() and not Home(path).exists:
            path.chmod(files.PRIVATE_DIRECTORY)
    except OSError as error:
        raise XinqiaoError("HOME_UNSAFE", path=path, detail=error.strerror or error) from error
    _check_own(path)


def _refuse_node(home: Home) -> None:
    if home.exists:
        raise XinqiaoError("HOME_EXISTS", home=home.path, id=_id_in(home))


def _refuse_used(home: Home) -> None:
    """Raise HOME_EXISTS for a node, HOME_UNSAFE for anything else but what an interrupted run left."""
    _refuse_node(home)
    # Keys without settings may be the last copy of keys in use: they go only where the trace says they never were.
    if any((trace / settings.FILE).exists() for trace in home.path.glob(f"{_STAGING}*")):
        _remove_traces(home)
    for trace in home.path.glob(f"{_STAGING}*"):
        shutil.rmtree(trace)
    found = sorted(each.name for each in home.path.iterdir() if each.name not in ("serve.lock", "lost+found"))
    if found:
        detail = f"it holds no settings, but it is not empty: {', '.join(found[:5])}"
        raise XinqiaoError("HOME_UNSAFE", path=home.path, detail=detail)


def _remove_traces(home: Home) -> None:
    """Undo an interrupted run. The staged settings go last: while they are there, the rest is known to be a trace."""
    shutil.rmtree(home.keys, ignore_errors=True)
    home.descriptor_file.unlink(missing_ok=True)
    home.heads_file.unlink(missing_ok=True)
    for trace in home.path.glob(f"{_STAGING}*"):
        shutil.rmtree(trace)


def _id_in(home: Home) -> str:
    try:
        return home.load().id
    except XinqiaoError:
        return "its settings cannot be read"


def _locked(descriptor: int) -> bool:
    """Take the lock of an open file, False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, _MAX_PID_CHARS, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def _short_directory(environ: Mapping[str, str]) -> Path:
    """A directory of this user with a short path, for the sockets of homes with long ones."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    path = Path(runtime) / "xinqiao"
    if not os.path.isabs(runtime) or len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES - len("/0123456789abcdef.sock"):
        # Anybody may create names there, hence the check of what is found under this one.
        path = Path("/tmp") / f"xinqiao-{os.geteuid()}"  # noqa: S108
    try:
        path.mkdir(mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    except OSError as error:
        raise XinqiaoError("HOME_UNSAFE", path=path, detail=error.strerror or error) from error
    _check_own(path)
    return path


def _check_own(path: Path) -> None:
    fault = files.directory_fault(path)
    if fault:
        raise XinqiaoError("HOME_UNSAFE", path=path, detail=fault)
