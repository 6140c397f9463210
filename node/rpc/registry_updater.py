"""python-tuf's client with the time given instead of read, and with an answer to "which targets are there?".

The only place that touches a private attribute of python-tuf; a test pins it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

from tuf.api.metadata import Root, Signed, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from node.rpc.registry_chain import Chain, local_names
from node.rpc.registry_fetch import BASE_URL, RegistryFetcher

TOP = "targets"


class DatedUpdater(Updater):
    """One reading of one source: verified at a given time, continuing the metadata that is held.

    directory is an empty directory of its own. Raises what python-tuf raises.
    """

    def __init__(
        self,
        directory: Path,
        fetcher: RegistryFetcher,
        trusted_root: bytes,
        held: Mapping[str, bytes],
        valid_at: datetime,
    ) -> None:
        _fill(directory, held)
        limit = fetcher.limits.max_registry_file_bytes
        config = UpdaterConfig(snapshot_max_length=limit, targets_max_length=limit)
        super().__init__(str(directory), BASE_URL, fetcher=fetcher, config=config, bootstrap=trusted_root)
        # python-tuf has read the clock by now. Setting a name it no longer looks at would turn expiry off.
        if not isinstance(getattr(self._trusted_set, "reference_time", None), datetime):
            raise TypeError("this version of python-tuf keeps its reference time elsewhere")
        self._trusted_set.reference_time = valid_at

    def load(self) -> Chain:
        """Refresh, load every delegated role there is, and return the verified metadata."""
        self.refresh()
        roles = list(self._roles())
        directory = Path(self._dir)
        return Chain(
            roots=tuple(
                (directory / "root_history" / f"{version}.root.json").read_bytes()
                for version in range(1, self.root.version + 1)
            ),
            timestamp=(directory / "timestamp.json").read_bytes(),
            snapshot=(directory / "snapshot.json").read_bytes(),
            roles={role: (directory / f"{quote(role, '')}.json").read_bytes() for role in roles},
        )

    @property
    def root(self) -> Root:
        """The newest root verified so far."""
        return self._trusted_set.root

    def verified(self, role: str) -> Signed | None:
        """What is verified of a role so far, expired or not."""
        return cast("Signed | None", self._trusted_set.get(role))

    def targets(self, roles: Mapping[str, bytes]) -> Iterator[tuple[str, TargetFile | None]]:
        """Every path that a role lists, with what TUF's own lookup says of it: None where nobody may list it."""
        paths = {path for role in roles for path in cast("Targets", self.verified(role)).targets}
        for path in sorted(paths):
            yield path, self.get_targetinfo(path)

    def _roles(self) -> Iterator[str]:
        # Each role in the order of the delegations. A lookup of any path that a role is responsible for
        # makes python-tuf load and verify it; there is no other public way.
        pending = [TOP]
        seen: set[str] = set()
        while pending:
            role = pending.pop(0)
            if role in seen or self.verified(role) is None:
                continue
            seen.add(role)
            yield role
            delegations = cast("Targets", self.verified(role)).delegations
            for child in ((delegations and delegations.roles) or {}).values():
                for pattern in (child.paths or [])[:1]:
                    self.get_targetinfo(pattern.replace("*", "_").replace("?", "_"))
                pending.append(child.name)


def _fill(directory: Path, held: Mapping[str, bytes]) -> None:
    (directory / "root_history").mkdir()
    for name, local in local_names(held).items():
        (directory / local).write_bytes(held[name])
