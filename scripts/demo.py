"""A whole network on one machine, made and used with the `xinqiao` command as people would.

Three officers found a registry, six nodes join, four channels carry generated records to their audiences, one
record is proven offline, a subject is put on a joint list and taken off it everywhere, and one node is suspended. Every
claim printed has been checked; the first one that does not hold ends the demonstration with exit status 1. Nothing is
left running, unless --keep asks for it.
"""

import argparse
import json
import resource
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich import box
from rich.markup import escape
from rich.table import Table

# Run as a script, the interpreter looks beside this file only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.demo_evidence import prove
from scripts.demo_exchange import exchange, show_holdings
from scripts.demo_founding import create, found, join, serve
from scripts.demo_lists import OWNER, READER, age, broadcast, lift
from scripts.demo_network import PROVING, Demo
from scripts.demo_suspension import SUSPENDED, suspend
from scripts.xq_stage import XINQIAO, Screen, StageError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STEPS = (
    ("found", "Three officers make their keys apart and found a registry; two of three must sign", found),
    ("create", "Six administrators create their nodes", create),
    ("join", "Six nodes apply; two officers sign what they were told by telephone", join),
    ("serve", "Six nodes serve, each a process of its own, with mutual TLS between them", serve),
    ("exchange", "Four channels with different audiences; files go in, records arrive", exchange),
    ("holdings", "Who holds what: the audience all of it, nobody else anything", show_holdings),
    ("evidence", "One record is proven offline, to somebody who trusts none of the nodes", prove),
    ("listing", f"Two officers of {OWNER} put a subject on a joint list; every node applies it", broadcast),
    ("lifting", "They take it off again, and every node signs that it has", lift),
    ("ageing", f"{READER} is cut off: its copy ages, and nobody is punished by it until it is back", age),
    ("suspension", f"Two officers suspend {SUSPENDED}; what it sent stays, what it sends is refused", suspend),
)


def play(demo: Demo) -> None:
    """Every step, in order."""
    for name, title, step in STEPS:
        with demo.screen.step(name, title):
            step(demo)


# --- The command line -----------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000, metavar="N", help="rows of each file (default: 2000)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="seed of the generated files (default: 7)")
    parser.add_argument("--dir", type=Path, help="work directory, new or empty; without it, a temporary one")
    parser.add_argument("--keep", action="store_true", help="leave the network up, and say how to talk to it")
    parser.add_argument(
        "--json", action="store_true", help="the summary as one JSON document on stdout, prose on stderr"
    )
    arguments = parser.parse_args()
    if not 100 <= arguments.rows <= 1_000_000:
        parser.error("--rows: between 100 and 1000000")
    if (
        arguments.dir is not None
        and arguments.dir.exists()
        and (not arguments.dir.is_dir() or any(arguments.dir.iterdir()))
    ):
        parser.error(f"--dir: {arguments.dir} exists and is not an empty directory")
    return arguments


def main() -> int:
    """Play the demonstration; returns the exit status."""
    arguments = parse()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    screen = Screen(on_stderr=arguments.json)
    work = arguments.dir.resolve() if arguments.dir else Path(tempfile.mkdtemp(prefix="xinqiao-demo-"))
    for name in ("logs", "nodes"):
        (work / name).mkdir(parents=True)
    screen.say(f"work directory {work}", "dim")
    demo = Demo(work, arguments.rows, arguments.seed, screen)
    try:
        status = _play(demo)
    except BaseException:
        # A mistake of the demonstration itself leaves nothing running either.
        _stop(demo, 1)
        raise
    if status == 0 and arguments.keep:
        _keep(demo)
    else:
        status = _stop(demo, status)
        if status == 0 and arguments.dir is None:
            shutil.rmtree(work)
    if arguments.json:
        pids = {server.name: server.process.pid for server in demo.product.servers.values()}
        print(json.dumps(demo.summary | {"processes": pids, "status": status}, ensure_ascii=False))
    return status


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """From now on everything is being stopped, which takes seconds and is all that a further signal could ask for."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _play(demo: Demo) -> int:
    # On a thread of its own: an interrupt reaches the main thread only, never in the middle of starting a process.
    player = ThreadPoolExecutor(1)
    playing = player.submit(play, demo)
    player.shutdown(wait=False)
    try:
        playing.result()
    except StageError as error:
        demo.screen.console.print(f"\n[bold red]FAILED:[/] {escape(str(error))}")
        demo.screen.say(f"{error.details.strip()}\n\n{demo.product.tails()}")
        demo.summary["failure"] = str(error)
        return 1
    except KeyboardInterrupt:
        demo.screen.console.print("\n[bold red]interrupted[/]: stopping every process")
        return 130
    return 0


def _keep(demo: Demo) -> None:
    """Say how to talk to the network, and leave the means to stop it."""
    stop = demo.leave()
    demo.screen.console.print(f"\n[bold]The network stays up.[/] Its root fingerprint: {demo.root_fingerprint}")
    for line in (
        f"export PATH={XINQIAO.parent}:$PATH XINQIAO_HOME={demo.work / 'nodes' / PROVING}",
        "xinqiao status; xinqiao peers; xinqiao channel list; xinqiao records --channel 310000/penalties --limit 3",
        f"xinqiao registry show --home {demo.work / 'registry'}",
        f"{stop}   # stops all {len(demo.product.servers)} processes",
    ):
        demo.screen.console.print(f"   $ {escape(line)}", soft_wrap=True)


def _stop(demo: Demo, status: int) -> int:
    _ignore_signals()
    dead = demo.product.dead()
    faults = dead + demo.close()
    console = demo.screen.console
    if status == 0 and not faults:
        _summarise(demo)
        return 0
    for fault in faults if status == 0 else dead:
        console.print(f"[bold red]FAILED:[/] {escape(fault)}")
    console.print(f"everything is stopped; files and logs are in {demo.work}", soft_wrap=True)
    return status or 1


def _summarise(demo: Demo) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    demo.summary |= {
        "seconds": round(demo.screen.elapsed, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "commands": len(demo.product.seconds),
        "steps": demo.screen.timings,
        "slowest": sorted(demo.product.seconds, reverse=True)[:5],
    }
    console, found = demo.screen.console, demo.summary
    console.print(f"\n[bold green]Done in {found['seconds']} s[/], nothing left running")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for name, seconds in demo.screen.timings.items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)
    rows = sum(each["rows"] for each in found["channels"].values())
    demo.screen.say(
        f"{len(demo.product.servers)} processes and {found['commands']} commands, "
        f"{found['processor_seconds']} s of processor time, {rows:,} rows"
    )


if __name__ == "__main__":
    sys.exit(main())
