"""The `xinqiao` command in a work directory, as people run it, and every process that it has started."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

XINQIAO = Path(sys.executable).with_name("xinqiao")
COMMAND_LIMIT_S = 120.0
SERVE_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
LOG_TAIL_LINES = 12

STOP = """#!/bin/sh
# Stops these processes, and waits until they are gone.
kill {pids} 2>/dev/null
for pid in {pids}; do
    while kill -0 $pid 2>/dev/null; do sleep 0.2; done
done
echo stopped
"""

Document = dict[str, Any]


class StageError(Exception):
    """Something did not happen as promised; the text says what, and details what was seen."""

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


def demand(holds: bool, text: str, details: object = "") -> None:
    """Raise StageError unless it holds."""
    if not holds:
        raise StageError(text, details if isinstance(details, str) else json.dumps(details, ensure_ascii=False))


@dataclass
class Server:
    """A process that serves, its output in files."""

    name: str
    process: "subprocess.Popen[str]"
    log: Path


@dataclass
class Programs:
    """Runs commands to their end, keeps servers, and ends all of them."""

    work: Path
    servers: dict[str, Server] = field(default_factory=dict)
    seconds: list[tuple[float, str]] = field(default_factory=list)
    limit_s: float = COMMAND_LIMIT_S
    _running: set["subprocess.Popen[str]"] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: bool = False

    def run(self, *arguments: str, statuses: Collection[int] = (0,)) -> Document:
        """Run one command to its end and return its JSON document; raises StageError where it fails.

        statuses are the exit statuses of a command that answers by them.
        """
        status, out, err = self._finish(arguments)
        if status not in statuses:
            raise StageError(f"`xinqiao {shlex.join(arguments)}` ended with exit status {status}", f"{out}\n{err}")
        return _parsed(arguments, out, err)

    def do(self, *arguments: str) -> None:
        """Run one command to its end as people do, without a document; raises StageError where it fails."""
        status, out, err = self._finish(arguments, ())
        demand(status == 0, f"`xinqiao {shlex.join(arguments)}` ended with exit status {status}", f"{out}\n{err}")

    def refusal(self, *arguments: str) -> Document:
        """Run one command that must be refused and return the error it gives."""
        status, out, err = self._finish(arguments)
        if status != 1:
            raise StageError(f"`xinqiao {shlex.join(arguments)}` was not refused: status {status}", f"{out}\n{err}")
        error = _parsed(arguments, out, err).get("error")
        demand(isinstance(error, dict), "a refusal without an error document", f"{out}\n{err}")
        return dict(error or {})

    def _finish(self, arguments: Sequence[str], form: Sequence[str] = ("--json",)) -> tuple[int, str, str]:
        began = perf_counter()
        process = self._start((*arguments, *form), subprocess.PIPE, subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=self.limit_s)
        except subprocess.TimeoutExpired as error:
            raise StageError(f"`xinqiao {shlex.join(arguments)}` took more than {self.limit_s:.0f} s") from error
        with self._lock:
            self._running.discard(process)
            self.seconds.append((round(perf_counter() - began, 1), shlex.join(arguments)))
        return process.returncode, out, err

    def _start(self, arguments: Sequence[str], out: Any, err: Any) -> "subprocess.Popen[str]":
        # A session of its own: Ctrl-C reaches this process only, which then stops the others in order.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XINQIAO_")}
        with self._lock:
            if self._stopping:
                raise StageError("everything is being stopped")
            process = subprocess.Popen(
                _command(arguments),
                cwd=self.work,
                env=environment | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def serve(self, name: str, *arguments: str) -> Document:
        """Start a process that serves and return the addresses it prints once it does."""
        log, out = self.work / "logs" / f"{name}.log", self.work / "logs" / f"{name}.out"
        log.parent.mkdir(exist_ok=True)
        with out.open("wb") as out_file, log.open("ab") as log_file:
            server = Server(name, self._start((*arguments, "--json"), out_file, log_file), log)
        with self._lock:
            self.servers[name] = server
        limit = perf_counter() + SERVE_LIMIT_S
        while "\n" not in (text := out.read_text("utf-8")):
            status = server.process.poll()
            demand(status is None, f"{name} ended with exit status {status} instead of serving", text)
            demand(perf_counter() < limit, f"{name} did not begin to serve within {SERVE_LIMIT_S:.0f} s")
            sleep(0.05)
        return _parsed(arguments, text.splitlines()[0], "")

    @contextmanager
    def paused(self, names: Collection[str]) -> Iterator[None]:
        """Stop servers where they stand, and let them go on at the end: to all others they are gone meanwhile."""
        try:
            for name in names:
                _signal(self.servers[name].process, signal.SIGSTOP)
            yield
        finally:
            for name in names:
                _signal(self.servers[name].process, signal.SIGCONT)

    def stop(self) -> list[str]:
        """End every process, asked first, then forced; returns what did not go as it should."""
        with self._lock:
            self._stopping = True
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        limit = perf_counter() + STOP_LIMIT_S
        forced = [process for process in running if not _ends(process, limit)]
        for process in forced:
            _signal(process, signal.SIGKILL)
            process.wait()
        faults = [f"process {process.pid} had to be killed" for process in forced]
        faults += [f"process group {process.pid} still has a process" for process in running if _exists(process.pid)]
        ended = [(server.name, server.process.returncode) for server in self.servers.values()]
        return faults + [f"{name} ended with exit status {status}" for name, status in ended if status != 0]

    def end(self, name: str) -> None:
        """End one server, which may be served again later; raises StageError where it does not go as it should."""
        server = self.servers[name]
        _signal(server.process, signal.SIGTERM)
        demand(_ends(server.process, perf_counter() + STOP_LIMIT_S), f"{name} did not stop", self.tails())
        with self._lock:
            del self.servers[name]
            self._running.discard(server.process)
        status = server.process.returncode
        demand(status == 0, f"{name} ended with exit status {status}", server.log.read_text("utf-8", "replace"))

    def let_go(self) -> Path:
        """Leave the servers running and start nothing more; returns a script that stops them."""
        self._stopping = True
        script = self.work / "stop"
        script.write_text(STOP.format(pids=" ".join(str(each.process.pid) for each in self.servers.values())), "utf-8")
        script.chmod(0o755)
        return script

    def dead(self) -> list[str]:
        """The servers that have ended although nobody asked them to."""
        ended = [(server.name, server.process.poll()) for server in self.servers.values()]
        return [f"{name} had ended by itself, with status {status}" for name, status in ended if status is not None]

    def tails(self) -> str:
        """The last lines of every log."""
        parts = []
        for server in list(self.servers.values()):  # several are ended at once
            lines = server.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]
            parts.append("\n".join([f"--- {server.log}", *lines]))
        return "\n".join(parts)


def _command(arguments: Sequence[str]) -> list[str]:
    """The command line of `xinqiao`, or of another program of this package where the arguments begin with -m."""
    return [sys.executable, *arguments] if arguments[0] == "-m" else [str(XINQIAO), *arguments]


def _parsed(arguments: Sequence[str], out: str, err: str) -> Document:
    try:
        return dict(json.loads(out))
    except ValueError as error:
        raise StageError(f"`xinqiao {shlex.join(arguments)}` printed no JSON document", f"{out}\n{err}") from error


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _ends(process: "subprocess.Popen[str]", limit: float) -> bool:
    try:
        process.wait(max(0.0, limit - perf_counter()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # gone, or a number that somebody else's process has by now
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is found, so that none comes twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def edit_settings(file: Path, settings: dict[str, str]) -> None:
    """Change settings in place, as a person does with an editor."""
    lines = file.read_text("utf-8").splitlines(keepends=True)
    for name, value in settings.items():
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"{name} ="))
        lines[at] = f"{name} = {value}\n"
    file.write_text("".join(lines), "utf-8")
