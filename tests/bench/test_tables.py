"""The same records between two real PostgreSQL servers: every row must arrive, as it was."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.bench import clusters as postgresql
from node.bench.alternatives import check_possible
from node.bench.clusters import Cluster, clusters
from node.bench.programs import XINQIAO, StageError
from node.bench.tables import LogicalReplication, Tables
from node.core.errors import XinqiaoError

ROWS = [("1", "91X", "plain"), ("2", "92X", "a\\tb\\\\c\\nd")]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Cluster, ...]]:
    settings = {"wal_level": "logical", "fsync": "off", "shared_buffers": "32MB"}
    with clusters("source", "target", settings=settings) as running:
        yield running


@pytest.fixture
def tables(servers: tuple[Cluster, ...], tmp_path: Path) -> Iterator[Tables]:
    file = tmp_path / "rows"
    file.write_text("".join("\t".join(row) + "\n" for row in ROWS))
    source, target = servers
    made = Tables(source, target, file, ("cf_xdr_shxym", "bz"), len(ROWS))
    for server in servers:
        made.create(server, "records")
    yield made
    for server in servers:
        with server.connect() as session:
            session.execute("DROP TABLE records")


@pytest.mark.parametrize("copies", [False, True])
def test_every_row_is_replicated_again_and_again(tables: Tables, copies: bool) -> None:
    replication = LogicalReplication.prepare(tables, copies=copies)
    assert min(replication.measure(), replication.measure()) > 0
    with tables.target.connect() as session:
        assert session.execute("SELECT bz FROM records ORDER BY id").fetchall() == [("plain",), ("a\tb\\c\nd",)]


def test_a_row_that_is_missing_is_noticed(tables: Tables) -> None:
    with tables.target.connect() as session, pytest.raises(StageError, match="0 of 2 rows"):
        tables.check(session)


def test_a_comparison_that_needs_servers_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "PACKAGE", "not_installed_here")
    check_possible("sqlite", ["limit"])
    for database, names in (("sqlite", ["limit", "signed-file"]), ("postgresql", [])):
        with pytest.raises(XinqiaoError, match="BENCH_POSTGRESQL"):
            check_possible(database, names)


@pytest.mark.long
def test_every_alternative_is_measured_beside_a_real_exchange(tmp_path: Path) -> None:
    names = ("limit", "signed-file", "logical-replication", "initial-sync")
    against = [part for name in names for part in ("--against", name)]
    size = ("--records", "1000", "--rounds", "2", "--dir", str(tmp_path / "work"))
    command = [str(XINQIAO), "bench", "exchange", *size, *against, "--json"]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [each["against"] for each in document["ratios"]] == list(names)
    assert [each["floor"] for each in document["ratios"]] == [0.2, 0.8, 1.0, None]
    for name, ratio in zip(names, document["ratios"], strict=True):
        assert document["against"][name]["records_per_s"]["min"] > 0
        assert 0 < ratio["ratio"]["min"] <= ratio["ratio"]["max"]
