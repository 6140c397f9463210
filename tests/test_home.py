"""A home in a real directory: made whole or not at all, served by one process, spoken to through one socket."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from node import config as settings
from node import files
from node import home as homes
from node.config import Config, Endpoint
from node.core.errors import XinqiaoError
from node.core.membership import fingerprint_of, open_descriptor
from node.home import Home, HomeLock, init_home
from node.keys import Passphrase
from node.keys.descriptor import build_descriptor

NOW = 1_790_000_000_000
CONFIG = Config(id="310115", name="浦东新区", level="district", listen=Endpoint("127.0.0.1", 0))
PARTS = ["descriptor.pb", "heads.json", "keys", "serve.lock", "xinqiao.toml"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    init_home(tmp_path / "home", CONFIG, NOW)
    return Home(tmp_path / "home")


# -- creation ------------------------------------------------------------------------------------------------


def test_a_new_home_is_complete_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "home"
    descriptor = init_home(path, CONFIG, NOW)
    home = Home(path)
    assert names(path) == PARTS
    assert [mode(each) for each in (path, home.keys)] == [0o700, 0o700]
    assert {mode(each) for each in path.rglob("*") if each.is_file()} == {0o600}
    assert home.load() == CONFIG
    assert home.descriptor() == descriptor
    found = open_descriptor(descriptor)
    ring = home.open_keys(home.load(), {})
    ring.check_listed(found.message)
    assert (found.message.id, found.message.version, found.message.name) == ("310115", 1, "浦东新区")


def test_a_home_with_a_passphrase_opens_with_it_only(tmp_path: Path) -> None:
    init_home(tmp_path / "home", CONFIG, NOW, Passphrase(b"secret"), "ecdsa-p256-sha256")
    home = Home(tmp_path / "home")
    assert home.open_keys(home.load(), {"XINQIAO_KEY_PASSPHRASE": "secret"}).signer.suite == "ecdsa-p256-sha256"
    with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE"):
        home.open_keys(home.load(), {})
    files.write_new(home.path / "phrase", b"secret\n")
    config = settings.update(home.path, key_passphrase_file="phrase")
    assert home.open_keys(config, {}).signer.key_id


def test_the_fingerprint_stays_the_one_that_was_printed(home: Home) -> None:
    printed = fingerprint_of(home.descriptor())
    assert fingerprint_of(Home(home.path).descriptor()) == printed
    ring = home.open_keys(CONFIG, {})
    changed = build_descriptor(open_descriptor(home.descriptor()).message, CONFIG, ring, NOW + 1)
    home.write_descriptor(changed)
    assert fingerprint_of(home.descriptor()) == fingerprint_of(changed) != printed


def test_a_home_is_never_made_twice(home: Home) -> None:
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with pytest.raises(XinqiaoError, match=r"HOME_EXISTS.*310115"):
        init_home(home.path, CONFIG, NOW)
    home.config_file.write_text("damaged", "utf-8")
    with pytest.raises(XinqiaoError, match=r"HOME_EXISTS.*cannot be read"):
        init_home(home.path, CONFIG, NOW)
    home.config_file.write_bytes(before[home.config_file])
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before


def test_an_empty_directory_is_taken_over(tmp_path: Path) -> None:
    """As a volume or systemd's StateDirectory provides it: there already, and open to everybody."""
    path = tmp_path / "volume"
    path.mkdir()
    path.chmod(0o755)
    (path / "lost+found").mkdir()
    init_home(path, CONFIG, NOW)
    assert mode(path) == 0o700
    assert Home(path).load() == CONFIG


@pytest.mark.parametrize("what", ["keys", "xinqiao.db"])
def test_what_may_be_left_of_a_node_is_never_overwritten(home: Home, what: str) -> None:
    (home.path / "xinqiao.db").touch()
    home.config_file.unlink()
    kept = home.path / what
    with pytest.raises(XinqiaoError, match=rf"HOME_UNSAFE.*not empty.*{what}"):
        init_home(home.path, CONFIG, NOW)
    assert kept.exists()


def test_a_file_in_the_place_of_a_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(XinqiaoError, match="HOME_UNSAFE"):
        init_home(tmp_path / "home", CONFIG, NOW)


def test_settings_that_do_not_hold_together_create_nothing(tmp_path: Path) -> None:
    wrong = Config(id="310115", name="浦东", level="district", listen=Endpoint("0.0.0.0", 7400))
    with pytest.raises(XinqiaoError, match=r"CONFIG_INVALID.*advertise"):
        init_home(tmp_path / "home", wrong, NOW)
    assert names(tmp_path / "home") == ["serve.lock"]
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        init_home(tmp_path / "home", CONFIG, NOW, suite="rsa")
    init_home(tmp_path / "home", CONFIG, NOW)
    assert names(tmp_path / "home") == PARTS


KILLED = """
import os, signal, sys
from pathlib import Path
from node.config import Config
from node.home import init_home
count, path = int(sys.argv[1]), Path(sys.argv[2])
def counted(event, _):
    global count
    if event in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove"):
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
config = Config(id="310115", name="浦东新区", level="district")
sys.addaudithook(counted)
init_home(path, config, 1_790_000_000_000)
"""


def test_an_init_killed_at_any_step_leaves_a_whole_node_or_none(tmp_path: Path) -> None:
    """Kill -9 before each file operation in turn; the next init finds a node, or makes one."""
    killed, made = 0, 0
    for step in (1, *range(4, 60, 3)):
        path = tmp_path / str(step)
        run = subprocess.run([sys.executable, "-c", KILLED, str(step), str(path)], check=False)
        killed += run.returncode == -signal.SIGKILL
        home = Home(path)
        if home.exists:
            made += 1
            with pytest.raises(XinqiaoError, match="HOME_EXISTS"):
                init_home(path, CONFIG, NOW)
        else:
            init_home(path, CONFIG, NOW)
        home.open_keys(home.load(), {}).check_listed(open_descriptor(home.descriptor()).message)
        assert [name for name in names(path) if not name.startswith(".init-")] == PARTS
        if run.returncode == 0:
            break
    assert killed > 5
    assert made > 0


@pytest.mark.parametrize("moved", range(5))
def test_what_an_interrupted_init_moved_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int) -> None:
    """Stop between the moves without any cleaning up, as a power cut does."""
    rename, count = Path.rename, 0

    def cut(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count > moved:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        patch.setattr(homes, "_remove_traces", lambda _: None)
        if moved < 4:
            with pytest.raises(KeyboardInterrupt):
                init_home(tmp_path / "home", CONFIG, NOW)
        else:
            init_home(tmp_path / "home", CONFIG, NOW)
    home = Home(tmp_path / "home")
    assert home.exists is (moved == 4)
    if not home.exists:
        assert any(name.startswith(".init-") for name in names(home.path))
        init_home(home.path, CONFIG, NOW)
    assert names(home.path) == PARTS


# -- the lock ------------------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from node.home import Home
with Home(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_the_pid(home: Home) -> None:
    command = [sys.executable, "-c", HOLDER, str(home.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(XinqiaoError, match="HOME_LOCKED") as caught:
            home.lock()
        assert caught.value.parameters["pid"] == str(holder.pid)
        # kill -9 leaves no lock behind
        holder.kill()
    with home.lock():
        assert (home.path / "serve.lock").read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again(home: Home) -> None:
    lock = home.lock()
    with pytest.raises(XinqiaoError, match="HOME_LOCKED"):
        home.lock()
    lock.release()
    lock.release()
    with home.lock() as again:
        assert isinstance(again, HomeLock)
    assert mode(home.path / "serve.lock") == 0o600


def test_an_empty_directory_is_not_locked(tmp_path: Path) -> None:
    with pytest.raises(XinqiaoError, match="HOME_MISSING"):
        Home(tmp_path).lock()
    assert names(tmp_path) == []


# -- the socket ----------------------------------------------------------------------------------------------


@pytest.fixture
def long_home(tmp_path: Path) -> Home:
    path = tmp_path / ("很长的路径" * 8) / "home"
    init_home(path, CONFIG, NOW)
    return Home(path)


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        return stat.S_ISSOCK(path.lstat().st_mode)


def test_the_socket_of_a_short_home_lies_in_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "MAX_SOCKET_PATH_BYTES", 4096)
    (home.path / "admin.socket-path").write_text("/nowhere/else.sock")
    assert home.claim_socket({}) == home.path / "admin.sock"
    assert home.socket() == home.path / "admin.sock"


def test_the_socket_of_a_long_home_is_found_by_another_process(long_home: Home) -> None:
    path = long_home.claim_socket({})
    for runtime in ("", "relative", "/tmp/" + "x" * 90):
        path = long_home.claim_socket({"XDG_RUNTIME_DIR": runtime})
        assert path.parent == Path(f"/tmp/xinqiao-{os.geteuid()}")
        assert len(os.fsencode(path)) <= 100
        assert mode(path.parent) == 0o700
        # a different environment, as a shell without a login session has
        assert Home(long_home.path).socket() == path
        # the second time there is a dead process's socket in the way
        assert listens(path)
    path.unlink()


def test_the_users_runtime_directory_is_preferred(long_home: Home) -> None:
    runtime = Path(f"/tmp/run-{os.getpid()}")
    runtime.mkdir(mode=0o700)
    try:
        path = long_home.claim_socket({"XDG_RUNTIME_DIR": str(runtime)})
        assert path.parent == runtime / "xinqiao"
        assert listens(path)
        shutil.rmtree(runtime)
        with pytest.raises(XinqiaoError, match="ADMIN_UNREACHABLE"):
            long_home.socket()
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


def open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def link_elsewhere(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize("planted", [open_to_all, link_elsewhere, Path.touch])
def test_a_directory_that_somebody_else_prepared_is_refused(long_home: Home, planted: Callable[[Path], None]) -> None:
    runtime = Path(f"/tmp/run-{os.getpid()}")
    runtime.mkdir(mode=0o700)
    try:
        planted(runtime / "xinqiao")
        with pytest.raises(XinqiaoError, match="HOME_UNSAFE"):
            long_home.claim_socket({"XDG_RUNTIME_DIR": str(runtime)})
    finally:
        shutil.rmtree(runtime)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_a_directory_of_another_user_is_refused(long_home: Home) -> None:
    path = long_home.claim_socket({})
    runtime = Path(f"/tmp/run-{os.getpid()}")
    runtime.mkdir(mode=0o700)
    try:
        (long_home.path / "admin.socket-path").write_text(f"{runtime / path.name}\n")
        os.chown(runtime, 12345, 12345)
        with pytest.raises(XinqiaoError, match=r"HOME_UNSAFE.*belongs to the user 12345"):
            long_home.socket()
    finally:
        shutil.rmtree(runtime)


def test_two_homes_have_two_sockets(tmp_path: Path) -> None:
    paths = set()
    for name in ("a", "b"):
        init_home(tmp_path / ("x" * 90) / name, CONFIG, NOW)
        paths.add(Home(tmp_path / ("x" * 90) / name).claim_socket({}))
    assert len(paths) == 2


# -- what cannot be written ----------------------------------------------------------------------------------


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(XinqiaoError, match="DISK_FULL"):
            init_home(tmp_path / "home", CONFIG, NOW)
    assert names(tmp_path / "home") == ["serve.lock"]
    init_home(tmp_path / "home", CONFIG, NOW)
