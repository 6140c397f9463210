"""What can be wrong with a home, its ports, its keys and its disk; how a node ends; what its log holds."""

import os
import shutil
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.processes.commands import wait_until
from tests.processes.files import penalties, registrations, subject
from tests.processes.network import HANGZHOU, LOOPBACK, PUDONG, SHANGHAI, Plan, Town, done, outcomes, refusal
from tests.processes.small_disk import serve_on_a_small_disk

NINGBO = Plan("330200", "宁波市", "city")
PASSPHRASE = "correct horse battery staple"
FIRST_TABLES = {
    *("addresses", "alarms", "alembic_version", "barred", "bodies", "channels", "database", "entries", "equivocations"),
    *("erasures", "hashes", "heartbeats", "links", "logs", "origins", "outcomes", "receipts", "records"),
    *("registry_files", "settings"),
}
"""The tables of a home of the first version."""


# -- serving -------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_named_with_its_setting(town: Town) -> None:
    free = {name: town.setting(SHANGHAI.id, name) for name in ("listen", "registry_listen", "metrics_listen")}
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        for name, setting in free.items():
            town.set(SHANGHAI.id, **{name: address})
            error = town.refused(SHANGHAI.id, "serve")
            assert error["code"] == "LISTEN_FAILED"
            assert address in error["text"]
            assert name in error["next"]
            town.set(SHANGHAI.id, **{name: setting or ""})
    town.serve(SHANGHAI.id)


def test_a_home_is_served_by_one_process_at_a_time(town: Town) -> None:
    town.serve(SHANGHAI.id)
    error = town.refused(SHANGHAI.id, "serve")
    assert error["code"] == "HOME_LOCKED"
    assert str(town.serving[SHANGHAI.id].pid) in error["text"]
    assert town.status(SHANGHAI.id)["membership"] == "active"
    # A process that was killed leaves no lock behind.
    town.kill(SHANGHAI.id)
    town.serve(SHANGHAI.id)


def test_a_home_of_a_newer_version_is_left_alone(town: Town) -> None:
    database = town.home(SHANGHAI.id) / "xinqiao.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = database.read_bytes()
    error = town.refused(SHANGHAI.id, "serve")
    assert error["code"] == "HOME_NEWER"
    assert "9999" in error["text"]
    assert database.read_bytes() == before


def test_a_home_of_an_older_version_is_folded_anew_before_it_is_served(town: Town, tmp_path: Path) -> None:
    town.set(SHANGHAI.id, max_records_per_entry=5)
    town.serve(SHANGHAI.id)
    town.create("310000/base", "registration.base", "everyone")
    file = registrations(tmp_path / "rows.csv", range(1, 1001))
    assert town.publish("310000/base", file) == outcomes(accepted=1000)
    town.stop(SHANGHAI.id)
    with sqlite3.connect(town.home(SHANGHAI.id) / "xinqiao.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables > FIRST_TABLES
        for table in sorted(name for name in tables - FIRST_TABLES if not name.startswith("sqlite_")):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("CREATE UNIQUE INDEX records_key ON records (channel_id, natural_key, in_force)")
        connection.execute("CREATE INDEX records_subject ON records (subject)")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    town.serve(SHANGHAI.id)
    assert town.publish("310000/base", file) == outcomes(duplicate=1000)
    assert town.status(SHANGHAI.id)["records"] == 1000


def test_a_database_that_is_none_is_named(town: Town) -> None:
    (town.home(SHANGHAI.id) / "xinqiao.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert town.refused(SHANGHAI.id, "serve")["code"] == "DATABASE_DAMAGED"


def test_an_unknown_setting_is_refused_with_the_nearest_name(town: Town) -> None:
    town.set(SHANGHAI.id, heartbeat_intervall_s=5)
    error = town.refused(SHANGHAI.id, "serve")
    assert error["code"] == "CONFIG_UNKNOWN_KEY"
    assert "'heartbeat_interval_s'" in error["text"]


def test_commands_without_a_node_say_how_to_start_it(town: Town) -> None:
    assert town.refused(SHANGHAI.id, "status")["code"] == "ADMIN_UNREACHABLE"
    town.serve(SHANGHAI.id)
    town.kill(SHANGHAI.id)  # its socket is still there
    assert town.refused(SHANGHAI.id, "status")["code"] == "ADMIN_UNREACHABLE"
    assert town.refused("nowhere", "status")["code"] == "HOME_MISSING"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_node_and_leaves_nothing_behind(town: Town, tmp_path: Path, number: int) -> None:
    town.serve_program(SHANGHAI.id)
    town.serve(PUDONG.id)
    town.create("310000/base", "registration.base", "everyone")
    town.publish("310000/base", registrations(tmp_path / "rows.csv", range(1, 21)))
    town.wait_for_agreement("310000/base", [PUDONG.id])
    serving = town.serving[SHANGHAI.id]
    assert (town.home(SHANGHAI.id) / "admin.sock").stat().st_mode & 0o777 == 0o600
    serving.send(number)
    assert serving.wait(15) == 0, serving.stderr
    assert not (town.home(SHANGHAI.id) / "admin.sock").exists()
    assert [each.name for each in town.home(SHANGHAI.id).glob("xinqiao.db-*")] == []
    with pytest.raises(ProcessLookupError):
        os.kill(serving.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.killpg(serving.pid, 0)


def test_a_publication_under_way_when_the_node_drains_is_run_again(town: Town, tmp_path: Path) -> None:
    town.set(SHANGHAI.id, max_records_per_entry=5)
    town.serve(SHANGHAI.id)
    town.create("310000/base", "registration.base", "everyone")
    file = registrations(tmp_path / "rows.csv", range(1, 1001))
    publishing = town.start(SHANGHAI.id, "publish", "310000/base", file)
    wait_until(lambda: town.status(SHANGHAI.id)["records"] >= 50, "the publication is under way")
    town.stop(SHANGHAI.id)
    ended = publishing.wait()
    town.serve(SHANGHAI.id)
    kept = town.status(SHANGHAI.id)["records"]
    assert ended == (0 if kept == 1000 else 1), publishing.stdout
    assert town.publish("310000/base", file) == outcomes(accepted=1000 - kept, duplicate=kept)


def test_xinqiao_stop_does_what_a_signal_does(town: Town) -> None:
    town.serve(SHANGHAI.id)
    assert town.run(SHANGHAI.id, "stop") == {"stopped": True}
    assert town.serving[SHANGHAI.id].wait(15) == 0


# -- keys ----------------------------------------------------------------------------------------------------


def test_a_key_file_of_somebody_else_is_not_served_with(town: Town) -> None:
    (own,) = (town.home(SHANGHAI.id) / "keys").glob("signing-*.pem")
    (other,) = (town.home(PUDONG.id) / "keys").glob("signing-*.pem")
    kept = own.read_bytes()
    own.write_bytes(other.read_bytes())
    error = town.refused(SHANGHAI.id, "serve")
    assert error["code"] in ("KEY_FILE", "KEY_MISMATCH")
    assert own.name in error["text"]
    own.write_bytes(kept)
    town.serve(SHANGHAI.id)


def test_keys_of_another_home_are_named(town: Town) -> None:
    shutil.rmtree(town.home(SHANGHAI.id) / "keys")
    shutil.copytree(town.home(PUDONG.id) / "keys", town.home(SHANGHAI.id) / "keys")
    assert town.refused(SHANGHAI.id, "serve")["code"] == "KEY_MISMATCH"


def test_a_key_file_that_others_may_read_is_refused(town: Town) -> None:
    (own,) = (town.home(SHANGHAI.id) / "keys").glob("signing-*.pem")
    own.chmod(0o644)
    assert town.refused(SHANGHAI.id, "serve")["code"] == "KEY_FILE"


def test_encrypted_keys_open_with_their_passphrase_only(town: Town) -> None:
    given = {"XINQIAO_KEY_PASSPHRASE": PASSPHRASE}
    town.plans[NINGBO.id] = NINGBO
    done(town.start(NINGBO.id, "init", *town.init_arguments(NINGBO), environment=given))
    pems = [path.read_text() for path in (town.home(NINGBO.id) / "keys").glob("*.pem")]
    assert len(pems) == 2
    assert all("ENCRYPTED" in pem for pem in pems)
    joined = town.start(
        *(NINGBO.id, "join", "--registry", town.registry_address),
        *("--root-fingerprint", town.root_fingerprint, "--wait", 0),
    )
    fingerprint = done(joined) and town.registry("requests")["requests"][0]["fingerprint"]
    town.decide("approve", NINGBO.id, "--fingerprint", fingerprint)
    assert town.run(NINGBO.id, "join", "--wait", 0)["member"]
    assert town.refused(NINGBO.id, "serve")["code"] == "KEY_PASSPHRASE"
    wrong = town.start(NINGBO.id, "serve", environment={"XINQIAO_KEY_PASSPHRASE": "wrong"})
    assert refusal(wrong)["code"] == "KEY_PASSPHRASE"
    town.serve(NINGBO.id, environment=given)
    town.stop(NINGBO.id)
    # From a file, as the settings say.
    (town.home(NINGBO.id) / "passphrase").write_text(f"{PASSPHRASE}\n")
    (town.home(NINGBO.id) / "passphrase").chmod(0o600)
    town.set(NINGBO.id, key_passphrase_file="passphrase")
    town.serve(NINGBO.id)
    town.secrets.append(PASSPHRASE)


# -- the log -------------------------------------------------------------------------------------------------


def test_no_log_holds_a_secret_or_a_subject_not_even_at_the_finest_level(town: Town, tmp_path: Path) -> None:
    for node in (SHANGHAI.id, PUDONG.id, HANGZHOU.id):
        town.set(node, log_level="debug")
    town.serve(SHANGHAI.id, PUDONG.id, HANGZHOU.id)
    town.create("310000/base", "registration.base", "everyone")
    town.create("310000/penalties", "penalty.2018", "everyone")
    town.publish("310000/base", registrations(tmp_path / "rows.csv", range(1, 51)))
    file = tmp_path / "decisions.csv"
    planted = penalties(file, 200, SHANGHAI.authority, defects=0.2)
    assert town.publish("310000/penalties", file)["rejected"] == planted
    assert town.refused(SHANGHAI.id, "records", "--channel", "310000/unknown")["code"] == "CHANNEL_UNKNOWN"
    town.records(SHANGHAI.id, "--subject", subject(7))
    town.wait_for_agreement("310000/penalties", [PUDONG.id, HANGZHOU.id])
    town.kill(HANGZHOU.id)
    town.publish("310000/base", registrations(tmp_path / "more.csv", range(51, 61)))
    pems = [path for node in town.plans for path in (town.home(node) / "keys").glob("*.pem")]
    town.secrets += [line for path in pems for line in path.read_text().splitlines() if not line.startswith("-----")]
    # Every example code has this in it: the division that does not exist, and the organisation behind it.
    town.secrets += ["319900MX", "11010519491231002X", "示例"]
    assert all(command.stderr for node, command in town.log if node in (SHANGHAI.id, PUDONG.id))
    assert town.leaks() == []


# -- the disk ------------------------------------------------------------------------------------------------


def test_a_full_disk_is_named_and_the_command_is_run_again(town: Town, tmp_path: Path) -> None:
    node = serve_on_a_small_disk(town, tmp_path)
    given = ("--item", "registration.base", "--audience", "everyone", "--disclosure", "C")
    done(node.start("channel", "create", "base", *given))
    done(node.start("publish", "310000/base", registrations(tmp_path / "some.csv", range(1, 101))))
    # (1) almost nothing is left
    node.fill()
    file = registrations(tmp_path / "many.csv", range(1, 20_001))
    error = refusal(node.start("publish", "310000/base", file))
    assert error["code"] == "DISK_FULL"
    assert "run the command again" in error["next"]
    # (2) nothing acknowledged is lost, the node still serves and still says how it stands
    status = done(node.start("status"))
    assert status["records"] >= 100
    assert town.serving[SHANGHAI.id].running
    # (3) with space again, the same command is simply run again
    node.free()
    counts = done(node.start("publish", "310000/base", tmp_path / "some.csv"))["files"][0]["counts"]
    assert counts == outcomes(duplicate=100)
    rows = registrations(tmp_path / "fewer.csv", range(1, 1001))
    counts = done(node.start("publish", "310000/base", rows))["files"][0]["counts"]
    assert counts["accepted"] + counts["duplicate"] == 1000
    assert counts["duplicate"] >= 100
    assert done(node.start("status"))["records"] == max(1000, status["records"])
