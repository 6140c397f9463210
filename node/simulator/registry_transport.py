"""How a simulated node reads the registry: one exchange brings all files of a source, the production code reads them.

Most readings are of the same files by nodes that hold the same: each is done once, as it depends on nothing else.
"""

import asyncio
import hashlib
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import IO

from tuf.api.exceptions import DownloadLengthMismatchError

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2
from node.ports import RegistryState
from node.rpc import registry_source
from node.rpc.registry_fetch import HeldFiles
from node.rpc.registry_transport import SOURCE_DEADLINE_S, Source, read_state

Files = Mapping[str, bytes]
Fetch = Callable[[str], Awaitable[Files | None]]
Report = Callable[[envelope_pb2.Envelope], Awaitable[None]]
Share = Callable[[str, envelope_pb2.Envelope, bytes], Awaitable[Sequence[envelope_pb2.Envelope]]]

_PURE_REFUSALS = "REGISTRY_"
_MAPPINGS_KEPT = 64
_METADATA = re.compile(r"timestamp\.json|[0-9]+\.[a-z0-9-]+\.json")


class SimulatedTransport:
    """RegistryTransport of one node over the simulated network.

    fetch brings the files of a source by its name, None where it does not answer; report hands a head report to the
    registry; share introduces the node to a source by its name. All may raise XinqiaoError.
    """

    def __init__(
        self, fetch: Fetch, report: Report, share: Share, readings: "Readings", deadline_s: float = SOURCE_DEADLINE_S
    ) -> None:
        self._fetch = fetch
        self._report = report
        self._share = share
        self._readings = readings
        self._deadline_s = deadline_s

    async def read(
        self,
        source: Source,
        held: RegistryState | None,
        root_fingerprint: bytes | None,
        valid_at: datetime,
        may_be_late: bool,
    ) -> RegistryState | None:
        """The verified state the source shows; raises as the gRPC transport does."""
        name = source[0]
        files = await self._files(name)
        return self._readings.read(name, files, held, root_fingerprint, valid_at, may_be_late)

    async def report_heads(self, source: Source, report: envelope_pb2.Envelope) -> None:  # noqa: ARG002
        """Hand a signed head report to the registry."""
        await self._report(report)

    async def share_addresses(
        self, source: Source, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Introduce this node to the source; the addresses it answers with."""
        return await self._share(source[0], address, known_digest)

    async def _files(self, name: str) -> Files:
        try:
            async with asyncio.timeout(self._deadline_s):
                files = await self._fetch(name)
        except TimeoutError as error:
            raise _unreachable(name, f"it was not through after {self._deadline_s:g} s") from error
        except XinqiaoError as error:
            raise _unreachable(name, error.text) from error
        if files is None:
            raise _unreachable(name, "it does not answer")
        return files


class Readings:
    """Readings that are done once for all nodes of a run: what they show depends on what is compared here alone.

    A mapping of files that was given here is never changed afterwards.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._answers: dict[tuple[object, ...], _Answer] = {}
        self._loaded: dict[bytes, RegistryState] = {}
        self._states: dict[bytes, RegistryState] = {}
        self._digests: dict[int, tuple[Files, _Digest]] = {}
        self.done = 0
        """How many readings were really done."""

    def read(
        self,
        name: str,
        files: Files,
        held: RegistryState | None,
        root_fingerprint: bytes | None,
        valid_at: datetime,
        may_be_late: bool,
    ) -> RegistryState | None:
        """What read_state shows of these files; the held object itself where nothing is new."""
        shown = self._digest(files)
        owned = self._digest(held.files) if held is not None else _Digest(root_fingerprint or b"", ())
        moments = (shown.moment(valid_at), owned.moment(valid_at))
        key = (held is None, shown.sha256, owned.sha256, *moments, may_be_late)
        # An error names its source.
        answer = self._answers.get(key) or self._answers.get((name, *key))
        if answer is None:
            answer = self._read(name, files, held, root_fingerprint, valid_at, may_be_late)
            self._answers[(name, *key) if answer.refusal else key] = answer
        if answer.refusal is not None:
            code, parameters = answer.refusal
            raise XinqiaoError(code, **parameters)
        return held if answer.is_held else answer.state

    def load(self, files: Files) -> RegistryState:
        """The state that files held in a database add up to; raises as registry_source.load does."""
        sha256 = _sha256(files)
        if sha256 not in self._loaded:
            self._loaded[sha256] = self._shared(registry_source.load(files, self._limits))
        return self._loaded[sha256]

    def _read(
        self,
        name: str,
        files: Files,
        held: RegistryState | None,
        root_fingerprint: bytes | None,
        valid_at: datetime,
        may_be_late: bool,
    ) -> "_Answer":
        self.done += 1
        fetcher = _FilesInMemory(files, self._limits)
        try:
            state = read_state(name, fetcher, held, root_fingerprint, valid_at, may_be_late)
        except XinqiaoError as error:
            if not error.code.startswith(_PURE_REFUSALS):
                raise
            return _Answer(refusal=(error.code, error.parameters))
        if state is not None and state is held:
            return _Answer(is_held=True)
        return _Answer(state=self._shared(state) if state is not None else None)

    def _shared(self, state: RegistryState) -> RegistryState:
        """The one object for a state: whoever reads the same files holds the same."""
        return self._states.setdefault(self._digest(state.files).sha256, state)

    def _digest(self, files: Files) -> "_Digest":
        known = self._digests.get(id(files))
        if known is None or known[0] is not files:
            if len(self._digests) >= _MAPPINGS_KEPT:
                self._digests.clear()
            known = self._digests[id(files)] = (files, _Digest(_sha256(files), _expiries(files)))
        return known[1]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one reading came to: a state or None where the source was late, the held state, or a refusal."""

    state: RegistryState | None = None
    is_held: bool = False
    refusal: tuple[str, Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class _Digest:
    """All that a reading can see of files: their content, and when the metadata among them expires."""

    sha256: bytes
    expiries: tuple[datetime, ...]

    def moment(self, valid_at: datetime) -> tuple[int, int]:
        """Where a time lies among the expiries."""
        return bisect_left(self.expiries, valid_at), bisect_right(self.expiries, valid_at)


class _FilesInMemory(HeldFiles):
    """Files of a source that are all here already; python-tuf would write each to a temporary file first."""

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """The file, of at most max_length bytes."""
        content = b"".join(self.fetch(url))
        if len(content) > max_length:
            raise DownloadLengthMismatchError(f"{len(content)} bytes exceed the {max_length} allowed")
        yield BytesIO(content)


def _sha256(files: Files) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        digest.update(f"{len(name)} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.digest()


def _expiries(files: Files) -> tuple[datetime, ...]:
    """When each metadata file expires, ascending; python-tuf compares a time with nothing else."""
    found = (_expires(files[name]) for name in files if _METADATA.fullmatch(name))
    return tuple(sorted(expires for expires in found if expires is not None))


def _expires(content: bytes) -> datetime | None:
    try:
        expires = datetime.fromisoformat(json.loads(content)["signed"]["expires"])
    except (KeyError, RecursionError, TypeError, ValueError):
        # python-tuf refuses what cannot be read, whatever the time.
        return None
    return expires if expires.tzinfo is not None else expires.replace(tzinfo=UTC)


def _unreachable(name: str, detail: str) -> XinqiaoError:
    return XinqiaoError("REGISTRY_UNREACHABLE", source=name, detail=f"{name}: {detail}")
