"""The registry's home: what a crash leaves, who may write, and what strangers can fill it with."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.membership import fingerprint_of
from registry import authority, keys, proposals
from registry.disk import Disk
from registry.store import REQUEST_LIFE_MS, Store
from tests.registry.client import Reader
from tests.registry.conftest import moved
from tests.registry.town import Node, Town, now_ms

HOUR_MS = 3_600_000


class CrashError(Exception):
    """The machine stops here."""


class FailingDisk(Disk):
    """Stops at the n-th change: before it reached the disk, or after."""

    def __init__(self, at: int, *, persisted: bool) -> None:
        self.left = at
        self.persisted = persisted

    def write(self, path: Path, content: bytes) -> None:
        """Write, or stop."""
        self._perhaps(lambda: super(FailingDisk, self).write(path, content))

    def remove(self, path: Path) -> None:
        """Remove, or stop."""
        self._perhaps(lambda: super(FailingDisk, self).remove(path))

    def _perhaps(self, act: Callable[[], None]) -> None:
        self.left -= 1
        if self.left != 0:
            act()
            return
        if self.persisted:
            act()
        raise CrashError


class CountingDisk(Disk):
    """Notes the order of writing."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def write(self, path: Path, content: bytes) -> None:
        """Write and note."""
        super().write(path, content)
        self.names.append(path.name)


def complete(town: Town) -> proposals.Proposal:
    """A proposal that begins a region and renews the root, with all signatures."""
    envelope = Node("320500", "苏州市", "city").request()
    authority.request_membership(town.store, envelope, now_ms())
    proposal = town.propose("approve", "320500", "--fingerprint", fingerprint_of(envelope))
    signed = proposals.parse(proposal.read_bytes(), "")
    for folder in town.officers:
        signed = proposals.sign(signed, keys.load(folder / "key.pem", None, ""))
    return signed


def submit(town: Town, proposal: proposals.Proposal, disk: Disk | None = None) -> None:
    store = Store(town.home, disk=disk)
    authority.submit(store, {"": proposal}, authority.open_online_key(store, None), now_ms())


def writes_of_a_publication() -> int:
    """Two targets roles, one file, snapshot and timestamp with their notes, the request that was decided."""
    return 8


def test_a_publication_writes_the_timestamp_last(member: tuple[Town, Node]) -> None:
    town, _ = member
    disk = CountingDisk()
    submit(town, complete(town), disk)
    assert [name.partition(".")[2] if name[0].isdigit() and len(name) < 60 else name[-11:] for name in disk.names] == [
        "320500.json",
        "region-32.json",
        "targets.json",
        "signed.json",
        "snapshot.json",
        "signed.json",
        "timestamp.json"[-11:],
    ]
    assert len(disk.names) + 1 == writes_of_a_publication()


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("at", range(1, writes_of_a_publication() + 1))
def test_a_crash_at_any_write_leaves_a_registry_that_clients_accept(
    member: tuple[Town, Node], at: int, persisted: bool
) -> None:
    town, _ = member
    proposal = complete(town)
    reader = town.reader()
    with pytest.raises(CrashError):
        submit(town, proposal, FailingDisk(at, persisted=persisted))
    # (1) the old state or the new one is in force, whole, for an old client and for a new one
    visible = at > 7 or (at == 7 and persisted)
    for client in (reader.again(), town.reader()):
        assert client.get("nodes/31/310115.json") is not None
        assert (client.get("nodes/32/320500.json") is not None) is visible
    # (2) submitting again goes through, and nothing an old client saw is taken back
    submit(town, proposal)
    for client in (reader.again(), town.reader()):
        assert client.get("nodes/32/320500.json") is not None
    # (3) the home goes on as if nothing had happened
    assert authority.keep_fresh(town.store, authority.open_online_key(town.store, None), now_ms() + 13 * HOUR_MS)
    town.decide("suspend", "320500")
    assert reader.again().get(paths.cut_path("320500")) is not None


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_crash_while_the_root_is_renewed_leaves_a_chain_that_clients_walk(
    member: tuple[Town, Node], at: int, persisted: bool
) -> None:
    town, _ = member
    signed = proposals.parse(town.propose("renew", "root").read_bytes(), "")
    for folder in town.officers[:2]:
        signed = proposals.sign(signed, keys.load(folder / "key.pem", None, ""))
    with pytest.raises(CrashError):
        submit(town, signed, FailingDisk(at, persisted=persisted))
    assert town.reader().version("root") == (2 if at > 1 or persisted else 1)
    submit(town, signed)
    assert town.reader().version("root") == 2


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_crash_while_founding_leaves_nothing_or_the_network(tmp_path: Path, at: int, persisted: bool) -> None:
    town = Town(tmp_path)
    for officer in town.officers:
        officer.mkdir()
    publics = [keys.generate(officer / "key.pem", None) for officer in town.officers]
    town.home.mkdir()
    online = keys.generate(town.home / "online.pem", None)
    assert online.key_id not in {public.key_id for public in publics}
    signer = keys.load(town.home / "online.pem", None, "")
    founding = authority.found(town.store, "delta", publics, 2, authority.Editions(), signer, now_ms())
    for officer in town.officers[:2]:
        founding = proposals.sign(founding, keys.load(officer / "key.pem", None, ""))
    try:
        submit(town, founding, FailingDisk(at, persisted=persisted))
    except CrashError:
        submit(town, founding)
    assert town.reader().get("network.json") is not None


def test_a_crash_while_making_a_home_leaves_one_that_can_be_made(tmp_path: Path) -> None:
    public = keys.generate(tmp_path / "officer.pem", None)
    home = tmp_path / "home"
    home.mkdir()
    keys.generate(home / "online.pem", None)
    signer = keys.load(home / "online.pem", None, "")
    for at in (1, 2):
        with pytest.raises(CrashError):
            authority.found(
                Store(home, disk=FailingDisk(at, persisted=False)),
                "delta",
                [public],
                1,
                authority.Editions(),
                signer,
                now_ms(),
            )
        with pytest.raises(XinqiaoError, match="REGISTRY_HOME_MISSING"):
            Store(home).founded()
    authority.found(Store(home), "delta", [public], 1, authority.Editions(), signer, now_ms())
    with pytest.raises(XinqiaoError, match="REGISTRY_UNSIGNED"):
        Store(home).founded()
    with pytest.raises(XinqiaoError, match="REGISTRY_HOME_EXISTS"):
        authority.found(Store(home), "delta", [public], 1, authority.Editions(), signer, now_ms())


# --- The online key -----------------------------------------------------------------------------------------


def test_the_online_key_signs_one_body_for_a_version(town: Town) -> None:
    newest = town.store.next_version("snapshot", 0)
    town.store.claim("snapshot", newest, b"one")
    town.store.claim("snapshot", newest, b"one")
    with pytest.raises(XinqiaoError, match="REGISTRY_TWO_FACES"):
        town.store.claim("snapshot", newest, b"two")
    with pytest.raises(XinqiaoError, match="REGISTRY_TWO_FACES"):
        town.store.claim("snapshot", newest - 1, b"one")
    assert town.store.next_version("snapshot", 0) == newest + 1
    assert town.store.next_version("snapshot", newest + 5) == newest + 6


def test_timestamp_and_snapshot_are_kept_fresh(town: Town) -> None:
    online = authority.open_online_key(town.store, None)
    reader = town.reader()
    first = reader.version("timestamp"), reader.version("snapshot")
    assert not authority.keep_fresh(town.store, online, now_ms() + 11 * HOUR_MS)
    assert authority.keep_fresh(town.store, online, now_ms() + 12 * HOUR_MS + 2000)
    reader.again()
    assert (reader.version("timestamp"), reader.version("snapshot")) == (first[0] + 1, first[1])
    assert authority.keep_fresh(town.store, online, now_ms() + 100 * HOUR_MS)
    reader.again()
    assert (reader.version("timestamp"), reader.version("snapshot")) == (first[0] + 2, first[1] + 1)


def test_another_online_key_than_the_listed_one_is_refused(town: Town) -> None:
    (town.home / "online.pem").unlink()
    keys.generate(town.home / "online.pem", None)
    with pytest.raises(XinqiaoError, match="KEY_MISMATCH"):
        authority.open_online_key(town.store, None)


def test_a_root_that_is_published_is_never_replaced(member: tuple[Town, Node]) -> None:
    town, _ = member
    state = town.store.founded()
    root = state.root
    root.signed.unrecognized_fields["x"] = 1
    before = town.store.file("1.root.json")
    with pytest.raises(XinqiaoError, match="REGISTRY_TWO_FACES"):
        town.store.put_role("root", root)
    assert town.store.file("1.root.json") == before


# --- Several writers ----------------------------------------------------------------------------------------


WRITER = """
import os, sys
from pathlib import Path
from registry.store import Store
from tests.registry.town import Node, now_ms
from node.core.membership import open_descriptor

store = Store(Path(sys.argv[1]))
descriptor = open_descriptor(Node(sys.argv[2]).request())
for _ in range(20):
    with store.writing():
        store.add_request(descriptor, now_ms())
        store.claim("test", store.next_version("test", 0), os.urandom(8))
"""


def test_two_processes_that_write_at_once_lose_nothing(town: Town) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", WRITER, str(town.home)]
    writers = [subprocess.Popen([*command, node], cwd=root) for node in ("310001", "310002")]
    assert [writer.wait(20) for writer in writers] == [0, 0]
    assert sorted(request.id for request in town.store.requests()) == ["310001", "310002"]
    assert town.store.next_version("test", 0) == 41


def test_a_home_is_served_once(town: Town) -> None:
    with town.store.serving():
        with pytest.raises(XinqiaoError, match="HOME_LOCKED") as refused, Store(town.home).serving():
            pass
        assert refused.value.parameters["pid"] == str(os.getpid())
    with Store(town.home).serving():
        pass


# --- What strangers can fill --------------------------------------------------------------------------------


def test_pending_requests_are_bounded_for_all_and_for_each_id(town: Town) -> None:
    store = Store(town.home, Limits(max_join_requests=5, max_join_requests_per_id=2))
    now = now_ms()
    first = Node("310115").request()
    for envelope in (first, Node("310115").request(), first):
        authority.request_membership(store, envelope, now)
    with pytest.raises(XinqiaoError, match="RATE_LIMITED"):
        authority.request_membership(store, Node("310115").request(), now)
    for number in range(3):
        authority.request_membership(store, Node(f"31000{number}").request(), now)
    with pytest.raises(XinqiaoError, match="RATE_LIMITED"):
        authority.request_membership(store, Node("310009").request(), now)
    # Filing what is filed already is no new request, and age makes room.
    assert authority.request_membership(store, first, now)
    authority.request_membership(store, Node("310009").request(), now + REQUEST_LIFE_MS + 1)
    assert [request.id for request in store.requests()] == ["310009"]


def test_open_proposals_are_bounded(member: tuple[Town, Node]) -> None:
    town, _ = member
    store = Store(town.home, Limits(max_open_proposals=1))
    online = authority.open_online_key(store, None)
    made = [proposals.parse(town.propose("suspend", "310115", "--reason", each).read_bytes(), "") for each in "ab"]
    authority.submit(store, {"": made[0]}, online, now_ms())
    with pytest.raises(XinqiaoError, match="RATE_LIMITED"):
        authority.submit(store, {"": made[1]}, online, now_ms())


@pytest.mark.parametrize(
    "name",
    [
        "../registry.json",
        "nodes/../../registry.json",
        "/etc/passwd.json",
        "nodes//x.json",
        ".timestamp.json.partial",
        "timestamp.json/",
        "timestamp.json\n",
        "timestamp",
        "",
        "nodes/31",
        "a/b/c/d.json",
        "no\0des/x.json",
        "%2e%2e/registry.json",
        "x" * 5000 + ".json",
    ],
)
def test_only_published_names_are_read(town: Town, name: str) -> None:
    (town.home / "published" / ".timestamp.json.partial").write_bytes(b"{}")
    assert town.store.file(name) is None


def test_a_link_among_the_published_files_leads_nowhere(town: Town) -> None:
    (town.home / "published" / "9.root.json").symlink_to(town.home / "registry.json")
    assert town.store.file("9.root.json") is None


@pytest.mark.parametrize(("node", "fingerprint"), [("../x", "00" * 32), ("310115", "../../registry"), ("310115", "")])
def test_a_request_is_looked_up_by_well_formed_names_only(town: Town, node: str, fingerprint: str) -> None:
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        authority.request_state(town.store, node, fingerprint)


def test_a_home_that_was_moved_is_the_same_registry(member: tuple[Town, Node], tmp_path: Path) -> None:
    town, _ = member
    copied = moved(town, tmp_path / "elsewhere")
    assert Reader(copied.store.file, town.store.file("1.root.json") or b"").get("nodes/31/310115.json")
