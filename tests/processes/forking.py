"""A process that starts commands without paying their imports again: each command is a fork of it.

    python -m tests.processes.forking

On stdin one JSON line a command: {"key", "argv", "environment", "directory", "stdout", "stderr"}; on stdout one
line when it runs: {"key", "pid"}, and one when it has ended: {"key", "status"}. Its end, however it comes, is the
end of every command it started. It holds no thread, so that a fork of it is as good as a new interpreter.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
from typing import Any

PRELOADED = (
    "node.app",
    "node.cli.main",
    "registry.cli",
    "registry.server",
    "apscheduler.triggers.interval",
    "grpc_reflection",
)
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Start what is asked for until stdin ends, then end what still runs."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    running: dict[int, str] = {}
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asked = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(running)
        if 0 in ready:
            piece = os.read(0, 65536)
            if not piece:
                break
            *lines, asked = (asked + piece).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    return _become(order)
                running[pid] = order["key"]
                _say({"key": order["key"], "pid": pid})
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def _report_ended(running: dict[int, str]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _say({"key": running.pop(pid), "status": os.waitstatus_to_exitcode(status)})


def _say(document: dict[str, Any]) -> None:
    os.write(1, json.dumps(document).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Turn this fork into the command; it ends as an interpreter does."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A shell that starts the tests in the background has SIGINT ignored, and every process below it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["stdout"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    sys.argv = ["xinqiao", *order["argv"]]
    command = importlib.import_module("node.cli.main").main
    command(order["argv"], prog_name="xinqiao")


if __name__ == "__main__":
    main()
