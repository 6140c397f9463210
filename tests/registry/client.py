"""A reader of a registry as a node is one: python-tuf's own Updater over a fetcher."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

Source = Callable[[str], bytes | None]
BASE = "xinqiao://registry/"


class Fetcher(FetcherInterface):
    """Fetches published files by name from wherever `source` takes them; None is TUF's 404."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fetched: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(BASE)
        self.fetched.append(name)
        content = self.source(name)
        if content is None:
            raise DownloadHTTPError(f"no {name}", 404)
        return iter([content])


class Reader:
    """One client with its own cache, started from one root."""

    def __init__(self, source: Source, root: bytes) -> None:
        self.source = source
        self.kept = tempfile.TemporaryDirectory(prefix="xinqiao-reader-")
        self.folder = Path(self.kept.name)
        self.root = root
        self.updater = self._refreshed()

    def _refreshed(self) -> Updater:
        fetcher = Fetcher(self.source)
        cache, targets = self.folder / "metadata", self.folder / "targets"
        cache.mkdir(exist_ok=True)
        targets.mkdir(exist_ok=True)
        updater = Updater(str(cache), BASE, str(targets), BASE, fetcher, bootstrap=self.root)
        updater.refresh()
        return updater

    def again(self) -> "Reader":
        """Refresh with the same cache: what is older than before is refused."""
        self.updater = self._refreshed()
        return self

    def get(self, path: str) -> bytes | None:
        """Return a verified target, None when the registry lists none."""
        info = self.updater.get_targetinfo(path)
        return Path(self.updater.download_target(info)).read_bytes() if info else None

    def version(self, role: str) -> int:
        """Return the version of a role that was verified."""
        version: int = self.updater._trusted_set[role].version
        return version
