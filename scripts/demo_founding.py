"""The first steps of the demonstration: a registry is founded, six nodes join and serve."""

import urllib.request
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from scripts.demo_lists import write_matters
from scripts.demo_network import Demo
from scripts.xq_places import BY_ID, OFFICERS, PLACES, Place
from scripts.xq_stage import WAIT_LIMIT_S, Document, demand, edit_settings

DUTIES = 5
SETTINGS = {"heartbeat_interval_s": "1", "registry_refresh_s": "1", "key_settle_s": "3", "log_level": '"info"'}


def found(demo: Demo) -> None:
    """Make the officers' keys, found the registry by files, serve it."""
    for officer in OFFICERS:
        (demo.work / officer).mkdir(mode=0o700)
    keys = demo.crew.each("keys", OFFICERS, partial(_make_officer_key, demo))
    chosen = [part for key in keys for part in ("--officer-key", key)]
    made = demo.product.run(
        *("registry", "init", "--home", "registry", "--network", "delta", "--threshold", "2", *chosen),
        *("--matters", write_matters(demo)),
        show=True,
    )
    demo.root_fingerprint = made["root_fingerprint"]
    demo.screen.say(f"root fingerprint {demo.root_fingerprint}", "bold")
    demo.decide(Path(demo.work / made["founding"]), "founding")
    demo.product.serve("registry", "registry", "serve", "--home", "registry", "--listen", demo.registry)
    demo.screen.good(f"the registry serves at {demo.registry}")


def _make_officer_key(demo: Demo, officer: str) -> str:
    key = demo.product.run("registry", "officer", "keygen", "-o", f"{officer}/officer.pem", show=True)
    return str(key["officer_key"])


def create(demo: Demo) -> None:
    """Create six homes, and set the intervals that suit a demonstration."""
    demo.crew.each("homes", PLACES, partial(_create_one, demo))
    demo.screen.say(f"settings in xinqiao.toml: {', '.join(f'{k} = {v}' for k, v in SETTINGS.items())}")
    demo.product.run("config", "check", "--home", BY_ID["national"].home, show=True)


def _create_one(demo: Demo, place: Place) -> None:
    listen, registry_listen = (f"127.0.0.1:{next(demo.ports)}" for _ in range(2))
    made = demo.product.run(
        *("init", "--home", place.home, "--id", place.id, "--name", place.name, "--level", place.level),
        *(("--parent", place.parent) if place.parent else ()),
        *("--authority", place.authority, "--listen", listen, "--registry-listen", registry_listen),
        show=place is PLACES[3],
        more="and likewise the others",
    )
    demo.fingerprints[place.id] = made["fingerprint"]
    metrics = {"metrics_listen": f'"{demo.metrics}"'} if place.id == "national" else {}
    edit_settings(demo.work / place.home / "xinqiao.toml", SETTINGS | metrics)


def join(demo: Demo) -> None:
    """Apply from six homes at once, decide on all of them with one file, wait until each is a member."""
    joining = [demo.crew.pool.submit(_join_one, demo, place) for place in PLACES]
    demo.crew.until("applications", len(PLACES), lambda: _pending(demo, joining))
    proposal = _propose_admission(demo)
    demo.decide(demo.work / proposal, "admission")
    with demo.screen.progress("members", len(joining)) as advance:
        for done, future in enumerate(joining, 1):
            demand(future.result()["member"], "an approved node is not a member", future.result())
            advance(done)
    demo.screen.good(f"{len(PLACES)} members")


def _propose_admission(demo: Demo) -> str:
    """One proposal that admits all six: each is made with those before it."""
    earlier: list[str] = []
    with demo.screen.progress("proposals", len(PLACES)) as advance:
        for done, place in enumerate(PLACES, 1):
            output = f"admission-{done}.proposal"
            demo.product.run(
                *("registry", "propose", "approve", place.id, "--home", "registry"),
                *("--fingerprint", demo.fingerprints[place.id], "-o", output, *earlier),
                show=done <= 2,
                more="and so on, each with those before it" if done == 2 else "",
            )
            earlier = ["--with", output]
            advance(done)
    return earlier[1]


def _join_one(demo: Demo, place: Place) -> Document:
    return demo.product.run(
        *("join", "--home", place.home, "--registry", demo.registry, "--root-fingerprint", demo.root_fingerprint),
        show=place is PLACES[3],
        more="and likewise the others, at the same time",
    )


def _pending(demo: Demo, joining: Sequence["Future[Document]"]) -> int:
    for future in joining:
        if future.done():
            future.result()  # raises why it ended before anybody was asked
    return len(demo.product.run("registry", "requests", "--home", "registry")["requests"])


def serve(demo: Demo) -> None:
    """Start six processes and wait until each has exchanged with somebody."""
    demo.crew.each("processes", PLACES, lambda place: demo.product.serve(place.id, "serve", "--home", place.home))
    demo.crew.until("nodes linked to a peer", len(PLACES), partial(_linked, demo))
    demo.screen.good("every node has exchanged with a peer")
    # A peer that started a moment later was tried in vain, and is tried again.
    demo.crew.until("duties ready", DUTIES, partial(_ready, demo))
    demo.screen.good(f"national shows metrics at http://{demo.metrics}/metrics; all {DUTIES} duties are ready")


def _ready(demo: Demo) -> int:
    with urllib.request.urlopen(f"http://{demo.metrics}/metrics", timeout=WAIT_LIMIT_S) as answer:
        lines = answer.read().decode().splitlines()
    return sum(line.startswith("xinqiao_duty_ready") and line.endswith(" 1.0") for line in lines)


def _linked(demo: Demo) -> int:
    found = list(demo.crew.pool.map(lambda place: demo.product.run("peers", "--home", place.home), PLACES))
    return sum(any(peer["last_success_unix_ms"] for peer in each["peers"]) for each in found)
