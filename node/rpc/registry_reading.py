"""One reading of the registry's files from one source, verified by python-tuf, into one RegistryState.

python-tuf checks signatures, thresholds, versions, lengths, hashes and expiry. What it leaves open is done here:
two different files of one version are noticed, the members are read, and every failure gets a code that names
its source.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import TargetFile
from tuf.ngclient import UpdaterConfig

from node.core.errors import XinqiaoError
from node.core.registry_targets import NETWORK_TARGET, members_from, network_id, parse_network, root_fingerprint
from node.pb import registry_pb2
from node.ports import RegistryState
from node.rpc.registry_chain import (
    TIMESTAMP_NAME,
    Chain,
    binding_faces,
    chain_of,
    contradiction,
    faces,
    is_second_root,
    lowered,
    parse,
    timestamp_faces,
    version_of,
)
from node.rpc.registry_fetch import BASE_URL, RegistryFetcher
from node.rpc.registry_updater import DatedUpdater

FIRST_ROOT = "1.root.json"
ALWAYS = datetime.min.replace(tzinfo=UTC)
"""A reference time at which nothing has expired."""


class Reading:
    """One reading of one source; blocking, for a worker thread."""

    def __init__(
        self,
        source: str,
        fetcher: RegistryFetcher,
        trusted_root: bytes,
        held: RegistryState | None = None,
        valid_at: datetime = ALWAYS,
        may_be_late: bool = False,
    ) -> None:
        self._source = source
        self._fetcher = fetcher
        self._trusted_root = trusted_root
        self._held = held
        self._held_chain = chain_of(held.files) if held else None
        self._valid_at = valid_at
        self._may_be_late = may_be_late

    def read(self) -> RegistryState | None:
        """The verified state the source shows, the held object itself where nothing is new.

        None where the source may be late and is: a node that has not refreshed yet is no fault of anybody.
        What has expired before valid_at is refused. Raises REGISTRY_EXPIRED, REGISTRY_INVALID,
        REGISTRY_ROLLBACK, REGISTRY_TWO_FACES, REGISTRY_UNREACHABLE, and TEMPORARY_FILES where this machine fails.
        """
        try:
            with TemporaryDirectory(prefix="xinqiao-registry-") as directory:
                return self._read(Path(directory))
        except OSError as error:
            raise XinqiaoError("TEMPORARY_FILES", detail=error.strerror or error) from error

    def _read(self, directory: Path) -> RegistryState | None:
        updater: DatedUpdater | None = None
        held = self._held.files if self._held else {}
        try:
            updater = DatedUpdater(directory, self._fetcher, self._trusted_root, held, self._valid_at)
            chain = updater.load()
            self._check_faces(chain, updater)
            if self._held and self._held_chain == chain:
                return self._held
            return self._state(chain, self._targets(updater, chain))
        except (RepositoryError, DownloadError, RecursionError, ValueError) as error:
            refusal = self._refusal(error, updater)
            if self._is_late(refusal):
                return None
            raise refusal from error
        except XinqiaoError as error:
            raise self._named(error) from error

    # --- The steps ------------------------------------------------------------------------------------------

    def _check_faces(self, chain: Chain, updater: DatedUpdater) -> None:
        # 1. Without hashes a file could change under its version and nobody would notice.
        shown = faces(chain)
        if not all(shown.values()):
            raise self._invalid("timestamp.json or snapshot.json names a file without its SHA-256")
        # 2. python-tuf keeps its own file where a version is equal: compare what was served as well.
        if self._held_chain is not None:
            offered = self._fetcher.fetched.get(TIMESTAMP_NAME, chain.timestamp)
            bound = binding_faces(self._held_chain, updater.root)
            self._refuse_two_faces(contradiction(bound, timestamp_faces(offered)))
            self._refuse_two_faces(contradiction(bound, shown))
        # 3. A second face of a held root shows where its successor is new, as held roots are not fetched again.
        if self._held_chain is not None and len(chain.roots) > len(self._held_chain.roots):
            self._compare_root(self._held_chain)

    def _targets(self, updater: DatedUpdater, chain: Chain) -> dict[str, tuple[str, bytes]]:
        """Path -> (published name, content) of every target, fetched where it is not held."""
        found: dict[str, tuple[str, bytes]] = {}
        held = self._held.files if self._held else {}
        for path, listed in updater.targets(chain.roles):
            if listed is None:
                raise self._invalid(f"{path} is listed by a role that may not list it")
            name = _hashed_name(listed)
            if name is None:
                raise self._invalid(f"{path} is listed without its SHA-256")
            content = held.get(name)
            if content is None:
                content = self._fetcher.download_bytes(f"{BASE_URL}{name}", listed.length)
            listed.verify_length_and_hashes(content)
            found[path] = name, content
        return found

    def _state(self, chain: Chain, named: Mapping[str, tuple[str, bytes]]) -> RegistryState:
        targets = {path: content for path, (_, content) in named.items()}
        if NETWORK_TARGET not in targets:
            raise self._invalid(f"{NETWORK_TARGET} is missing")
        network = network_id(parse_network(targets[NETWORK_TARGET]), root_fingerprint(chain.roots[0]))
        if self._held is not None and network != self._held.network:
            raise self._invalid(f"it calls the network {network} that is {self._held.network}")
        return RegistryState(
            network=network,
            # Never the held ones: a duty may have narrowed them.
            members=members_from(network, targets, self._fetcher.limits),
            targets=targets,
            versions=_versions(chain),
            expires_ms=min(chain.expiries().values()),
            files=chain.files() | dict(named.values()),
        )

    # --- The refusals ---------------------------------------------------------------------------------------

    def _refusal(self, error: Exception, updater: DatedUpdater | None) -> XinqiaoError:
        name = next(reversed(self._fetcher.fetched), "its answer")
        match error:
            case DownloadError():
                return _download_refusal(self._source, error)
            case ExpiredMetadataError() if updater is not None:
                return self._expired(updater)
            case BadVersionNumberError() if (below := self._lowered()) is not None:
                role, found, held = below
                return XinqiaoError("REGISTRY_ROLLBACK", source=self._source, role=role, found=found, held=held)
        # A second root, signed as the one held, makes all that follows it look wrongly signed.
        try:
            if self._held_chain is not None:
                self._compare_root(self._held_chain)
        except XinqiaoError as second:
            return second
        return self._invalid(f"{name}: {str(error) or type(error).__name__}")

    def _is_late(self, refusal: XinqiaoError) -> bool:
        behind = refusal.code == "REGISTRY_ROLLBACK" and refusal.parameters["role"] == "timestamp"
        timestamp = self._fetcher.fetched.get(TIMESTAMP_NAME)
        return self._may_be_late and behind and timestamp is not None and not self._is_expired(timestamp)

    def _is_expired(self, content: bytes) -> bool:
        return bool(parse(content).signed.is_expired(self._valid_at))

    def _lowered(self) -> tuple[str, int, int] | None:
        if self._held_chain is None:
            return None
        timestamp = self._fetcher.fetched.get(TIMESTAMP_NAME)
        newest = next(reversed(self._fetcher.fetched.items()), ("", b""))
        snapshot = newest[1] if newest[0].endswith(".snapshot.json") else None
        return lowered(self._held_chain, timestamp, snapshot)

    def _compare_root(self, held: Chain) -> None:
        """Fetch the newest held root from the source: raises REGISTRY_TWO_FACES, REGISTRY_INVALID for another one."""
        version = len(held.roots)
        try:
            found = self._fetcher.download_bytes(f"{BASE_URL}{version}.root.json", len(held.roots[-1]) * 4)
            if is_second_root(held, found):
                raise self._two_faces("root", version)
            if parse(found).signed_bytes != parse(held.roots[-1]).signed_bytes:
                raise self._invalid(f"its {version}.root.json is not that of this network")
        except (RepositoryError, DownloadError, ValueError):
            # It shows no such root: what was found before stands.
            return

    def _refuse_two_faces(self, found: tuple[str, int] | None) -> None:
        if found is not None:
            raise self._two_faces(*found)

    def _two_faces(self, role: str, version: int) -> XinqiaoError:
        return XinqiaoError("REGISTRY_TWO_FACES", source=self._source, role=role, version=version)

    def _expired(self, updater: DatedUpdater) -> XinqiaoError:
        for role in ("root", "timestamp", "snapshot"):
            signed = updater.verified(role)
            if signed is not None and signed.is_expired(self._valid_at):
                return expired(self._source, role, int(signed.expires.timestamp() * 1000))
        name, content = next(reversed(self._fetcher.fetched.items()))
        expires = parse(content).signed.expires
        return expired(self._source, name.split(".")[-2], int(expires.timestamp() * 1000))

    def _invalid(self, detail: str) -> XinqiaoError:
        return XinqiaoError("REGISTRY_INVALID", source=self._source, detail=detail)

    def _named(self, error: XinqiaoError) -> XinqiaoError:
        """The error with the source's name; what the core refuses in a target makes the source's files invalid."""
        if error.code == "REGISTRY_INVALID":
            return self._invalid(error.parameters.get("detail", ""))
        return error if error.code.startswith("REGISTRY_") else self._invalid(error.text)


def fetch_first_root(source: str, fetcher: RegistryFetcher, fingerprint: bytes) -> bytes:
    """The root version 1 that has the fingerprint an officer read out.

    Raises REGISTRY_FINGERPRINT, REGISTRY_INVALID, REGISTRY_UNREACHABLE.
    """
    try:
        root = fetcher.download_bytes(f"{BASE_URL}{FIRST_ROOT}", UpdaterConfig.root_max_length)
    except DownloadError as error:
        raise _download_refusal(source, error) from error
    found = root_fingerprint(root)
    if found != fingerprint:
        raise XinqiaoError("REGISTRY_FINGERPRINT", source=source, found=found.hex(), expected=fingerprint.hex())
    return root


def _download_refusal(source: str, error: DownloadError) -> XinqiaoError:
    if isinstance(error, DownloadLengthMismatchError):
        return XinqiaoError("REGISTRY_INVALID", source=source, detail=f"it sends more than a file may hold: {error}")
    return XinqiaoError("REGISTRY_UNREACHABLE", source=source, detail=f"{source}: {error}")


def expired(source: str, role: str, expires_ms: int) -> XinqiaoError:
    """REGISTRY_EXPIRED with a time that people read."""
    when = datetime.fromtimestamp(expires_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return XinqiaoError("REGISTRY_EXPIRED", source=source, role=role, expires=when)


def _versions(chain: Chain) -> registry_pb2.RegistryVersions:
    return registry_pb2.RegistryVersions(
        root_version=len(chain.roots),
        timestamp_version=version_of(chain.timestamp),
        snapshot_version=version_of(chain.snapshot),
        snapshot_hash=hashlib.sha256(chain.snapshot).digest(),
    )


def _hashed_name(listed: TargetFile) -> str | None:
    digest = listed.hashes.get("sha256")
    folder, slash, name = listed.path.rpartition("/")
    return f"{folder}{slash}{digest}.{name}" if digest else None
