"""`xinqiao officer` against a real node: nobody decides by the socket alone, and nobody's passphrase is an argument."""

import os
import pty
import stat
from pathlib import Path

import pytest

from tests.processes import officers
from tests.processes.commands import XINQIAO, clean_environment
from tests.processes.network import PUDONG, Town, refusal

NODE = PUDONG.id


@pytest.fixture
def serving(town: Town) -> Town:
    town.serve(NODE)
    return town


def states(town: Town) -> list[tuple[str, str, list[str]]]:
    """(name, state, added by) of every officer."""
    found = town.run(NODE, "officer", "list")["officers"]
    return [(each["name"], each["state"], each["added_by"]) for each in found]


def test_two_officers_are_founded_a_third_needs_both_and_a_crash_changes_nothing(serving: Town, tmp_path: Path) -> None:
    town = serving
    made = officers.add(town, NODE, "李明", "王芳")
    key = town.home(NODE) / "officers" / "李明.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert made[0]["state"] == "active"
    # (1) the third is a file that two officers sign, one of them where no node is
    file = tmp_path / "zhao.statement"
    given = ("--passphrase-file", officers.passphrase_of(town, "zhao"), "-o", file)
    assert town.run(NODE, "officer", "add", "zhao", *given)["file"] == str(file)
    unsigned = town.refused(NODE, "officer", "submit", file)
    assert (unsigned["code"], unsigned["who"]) == ("OFFICER_SIGNATURE", "officers of this node")
    town.run(NODE, "officer", "sign", file, "--officer", "李明", "--yes", *pass_of(town, "李明"))
    assert town.refused(NODE, "officer", "submit", file)["code"] == "OFFICER_SIGNATURE"
    elsewhere = tmp_path / "stick"
    elsewhere.mkdir()
    carried = elsewhere / "王芳.pem"
    (town.home(NODE) / "officers" / "王芳.pem").rename(carried)
    signed = officers.offline(town, "王芳", "officer", "sign", file, "--key", carried, "--yes")
    assert signed["signatures"] == 3
    # (2) what was taken outlives the process, and is taken once
    assert town.run(NODE, "officer", "submit", file)["state"] == "active"
    town.kill(NODE)
    town.serve(NODE)
    assert states(town) == [("李明", "active", []), ("王芳", "active", []), ("zhao", "active", ["李明", "王芳"])]
    assert town.refused(NODE, "officer", "submit", file)["code"] == "OFFICER_EXISTS"
    # (3) disabled at once, for good, by another or by himself
    disabled = town.run(
        NODE, "officer", "disable", "zhao", "--reason", "调离", "--officer", "李明", *pass_of(town, "李明")
    )
    assert disabled["state"] == "disabled"
    again = town.refused(
        NODE, "officer", "disable", "王芳", "--reason", "x", "--officer", "zhao", *pass_of(town, "zhao")
    )
    assert again["code"] == "OFFICER_DISABLED"
    assert town.refused(NODE, "officer", "add", "zhao", *pass_of(town, "zhao"))["code"] == "OFFICER_EXISTS"


def pass_of(town: Town, name: str) -> tuple[str, Path]:
    return "--passphrase-file", officers.passphrase_of(town, name)


def test_a_wrong_missing_or_public_passphrase_signs_nothing(serving: Town) -> None:
    town = serving
    missing = town.refused(NODE, "officer", "add", "李明")
    assert (missing["code"], missing["next"].count("--passphrase-fd")) == ("OFFICER_PASSPHRASE", 1)
    officers.add(town, NODE, "李明", "王芳")
    asked = ("officer", "disable", "王芳", "--reason", "调离", "--officer", "李明")
    wrong = town.refused(NODE, *asked, *pass_of(town, "王芳"))
    assert (wrong["code"], "李明.pem" in wrong["text"]) == ("OFFICER_PASSPHRASE", True)
    assert town.refused(NODE, *asked)["code"] == "OFFICER_PASSPHRASE"
    readable = officers.passphrase_of(town, "李明")
    readable.chmod(0o644)
    assert town.refused(NODE, *asked, "--passphrase-file", readable)["code"] == "KEY_FILE"
    assert [state for _, state, _ in states(town)] == ["active", "active"]
    # By the environment it works, as keys of the registry's officers do.
    environment = {"XINQIAO_OFFICER_PASSPHRASE": "correct horse 李明"}
    assert town.start(NODE, *asked, environment=environment).wait() == 0


def test_an_own_key_is_used_where_it_is_and_a_public_half_waits_for_its_signature(
    serving: Town, tmp_path: Path
) -> None:
    town = serving
    own, other = tmp_path / "own.pem", tmp_path / "other.pem"
    publics = [
        officers.offline(town, "own", "registry", "officer", "keygen", "-o", path)["officer_key"]
        for path in (own, other)
    ]
    added = town.run(NODE, "officer", "add", "own", "--key", own, *pass_of(town, "own"))
    assert added["public_key"] == publics[0]
    assert not (town.home(NODE) / "officers").exists()
    file = tmp_path / "other.statement"
    town.run(NODE, "officer", "add", "other", "--public-key", publics[1], "-o", file)
    assert town.refused(NODE, "officer", "submit", file)["code"] == "OFFICER_SIGNATURE"
    officers.offline(town, "own", "officer", "sign", file, "--key", other, "--yes")
    assert town.run(NODE, "officer", "submit", file)["state"] == "active"
    assert [name for name, _, _ in states(town)] == ["own", "other"]
    damaged = tmp_path / "damaged.statement"
    damaged.write_bytes(os.urandom(64))
    assert (
        refusal(officers.started(town, "own", "officer", "sign", damaged, "--key", own))["code"] == "OFFICER_STATEMENT"
    )


def test_at_a_terminal_the_passphrase_is_asked_for_and_not_shown(serving: Town) -> None:
    town = serving
    secret = "correct horse terminal"
    town.secrets.append(secret)
    shown = typed(town, ["officer", "add", "李明", "--home", str(town.home(NODE))], secret, 2)
    assert "officer 李明 added" in shown
    assert secret not in shown
    shown = typed(
        town,
        ["officer", "disable", "李明", "--reason", "x", "--officer", "李明", "--home", str(town.home(NODE))],
        secret,
        1,
    )
    assert "officer 李明 disabled" in shown
    assert states(town) == [("李明", "disabled", [])]


def typed(town: Town, argv: list[str], secret: str, times: int) -> str:
    """What the installed program shows at a terminal where somebody types this each time it asks."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(XINQIAO, [str(XINQIAO), *argv], clean_environment() | {"TERM": "dumb"})
    shown, asked = b"", 0
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            # It asks in a prompt that ends with a colon and a space, and drops what was typed before.
            if asked < times and piece.endswith(b": "):
                asked += 1
                os.write(terminal, secret.encode() + b"\n")
    except OSError:
        pass  # the program has closed the terminal
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    return shown.decode()
