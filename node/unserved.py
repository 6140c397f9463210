"""Examining a home that nobody serves: its keys, its disk, its database, as far as they can be tried without a node."""

from collections.abc import Callable, Iterator

from node import files
from node.config import Config
from node.core import diagnosis
from node.core.diagnosis import Check, Finding
from node.core.errors import XinqiaoError
from node.home import Home
from node.keys import KeyRing, Passphrase
from node.pb import registry_pb2
from node.ports import Clock
from node.rpc import registry_source
from node.rpc.foreseeing import space
from node.storage.databases import Database


def examine(
    home: Home, config: Config, passphrase: Passphrase | None, database: Database, clock: Clock
) -> Iterator[Finding]:
    """What is found, one after another; needs the lock of the home."""
    attempts: tuple[tuple[Check, Callable[[], Finding]], ...] = (
        (Check.KEYS, lambda: _try_keys(home, config, passphrase, database)),
        (Check.DISK, lambda: _try_disk(home, database, clock)),
        (Check.DATABASE, lambda: _try_database(database)),
    )
    for check, attempt in attempts:
        try:
            yield attempt()
        except XinqiaoError as error:
            yield diagnosis.fault(check, "", error)


def _try_keys(home: Home, config: Config, passphrase: Passphrase | None, database: Database) -> Finding:
    ring = KeyRing.open(home.keys, passphrase)
    ring.signer.sign(b"xinqiao doctor")
    listed = _listed(config, database)
    if listed is not None:
        ring.check_listed(listed)
    return diagnosis.fine(Check.KEYS, signing=ring.signer.key_id[:16], tls=ring.tls.key_id[:16])


def _listed(config: Config, database: Database) -> registry_pb2.NodeDescriptor | None:
    """What the registry lists of a node as its database has it, None where that cannot be read."""
    try:
        member = registry_source.load(database.registry_files()).members.get(config.id)
    except XinqiaoError:
        return None  # the database is tried by itself
    return member.descriptor.message if member is not None else None


def _try_disk(home: Home, database: Database, clock: Clock) -> Finding:
    took_ms = files.timed_write(home.path, clock.monotonic_s)
    return diagnosis.disk(home.path, space(home, database), took_ms, clock.now_ms())


def _try_database(database: Database) -> Finding:
    database.examine()
    return diagnosis.fine(Check.DATABASE)
