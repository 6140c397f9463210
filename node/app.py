"""The app: the only place that joins edges to duties, reads the clock and draws randomness.

serve() brings a home to life in this order, and takes it down in the other:

    home lock -> settings -> keys -> database (migrated) -> verified registry files -> node ->
    writer -> admin socket -> registry port -> exchange port -> metrics -> ticks and links
"""

import asyncio
import logging
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import structlog

from node import unserved
from node.config import Config
from node.core.diagnosis import Finding
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, only_of
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_item import ENTRIES
from node.core.query_log import SubjectKey
from node.core.record import Row
from node.core.state import Place
from node.evidence import bundle
from node.evidence.delivery_report import build_report
from node.examiner import ProcessExaminer
from node.file_reader import FileReader
from node.home import Home
from node.ingest.reading import read_rows
from node.keys import KeyRing, Passphrase, build_descriptor, open_subject_key
from node.metrics import NodeCollector, serve_metrics
from node.node import Node, Settings, World
from node.pb import admin_service_pb2, envelope_pb2, registry_service_pb2
from node.ports import Lane, RegistryFileRecord, RegistryState, Store
from node.query_clients import QueryClients
from node.rpc import registry_client, registry_source
from node.rpc.admin_server import AdminServicer, AdminTools
from node.rpc.decision_server import DecisionServicer
from node.rpc.diagnosing import Diagnosing
from node.rpc.exchange_client import GrpcPeers
from node.rpc.exchange_server import build_server
from node.rpc.foreseeing import Foreseeing
from node.rpc.health import Health
from node.rpc.ledger_server import LedgerServicer
from node.rpc.list_server import ListServicer
from node.rpc.local_servers import start_admin_socket, start_registry_port
from node.rpc.query_port import start_query_port
from node.rpc.query_server import QueryServicer
from node.rpc.registry_port import RegistryPort
from node.rpc.rotation import HomeRotation
from node.scheduler import Scheduler, Tick
from node.storage.databases import Database, database_of
from node.storage.passed_rows import TemporaryPassedRows
from node.storage.sidecar import FileSidecar
from node.storage.writer import ThreadWriter

DRAIN_GRACE_S = 5.0
HEALTH_INTERVAL_S = 2.0
SIZE_CHECK_S = 3600.0
HOLDS_S = 60.0
LIST_CHANGES_S = 5.0
LEDGERS_S = 60.0
QUALITY_S = 600.0
# A server that was lost or has changed is met again as at a start, where everything is compared.
STARTS_OVER = ("DATABASE_CHANGED", "DATABASE_LOST", "DATABASE_UNSURE")
START_OVER_S = 1.0
# How long the writer may keep the interpreter while the event loop waits for it: it waits at every turn of a removal.
THREAD_TURN_S = 0.001

log = structlog.get_logger("xinqiao")


def now_ms() -> int:
    """The wall clock, Unix ms."""
    return time.time_ns() // 1_000_000


class SystemClock:
    """ports.Clock over the clocks of this machine."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return now_ms()

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


class SystemEntropy:
    """ports.Entropy over the random numbers of this machine."""

    def bytes(self, count: int) -> bytes:
        """Fresh random bytes."""
        return secrets.token_bytes(count)

    def uniform(self, low: float, high: float) -> float:
        """A random number, for jitter."""
        return random.SystemRandom().uniform(low, high)


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def database(home: Home, config: Config) -> Database:
    """The database of a home, wherever its settings say."""
    password = config.database_password_path(home.path)
    return database_of(home.path, config.database, password, SystemClock().monotonic_s)


# -- joining ----------------------------------------------------------------------------------------------------


class HomeJoiningWorld:
    """joining.JoiningWorld over a home and the network."""

    def __init__(self, home: Home, config: Config, passphrase: Passphrase | None) -> None:
        self._home = home
        self._config = config
        self._passphrase = passphrase

    def now_ms(self) -> int:
        """The wall clock, Unix ms."""
        return now_ms()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)

    async def bootstrap(self, endpoint: str, root_fingerprint: bytes) -> RegistryState:
        """The registry's state, from the root with this fingerprint on."""
        return await registry_source.bootstrap(endpoint, root_fingerprint, now_ms())

    async def file_request(
        self, endpoint: str, descriptor: envelope_pb2.Envelope
    ) -> registry_service_pb2.RequestMembershipResponse:
        """File the descriptor."""
        return await registry_client.request_membership(endpoint, descriptor)

    async def request_state(
        self, endpoint: str, node: str, fingerprint: bytes
    ) -> registry_service_pb2.GetRequestStateResponse:
        """Where the request stands."""
        return await registry_client.request_state(endpoint, node, fingerprint)

    def keep(self, state: RegistryState) -> None:
        """Store the verified files: from now on the home knows its network."""
        store = database(self._home, self._config).open()
        try:
            records = [RegistryFileRecord(name, content) for name, content in sorted(state.files.items())]
            with store.transaction() as tx:
                tx.replace_registry_files(records, keep=())
        finally:
            store.close()

    def renewed_descriptor(self) -> envelope_pb2.Envelope:
        """A new first descriptor with the settings as they are now."""
        ring = KeyRing.open(self._home.keys, self._passphrase)
        descriptor = build_descriptor(None, self._config, ring, now_ms())
        self._home.write_descriptor(descriptor)
        return descriptor


def joining_world(home: Home, config: Config, passphrase: Passphrase | None) -> HomeJoiningWorld:
    """What `xinqiao join` needs of the world."""
    return HomeJoiningWorld(home, config, passphrase)


# -- examining a home that nobody serves ------------------------------------------------------------------------


def examine_home(home: Home, config: Config, passphrase: Passphrase | None) -> Iterator[Finding]:
    """What can be tried of a home without its node: keys, disk, database; raises HOME_LOCKED, HOME_MISSING."""
    with home.lock():
        yield from unserved.examine(home, config, passphrase, database(home, config), SystemClock())


# -- serving ----------------------------------------------------------------------------------------------------


def serve(home: Home, config: Config, passphrase: Passphrase | None, started: Callable[[dict[str, str]], None]) -> None:
    """Serve a home until SIGTERM or SIGINT; raises HOME_LOCKED, NOT_A_MEMBER, KEY_*, LISTEN_FAILED and more."""
    configure_logging(config)
    sys.setswitchinterval(THREAD_TURN_S)
    with home.lock():
        ring, query_key = KeyRing.open(home.keys, passphrase), open_subject_key(home.keys, passphrase)
        serving: list[dict[str, str]] = []

        def tell(addresses: dict[str, str]) -> None:
            if not serving:
                started(addresses)
            serving.append(addresses)

        while True:
            try:
                why = _serve_once(home, config, ring, query_key, tell)
            except XinqiaoError as error:
                if not serving or error.code not in STARTS_OVER:
                    raise
                why = error
                time.sleep(START_OVER_S)
            if why is None:
                return
            log.warning("the node starts over", code=why.code, text=why.text, next=why.next)


def _serve_once(
    home: Home, config: Config, ring: KeyRing, query_key: SubjectKey, started: Callable[[dict[str, str]], None]
) -> XinqiaoError | None:
    """Serve until told to stop, None, or until the database is no longer what it was, which is returned."""
    place = database(home, config)
    store = place.open()
    try:
        return asyncio.run(App(home, config, ring, store, place, query_key).run(started))
    finally:
        store.close()


class App:
    """One serving node: its adapters, its listeners, its ticks."""

    def __init__(
        self, home: Home, config: Config, ring: KeyRing, store: Store, place: Database, query_key: SubjectKey
    ) -> None:
        self._home = home
        self._config = config
        self._ring = ring
        self._query_key = query_key
        self._store = store
        self._database = place
        self._starts_over: XinqiaoError | None = None
        self._limits = _limits(config)
        self._state = self._verified_state()
        self._clock = SystemClock()
        self._writer = ThreadWriter(store)
        self._stop = asyncio.Event()
        self._exchange_port = 0
        self._registry_port = 0

    def _verified_state(self) -> RegistryState:
        files = {record.name: record.content for record in self._store.registry_files()}
        if not files:
            raise XinqiaoError("NOT_A_MEMBER", detail="it has not joined a network yet")
        state = registry_source.load(files)
        member = state.members.get(self._config.id)
        if member is None:
            raise XinqiaoError("NOT_A_MEMBER", detail=f"the registry does not list {self._config.id}")
        self._ring.check_listed(member.descriptor.message)
        return state

    async def run(self, started: Callable[[dict[str, str]], None]) -> XinqiaoError | None:
        """Serve until told to stop, then drain; what the node must start over for, if that was why."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as stack:
            node = self._build_node(stack)
            await node.catch_up()
            rotation = HomeRotation(self._home, self._config, self._ring, node)
            servicer = AdminServicer(node, self._tools(node, rotation))
            addresses = await self._open_listeners(node, servicer, stack)
            await node.announce(addresses["exchange"], addresses["registry"])
            self._start_ticks(node, rotation, stack)
            started(addresses)
            log.info("serving", node=self._config.id, **addresses)
            await self._stop.wait()
            log.info("draining", node=self._config.id)
        log.info("stopped", node=self._config.id)
        return self._starts_over

    # -- the node and its world -----------------------------------------------------------------------

    def _build_node(self, stack: AsyncExitStack) -> Node:
        entropy = SystemEntropy()
        peers = GrpcPeers(
            network=lambda: self._state.network,
            identity=self._tls_pair,
            endpoints=self._endpoints,
            certificates=self._certificates,
            arrived=self._expect,
            limits=self._limits,
        )
        examiner = ProcessExaminer(self._limits) if _processors() > 1 else None
        root = bytes.fromhex(self._config.root_fingerprint)
        registry = registry_source.TufRegistry(
            self._registry_sources, entropy, root_fingerprint=root, grace_ms=self._config.grace_hours * 3_600_000
        )
        world = World(
            store=self._store,
            writer=self._writer,
            sidecar=FileSidecar(self._home.heads_file),
            peers=peers,
            registry=registry,
            signer=lambda: self._ring.signer,
            clock=self._clock,
            entropy=entropy,
            query_key=self._query_key,
            aside=asyncio.to_thread,
            examiner=examiner,
        )
        self._writer.start()
        stack.callback(self._writer.close)
        if examiner is not None:
            stack.push_async_callback(examiner.close)
        stack.push_async_callback(peers.close)
        self._node = Node(_settings(self._config), self._state, world, self._limits)
        return self._node

    def _expect(self, signed: SignedEntry) -> None:
        self._node.expect(signed)

    def _tls_pair(self) -> tuple[bytes, bytes]:
        identity = self._ring.tls
        return identity.private_key_pem, identity.certificate_pem

    def _endpoints(self, node: str) -> tuple[str, str]:
        held = self._store.address(node)
        return (held.record.exchange_endpoint, held.record.registry_endpoint) if held is not None else ("", "")

    def _certificates(self, node: str) -> tuple[bytes, ...]:
        member = self._node.membership.members.get(node)
        return member.descriptor.tls_certificates if member is not None else ()

    def _registry_sources(self) -> Sequence[tuple[str, str]]:
        own = [("the registry", str(self._config.registry))] if self._config.registry is not None else []
        held = self._store.addresses_since(0)
        peers = [
            (item.record.node, item.record.registry_endpoint)
            for item in held
            if item.record.registry_endpoint and item.record.node != self._config.id
        ]
        return [*own, *peers]

    # -- the listeners --------------------------------------------------------------------------------

    async def _open_listeners(self, node: Node, servicer: AdminServicer, stack: AsyncExitStack) -> dict[str, str]:
        socket = self._home.claim_socket(os.environ)
        further = (
            DecisionServicer(node),
            ListServicer(node, self._read_entries),
            LedgerServicer(node, self._stop.is_set, self._delivery_reports(node)),
            QueryServicer(node),
        )
        admin = await start_admin_socket(servicer, *further, socket)
        stack.push_async_callback(admin.stop, DRAIN_GRACE_S)
        stack.callback(lambda: socket.unlink(missing_ok=True))
        registry = await self._open_registry_port(node, stack)
        exchange = await self._open_exchange_port(node, servicer, stack)
        queries = await self._open_query_port(node, stack)
        metrics = self._open_metrics(node, servicer, stack)
        return {"exchange": exchange, "registry": registry, "admin": str(socket), "query": queries, "metrics": metrics}

    async def _open_registry_port(self, node: Node, stack: AsyncExitStack) -> str:
        listen = self._config.registry_listen
        if listen is None:
            return ""
        port = RegistryPort(
            node=self._config.id,
            network=lambda: node.membership.network,
            registry=lambda: str(self._config.registry or ""),
            files=self._store.registry_file,
            versions=lambda: node.membership.versions,
            explain=node.membership.explain,
            share=node.share_addresses,
            clock=self._clock,
            limits=self._limits,
        )
        server, real = await start_registry_port(port, str(listen), self._limits)
        stack.push_async_callback(server.stop, DRAIN_GRACE_S)
        return self._config.told_registry(real)

    async def _open_exchange_port(self, node: Node, servicer: AdminServicer, stack: AsyncExitStack) -> str:
        listen = self._config.listen
        if listen is None:
            return ""
        server = build_server(
            node,
            address=str(listen),
            identity=self._tls_pair,
            reflects=self._config.reflection,
            limits=self._limits,
        )
        await server.start()
        stack.push_async_callback(server.drain, DRAIN_GRACE_S)
        self._spawn(self._watch_health(server.health, servicer), stack)
        return self._config.told_exchange(server.port)

    async def _open_query_port(self, node: Node, stack: AsyncExitStack) -> str:
        listen = self._config.query_listen
        if listen is None:
            return ""
        clients = QueryClients(self._home.path)
        port = await start_query_port(node, clients, address=str(listen), identity=self._tls_pair, limits=self._limits)
        stack.push_async_callback(port.drain, DRAIN_GRACE_S)
        return str(replace(listen, port=port.port))

    def _open_metrics(self, node: Node, servicer: AdminServicer, stack: AsyncExitStack) -> str:
        listen = self._config.metrics_listen
        if listen is None:
            return ""
        collector = NodeCollector(node, servicer.duties, version("xinqiao"))
        server, thread = serve_metrics(collector, listen.host, listen.port)
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        return str(replace(listen, port=server.server_port))

    async def _watch_health(self, health: Health, servicer: AdminServicer) -> None:
        while True:
            duties = servicer.duties()
            ready = {duty.name: duty.state != admin_service_pb2.DUTY_STATE_BLOCKED for duty in duties}
            for name, serving in ready.items():
                health.set(f"xinqiao.{name}", serving)
            health.set("", all(ready.values()))
            await asyncio.sleep(HEALTH_INTERVAL_S)

    # -- what runs by itself --------------------------------------------------------------------------

    def _start_ticks(self, node: Node, rotation: HomeRotation, stack: AsyncExitStack) -> None:
        async def refresh() -> None:
            await node.refresh_registry()
            await rotation.follow()
            ending = self._ring.ends_soon(now_ms())
            if ending is not None:
                log.warning("the TLS certificate ends soon", key_id=ending.key_id, next="xinqiao keys rotate tls")

        async def measure() -> None:
            await node.measuring.count_all()
            await node.terms.watch()

        async def note_size() -> None:
            await self._writer.run(Lane.CONTROL, self._foreseeing(node).keep_size)

        scheduler = Scheduler(self._clock)
        scheduler.every(self._config.heartbeat_interval_s, "heartbeat", _logged("heartbeat", node.beat))
        scheduler.every(self._config.registry_refresh_s, "registry", _logged("registry", refresh))
        scheduler.every(self._config.registry_refresh_s, "addresses", _logged("addresses", node.learn_addresses))
        scheduler.every(self._config.registry_refresh_s, "head report", _logged("head report", node.report_heads))
        scheduler.every(QUALITY_S, "quality", _logged("quality", measure))
        scheduler.every(HOLDS_S, "holds", _logged("holds", node.holding.tick))
        scheduler.every(LIST_CHANGES_S, "list changes", _logged("list changes", node.listing.changes.tick))
        late_s = min(LEDGERS_S, self._config.list_late_s)
        scheduler.every(late_s, "ledgers", _logged("ledgers", node.ledgers.watch))
        scheduler.every(SIZE_CHECK_S, "size", _logged("size", note_size))
        self._spawn(self._watch_database(), stack)
        self._spawn(scheduler.run(), stack)
        self._spawn(node.run(), stack)

    def _spawn(self, work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)

        async def cancel() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(cancel)

    async def _watch_database(self) -> None:
        while (fault := self._database.fault or self._set_back()) is None:
            await self._clock.sleep(HEALTH_INTERVAL_S)
        raise fault

    def _set_back(self) -> XinqiaoError | None:
        if not self._node.publishing.is_set_back:
            return None
        detail = "it holds less than this node has signed"
        return XinqiaoError("DATABASE_CHANGED", database=self._database.name, detail=detail)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._starts_over = only_of(error, STARTS_OVER) or self._starts_over
        if self._starts_over is None:
            log.error("a task of the node failed; the node stops", exc_info=error)
        self._stop.set()

    # -- what the admin service uses ------------------------------------------------------------------

    def _delivery_reports(self, node: Node) -> Callable[[tuple[str, int, int]], bytes]:
        def build(key: tuple[str, int, int]) -> bytes:
            state, signer = node.membership.state, self._ring.signer
            return build_report(self._store, state, key, self._config.id, signer, now_ms(), self._limits)

        return build

    def _foreseeing(self, node: Node) -> Foreseeing:
        return Foreseeing(node, self._home, self._ring, self._database)

    def _tools(self, node: Node, rotation: HomeRotation) -> AdminTools:
        def build_evidence(channel: str, place: Place) -> bytes:
            state = node.membership.state
            made = bundle.build(self._store, state, channel, place, now_ms(), me=self._config.id)
            return bundle.serialize(made)

        return AdminTools(
            read_batches=FileReader(self._home.path, self._config.max_records_per_entry, self._limits),
            new_passed_rows=TemporaryPassedRows,
            build_evidence=build_evidence,
            rotation=rotation,
            foresee=self._foreseeing(node).within,
            diagnose=Diagnosing(node, self._home, self._config, self._ring, self._database, self._limits).findings,
            stop=self._stop.set,
            endpoint=lambda peer: self._endpoints(peer)[0],
            software_version=version("xinqiao"),
        )

    def _read_entries(
        self, pieces: Iterable[bytes], name: str
    ) -> tuple[Sequence[str], Sequence[XinqiaoError], Iterator[Row]]:
        rows = read_rows(pieces, name, ENTRIES, self._limits, self._home.path)
        return rows.columns, rows.notes, iter(rows)


def _settings(config: Config) -> Settings:
    return Settings(
        id=config.id,
        heartbeat_interval_s=float(config.heartbeat_interval_s),
        links_further=config.links_further,
        retry_cap_s=float(config.retry_cap_s),
        grace_ms=config.grace_hours * 3_600_000,
        list_late_s=float(config.list_late_s),
        list_report_s=float(config.list_report_s),
    )


def _limits(config: Config) -> Limits:
    return replace(DEFAULT_LIMITS, max_clock_skew_ms=config.clock_skew_limit_s * 1000)


def _logged(name: str, tick: Tick) -> Tick:
    """A tick whose refusals are logged, since nobody waits for it; anything else is a fault of ours and shows.

    A refusal that stays the same is said once: a node may be suspended or without a registry for days.
    """
    said = ""

    async def run() -> None:
        nonlocal said
        try:
            await tick()
        except XinqiaoError as error:
            found = f"{error.code}: {error.text}"
            if found != said:
                log.warning("a tick failed", tick=name, code=error.code, text=error.text, next=error.next)
            said = found
            return
        if said:
            log.info("a tick works again", tick=name, after=said)
        said = ""

    return run


def configure_logging(config: Config) -> None:
    """Log to stderr as the settings say; no level logs a secret or a person's id."""
    level = logging.getLevelNamesMapping()[config.log_level.upper()]
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if config.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # It warns of every tick left out because the one before still runs, which is how ticks are meant to be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
