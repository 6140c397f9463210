"""Imports point one way (docs/ARCHITECTURE.md): the syntax trees of node/ and registry/ are held to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CORE = ("node.core", "node.pb")
HELD = (
    *("node.held_acts", "node.held_changes", "node.held_corrections", "node.held_decisions", "node.held_lists"),
    "node.held_queries",
)
PORTS = ("node.ports", "node.registry_view", "node.held", *HELD, *CORE)
DUTIES = (
    *("node.publishing", "node.receiving", "node.delivery", "node.membership"),
    *("node.answering", "node.judging", "node.quality", "node.deciding", "node.terms"),
    *("node.holding", "node.ledger", "node.listing", "node.querying", "node.checking"),
)
SHARED = (
    *("node.lifting", "node.list_standing", "node.list_doubts"),
    "node.regained",
    *(
        "node.acknowledging",
        "node.admission",
        "node.aside",
        "node.committing",
        "node.conditions",
        "node.dates",
        "node.examining",
        "node.hellos",
        "node.links",
        "node.losses",
        "node.missing",
    ),
    *(
        "node.held_rows",
        "node.novelty",
        "node.orders",
        "node.recovery",
        "node.refusals",
        "node.signed_heads",
        "node.sharing",
        "node.transfers",
    ),
    *("node.visiting", "node.list_changes", "node.list_history"),
    *("node.arrivals", "node.comparing", "node.progress", "node.removals", "node.sources"),
)
NODE = ("node.node", *DUTIES, *SHARED, *PORTS)
OUTFIT = ("node.config", "node.keys", "node.home", "node.files", "node.query_clients")

# What each part may import of this repository, besides itself. The longest name that fits counts.
LAYERS: dict[str, tuple[str, ...]] = {
    "node.pb": (),
    "node.core": ("node.pb",),
    "node.ports": ("node.registry_view", "node.held", *CORE),
    "node.registry_view": CORE,
    "node.held": (*HELD, *CORE),
    "node.held_acts": CORE,
    "node.held_lists": CORE,
    "node.held_changes": CORE,
    "node.held_corrections": CORE,
    "node.held_decisions": CORE,
    "node.held_queries": CORE,
    # what several duties share: how an entry gets in, which dates cannot be, and what may go out
    "node.admission": ("node.list_standing", *PORTS),
    "node.list_standing": PORTS,
    "node.regained": ("node.admission", "node.list_standing", *PORTS),
    "node.list_doubts": ("node.admission", "node.list_standing", "node.regained", *PORTS),
    "node.aside": CORE,
    "node.dates": ("node.admission", *PORTS),
    # what of an entry is found out before its turn
    "node.examining": PORTS,
    "node.committing": PORTS,
    # what a receipt says
    "node.acknowledging": ("node.list_standing", *PORTS),
    "node.links": PORTS,
    "node.sharing": ("node.admission", *PORTS),
    # parts of delivery: what is said in a comparison, which bodies to ask for or bring, what not to move again,
    # how entries move, whom to meet without a link
    "node.hellos": ("node.links", "node.sharing", *PORTS),
    "node.missing": ("node.admission", "node.links", "node.sharing", *PORTS),
    "node.refusals": ("node.links", *PORTS),
    "node.transfers": ("node.arrivals", "node.links", "node.sharing", *PORTS),
    "node.visiting": ("node.links", *PORTS),
    # more of them: what a comparison finds, from whom each log is taken, what goes ahead of its log, what has come
    "node.comparing": ("node.admission", "node.links", *PORTS),
    "node.sources": ("node.admission", "node.links", *PORTS),
    "node.removals": ("node.admission", *PORTS),
    "node.arrivals": PORTS,
    # how much of all that is announced is here
    "node.progress": ("node.admission", "node.arrivals", "node.links", "node.removals", "node.sources", *PORTS),
    # a part of publishing: what of our own entries is gone for good
    "node.losses": ("node.admission", *PORTS),
    # another one: what becomes of a row, by what is held
    "node.novelty": PORTS,
    "node.recovery": CORE,
    # another: what was signed of our own logs, beside what the database holds of them
    "node.signed_heads": ("node.admission", *PORTS),
    # another: what waits for the officers instead of being published
    "node.held_rows": ("node.novelty", *PORTS),
    # another: what an order of the operator comes to
    "node.orders": ("node.admission", "node.conditions", "node.lifting", *PORTS),
    "node.lifting": PORTS,
    # a part of listing: what waits for officers to be published
    # who is on a list, or was
    "node.list_history": ("node.admission", *PORTS),
    "node.list_changes": ("node.admission", "node.list_standing", *PORTS),
    # how records stand by the acts on them
    "node.conditions": PORTS,
    # the duties, which node.py joins: none knows another
    "node.publishing": (*SHARED, *PORTS),
    "node.receiving": (*SHARED, *PORTS),
    "node.delivery": (*SHARED, *PORTS),
    "node.membership": (*SHARED, *PORTS),
    "node.answering": (*SHARED, *PORTS),
    "node.judging": (*SHARED, *PORTS),
    "node.quality": (*SHARED, *PORTS),
    "node.terms": (*SHARED, *PORTS),
    "node.checking": (*SHARED, *PORTS),
    "node.querying": (*SHARED, *PORTS),
    "node.deciding": (*SHARED, *PORTS),
    "node.holding": (*SHARED, *PORTS),
    "node.listing": (*SHARED, *PORTS),
    "node.ledger": (*SHARED, *PORTS),
    "node.node": (*DUTIES, *SHARED, *PORTS),
    # driven edges
    "node.storage": ("node.files", *PORTS),
    "node.ingest": PORTS,
    "node.evidence": PORTS,
    "node.side_process": (),
    "node.examiner": ("node.side_process", *CORE),
    "node.file_reader": ("node.side_process", "node.ingest", *CORE),
    "node.ingest.field_texts": ("node.texts", *CORE),
    "node.ingest.template": ("node.ingest", "node.ingest.field_texts", "node.texts", *PORTS),
    "node.evidence.explanation": ("node.evidence", "node.texts", *PORTS),
    "node.evidence.delivery_explanation": ("node.evidence", "node.evidence.explanation", "node.texts", *PORTS),
    # what a process is fitted out with
    "node.files": CORE,
    "node.config": ("node.files", *CORE),
    "node.keys": ("node.files", *PORTS),
    "node.query_clients": ("node.files", *CORE),
    "node.home": ("node.files", "node.config", "node.keys", *PORTS),
    "node.joining": (*OUTFIT, *PORTS),
    "node.metrics": NODE,
    "node.scheduler": NODE,
    # what people read, in their language: only where somebody reads
    "node.texts": CORE,
    # driving edges
    "node.rpc": (*NODE, *OUTFIT),
    "node.console": (*NODE, *OUTFIT),
    # the only place that joins edges to duties, and those that start it
    # what `xinqiao doctor` tries of a home without its node
    "node.unserved": (*NODE, *OUTFIT, "node.storage", "node.rpc"),
    "node.app": (
        "node.unserved",
        *(*NODE, *OUTFIT, "node.joining", "node.metrics", "node.scheduler"),
        *("node.storage", "node.ingest", "node.evidence", "node.examiner", "node.file_reader"),
        *("node.rpc", "node.console"),
    ),
    # drives whole networks from outside, by the commands and by what answers them
    "node.bench": (*NODE, *OUTFIT, "node.rpc", "node.storage", "node.ingest", "node.texts"),
    "node.cli": (
        *NODE,
        *OUTFIT,
        "node.app",
        "node.bench",
        "node.joining",
        "node.rpc",
        "node.ingest",
        "node.ingest.field_texts",
        "node.ingest.template",
        "node.evidence",
        *("node.evidence.explanation", "node.evidence.delivery_explanation"),
        "node.simulator",
        "node.texts",
    ),
    "node.simulator": (
        *NODE,
        *OUTFIT,
        "node.app",
        "node.rpc",
        "node.storage",
        "node.ingest",
        "node.evidence",
    ),
    # The package itself, which holds nothing but its docstring.
    "node": (),
    # the membership authority's application: shares the verified core, the messages and their words, nothing else
    "registry": ("node.texts", *CORE),
}

# Libraries that only some parts may know.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "grpc": (
        "node.pb",
        "node.rpc",
        "node.bench.bare_stream",
        "node.simulator",
        "registry.server",
        "registry.client",
        "registry.cli",
    ),
    "grpc_health": ("node.rpc", "registry.server"),
    "grpc_reflection": ("node.rpc", "registry.server"),
    "sqlmodel": ("node.storage",),
    "sqlalchemy": ("node.storage",),
    "alembic": ("node.storage",),
    # those of the benchmark talk to servers that no node uses
    "psycopg": ("node.storage", "node.bench.clusters", "node.bench.tables"),
    "apscheduler": ("node.scheduler",),
}

# Libraries that the inner parts must not know: a clock, a thread, a socket, a file, randomness, logging.
OUTSIDE = (
    "time",
    "random",
    "secrets",
    "uuid",
    "os",
    "socket",
    "ssl",
    "threading",
    "concurrent",
    "multiprocessing",
)
BARRED: dict[str, tuple[str, ...]] = {
    "node.core": (*OUTSIDE, "asyncio", "logging", "structlog", "pathlib", "tempfile"),
    "node.ports": OUTSIDE,
    **dict.fromkeys(DUTIES, OUTSIDE),
    "node.node": OUTSIDE,
}

# The clock is read in one place; everybody else is given `now`.
CLOCK_READERS = ("node.app", "registry.clock", "registry.server")
CLOCKS = frozenset(
    {f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "gmtime", "localtime", "ctime")}
    | {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")}
    | {"datetime.date.today"}
)


def within(module: str, parents: tuple[str, ...] | dict[str, tuple[str, ...]]) -> str | None:
    """Return the longest of these names that the module is or lies in."""
    fitting = [parent for parent in parents if module == parent or module.startswith(parent + ".")]
    return max(fitting, key=len, default=None)


def imported(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield every dotted name that is imported anywhere, also inside functions and by name at run time."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                package = module.split(".")[:-level] if level else []
                yield from (".".join([*package, *filter(None, [source]), alias.name]) for alias in names)
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
                yield from (str(part.value) for part in node.args[:1] if isinstance(part, ast.Constant))


def local_names(tree: ast.AST) -> dict[str, str]:
    """Map each name that an import binds to the dotted name it stands for."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds a, `import a.b as c` binds c to a.b
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return bound


def dotted(node: ast.expr, bound: dict[str, str]) -> str:
    """Return the full name an expression such as `dt.datetime.now` refers to, empty if it is not one."""
    if isinstance(node, ast.Name):
        return bound.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, bound)
        return f"{base}.{node.attr}" if base else ""
    return ""


def clock_reads(tree: ast.AST) -> list[str]:
    """Return the clocks that are called or handed on."""
    bound = local_names(tree)
    names = (dotted(node, bound) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name))
    return sorted({name for name in names if name in CLOCKS})


def findings(module: str, source: str) -> list[str]:
    """Return one line for each import or clock that the module must not have."""
    layer = within(module, LAYERS)
    if layer is None or (layer == "node" and module != "node"):
        return [f"{module}: belongs to no layer; decide where it stands and add it to LAYERS"]
    tree = ast.parse(source)
    lines = []
    for name in imported(module, tree):
        target = within(name, LAYERS)
        if target == "node" and name.count("."):
            lines.append(f"{module}: imports {name}, which belongs to no layer")
        elif target not in (None, layer, "node", *LAYERS[layer]):
            lines.append(f"{module}: {layer} must not import {name}")
        # Generated service modules are grpc by another name.
        library = "grpc" if "_pb2_grpc" in name else name.split(".")[0]
        if library in ONLY_IN and not within(module, ONLY_IN[library]):
            lines.append(f"{module}: {library} belongs to {', '.join(ONLY_IN[library])}")
        if library in BARRED.get(layer, ()):
            lines.append(f"{module}: {layer} must not import {library}")
    if not within(module, CLOCK_READERS):
        lines += [f"{module}: reads {name}; take `now` instead" for name in clock_reads(tree)]
    return lines


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module that exists so far, generated ones left out."""
    for package in ("node", "registry"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if not within(name, ("node.pb",)):
                yield name, path


def test_imports_point_one_way() -> None:
    lines = [line for name, path in modules() for line in findings(name, path.read_text(encoding="utf-8"))]
    assert lines == []


def test_the_layer_table_has_no_cycle() -> None:
    done: set[str] = set()
    while ready := {layer for layer in LAYERS.keys() - done if done.issuperset(LAYERS[layer])}:
        done |= ready
    assert done == LAYERS.keys()


PLANTED = [
    ("node.core.merkle", "from node.storage import store", "node.core must not import node.storage.store"),
    ("node.core.merkle", "import node.ports", "node.core must not import node.ports"),
    ("node.core.merkle", "from node import ports", "node.core must not import node.ports"),
    ("node.core.merkle", "from ..ports import Store", "node.core must not import node.ports.Store"),
    ("node.core.merkle", "def f():\n    import time", "node.core must not import time"),
    ("node.core.merkle", "from os import urandom", "node.core must not import os"),
    ("node.core.merkle", "import structlog", "node.core must not import structlog"),
    ("node.core.merkle", "import grpc.aio", "grpc belongs to"),
    ("node.core.entry", "from node.pb import exchange_service_pb2_grpc", "grpc belongs to"),
    ("node.core.workdays", "from datetime import date\nx = date.today()", "reads datetime.date.today"),
    (
        "node.receiving",
        "from node.publishing import publish",
        "node.receiving must not import node.publishing",
    ),
    ("node.receiving", "from node.rpc import client", "node.receiving must not import node.rpc"),
    ("node.delivery", "import random", "node.delivery must not import random"),
    ("node.publishing", "import secrets", "node.publishing must not import secrets"),
    ("node.node", "import threading", "node.node must not import threading"),
    (
        "node.storage.store",
        "from node.receiving import receive",
        "node.storage must not import node.receiving",
    ),
    ("node.storage.store", "import time\nx = time.time()", "reads time.time;"),
    ("node.storage.store", "from time import monotonic as m\nx = m()", "reads time.monotonic;"),
    ("node.storage.store", "import datetime as d\nx = d.datetime.now(d.UTC)", "reads datetime.datetime.now;"),
    ("node.storage.store", "import time\ndef f(clock=time.time_ns): ...", "reads time.time_ns;"),
    ("node.ingest.csv", "import sqlmodel", "sqlmodel belongs to node.storage"),
    ("node.app", "from apscheduler.schedulers.asyncio import AsyncIOScheduler", "apscheduler belongs to"),
    ("node.app", "import node.cli.main", "node.app must not import node.cli.main"),
    ("node.cli.main", "import registry.cli", "node.cli must not import registry.cli"),
    ("node.cli.main", "import_module('registry.cli')", "node.cli must not import registry.cli"),
    ("node.cli.main", "import grpc", "grpc belongs to"),
    ("registry.cli", "from node.app import serve", "registry must not import node.app.serve"),
    ("registry.authority", "import grpc", "grpc belongs to"),
    ("registry.authority", "from node import keys", "registry must not import node.keys"),
    ("node.newcomer", "", "belongs to no layer"),
    ("node.rpc.server", "import node.newcomer", "belongs to no layer"),
]


@pytest.mark.parametrize(("module", "source", "finding"), PLANTED)
def test_a_planted_violation_is_found(module: str, source: str, finding: str) -> None:
    assert [finding in line for line in findings(module, source)] == [True]


PERMITTED = [
    ("node.core.entry", "from node.core import merkle\nfrom node.pb import channel_pb2\nimport hashlib"),
    ("node.core.workdays", "import datetime\nx = datetime.date(2026, 1, 1) + datetime.timedelta(days=1)"),
    ("node.receiving", "from node.ports import Store\nfrom node.core.errors import XinqiaoError"),
    ("node.node", "from node import receiving, publishing"),
    ("node.rpc.server", "import time, grpc\nfrom node.node import Node\ntime.sleep(0)"),
    ("node.app", "import time\nfrom node.storage import store\nx = time.time_ns()"),
    ("node.cli.main", "from node.app import run\nfrom importlib.metadata import entry_points"),
    ("registry.server", "import grpc\nfrom node.core import envelope\nfrom registry import repository"),
]


@pytest.mark.parametrize(("module", "source"), PERMITTED)
def test_what_the_rules_permit_is_not_reported(module: str, source: str) -> None:
    assert findings(module, source) == []
