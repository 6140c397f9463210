"""What scripts that run a whole network need: a screen for people, and the `xinqiao` command with its processes."""

import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

# Found here by whoever runs a network on a stage.
from node.bench.programs import XINQIAO, Document, Programs, StageError, demand, edit_settings, free_ports

__all__ = [
    "XINQIAO",
    "Crew",
    "Document",
    "Product",
    "Screen",
    "StageError",
    "demand",
    "edit_settings",
    "free_ports",
]

WAIT_LIMIT_S = 120.0
POLL_S = 0.5

T = TypeVar("T")
R = TypeVar("R")


# --- What people see ------------------------------------------------------------------------------------------


class Screen:
    """Steps, commands and tables for people; on stderr where stdout is for the summary."""

    def __init__(self, *, on_stderr: bool) -> None:
        self.started = time.monotonic()
        self.timings: dict[str, float] = {}
        is_terminal = (sys.stderr if on_stderr else sys.stdout).isatty()
        self.console = Console(stderr=on_stderr, highlight=False, width=None if is_terminal else 120)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Announce a step, and tell how long it took."""
        began = self.elapsed
        number = len(self.timings) + 1
        self.console.print(f"\n[bold cyan]{number}. {escape(title)}[/]")
        yield
        self.timings[name] = round(self.elapsed - began, 1)
        self.console.print(f"   [dim]{self.timings[name]:.1f} s, {self.elapsed:.1f} s since the start[/]")

    def say(self, text: str, style: str = "") -> None:
        """Tell one thing."""
        self.console.print(f"   {escape(text)}", style=style)

    def quote(self, *lines: str, crop: bool = False) -> None:
        """Show lines as the product prints them, each cut to the width where asked."""
        for line in lines:
            quoted = Padding(
                Text(line, style="yellow", no_wrap=crop, overflow="ellipsis" if crop else "fold"), (0, 0, 0, 5)
            )
            self.console.print(quoted)

    def good(self, text: str) -> None:
        """Tell something that was checked and holds."""
        self.console.print(f"   [green]✓[/] {escape(text)}")

    def command(self, arguments: Sequence[str], more: str = "") -> None:
        """Show a command the way a person types it."""
        line = f"   $ xinqiao {shlex.join(arguments)}" + (f"   # {more}" if more else "")
        self.console.print(escape(line), style="dim", soft_wrap=True)

    def table(self, table: Table) -> None:
        """Show a table."""
        self.console.print(table)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; call what it gives with the number done."""
        if not self.console.is_terminal:
            yield _nowhere
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True) as shown:
            task = shown.add_task(label, total=total)
            yield lambda done: shown.update(task, completed=done)

    @contextmanager
    def live(self) -> Iterator[Callable[[Table], None]]:
        """A table in place: call what it gives with the table as it is now; only the last one stays."""
        if not self.console.is_terminal:
            tables: list[Table] = []
            yield tables.append
            self.console.print(*tables[-1:])
            return
        with Live(console=self.console, auto_refresh=False) as shown:
            yield lambda table: shown.update(table, refresh=True)


def _nowhere(_done: int) -> None:
    """Progress that nobody watches."""


# --- The command, and the processes it starts -----------------------------------------------------------------


@dataclass
class Product(Programs):
    """The `xinqiao` command, shown to people before it runs."""

    screen: Screen = field(kw_only=True)

    def run(self, *arguments: str, statuses: Collection[int] = (0,), show: bool = False, more: str = "") -> Document:
        """Run one command to its end and return its JSON document; raises StageError where it fails."""
        if show:
            self.screen.command(arguments, more)
        return super().run(*arguments, statuses=statuses)

    def refusal(self, *arguments: str) -> Document:
        """Run one command that must be refused and return the error it gives."""
        self.screen.command(arguments)
        return super().refusal(*arguments)


class Crew:
    """Does the same with several things at once, and waits for what others do; progress bars for both."""

    def __init__(self, screen: Screen, size: int) -> None:
        self.screen = screen
        self.pool = ThreadPoolExecutor(size)

    def each(self, label: str, items: Sequence[T], act: Callable[[T], R]) -> list[R]:
        """Do something with each, all at once, with a progress bar; the results in order."""
        futures = [self.pool.submit(act, item) for item in items]
        with self.screen.progress(label, len(items)) as advance:
            for done, _ in enumerate(as_completed(futures), 1):
                advance(done)
        return [future.result() for future in futures]

    def count(self, items: Sequence[T], holds: Callable[..., bool], *more: object) -> int:
        """How many of the items it holds for."""
        return sum(self.pool.map(lambda item: holds(item, *more), items))

    def until(self, label: str, expected: int, count: Callable[[], int]) -> None:
        """Ask again and again until the count is as expected; raises StageError after WAIT_LIMIT_S."""
        limit = time.monotonic() + WAIT_LIMIT_S
        with self.screen.progress(label, expected) as advance:
            while (found := count()) < expected:
                advance(found)
                demand(time.monotonic() < limit, f"{found} of {expected} {label} after {WAIT_LIMIT_S:.0f} s")
                time.sleep(POLL_S)
