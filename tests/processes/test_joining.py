"""From nothing to a serving member, and everything that can be wrong on the way."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.processes.commands import Commands, wait_until
from tests.processes.network import LOOPBACK, PUDONG, SHANGHAI, Plan, Town, done, free_port, refusal

NINGBO = Plan("330200", "宁波市", "city")
HOUR_MS = 3_600_000


def shifted(folder: Path, seconds: int) -> dict[str, str]:
    return {"PYTHONPATH": str(folder), "XINQIAO_TEST_SHIFT_S": str(seconds)}


def test_three_commands_lead_from_nothing_to_a_serving_member_in_a_minute(town: Town, commands: Commands) -> None:
    home = ("--home", town.home(NINGBO.id), "--json")
    began = time.monotonic()
    # (1) init
    made = done(commands.start_program("init", *town.init_arguments(NINGBO), *home))
    # (2) join, which waits for the officers
    given = ("--registry", town.registry_address, "--root-fingerprint", town.root_fingerprint)
    joining = commands.start_program("join", *given, *home)
    wait_until(lambda: "an officer to propose the approval" in joining.stderr, "join says what it waits for")
    assert joining.running
    assert made["fingerprint"] in joining.stderr
    requests = town.registry("requests")["requests"]
    assert [(each["id"], each["fingerprint"]) for each in requests] == [(NINGBO.id, made["fingerprint"])]
    town.decide("approve", NINGBO.id, "--fingerprint", made["fingerprint"])
    assert done(joining) == {"id": NINGBO.id, "member": True, "network": town.network, "waiting_for": ""}
    # (3) serve
    town.serve_program(NINGBO.id)
    took = time.monotonic() - began
    assert town.status(NINGBO.id)["membership"] == "active"
    print(f"from nothing to a serving member: {took:.1f} s")
    assert took < 60


def test_the_ceremony_needs_no_more_than_files_between_separate_homes(founded: Town) -> None:
    keys = [founded.officer_key(number) for number in (1, 2, 3)]
    assert all(key.stat().st_mode & 0o777 == 0o600 for key in keys)
    secrets = [key.read_text().splitlines()[1] for key in keys]
    elsewhere = [
        path for path in founded.folder.rglob("*") if path.is_file() and not path.parent.name.startswith("officer-")
    ]
    assert len(elsewhere) > 20
    assert not [path for path in elsewhere if any(secret in path.read_text("latin-1") for secret in secrets)]


def test_a_wrong_root_fingerprint_stores_nothing(town: Town) -> None:
    town.init(NINGBO)
    settings = (town.home(NINGBO.id) / "xinqiao.toml").read_bytes()
    error = town.refused(
        NINGBO.id, "join", "--registry", town.registry_address, "--root-fingerprint", "ab" * 32, "--wait", 0
    )
    assert error["code"] == "REGISTRY_FINGERPRINT"
    assert town.root_fingerprint in error["text"]
    assert (town.home(NINGBO.id) / "xinqiao.toml").read_bytes() == settings
    assert not (town.home(NINGBO.id) / "xinqiao.db").exists()
    assert town.registry("requests")["requests"] == []


def test_an_unreachable_registry_is_named_and_joining_resumes(town: Town) -> None:
    town.init(NINGBO)
    nobody = f"{LOOPBACK}:{free_port()}"
    began = time.monotonic()
    error = town.refused(
        NINGBO.id, "join", "--registry", nobody, "--root-fingerprint", town.root_fingerprint, "--wait", 0
    )
    assert error["code"] == "REGISTRY_UNREACHABLE"
    assert nobody in error["text"]
    assert time.monotonic() - began < 20
    assert not town.join(NINGBO.id)["member"]
    # The second time the command needs no arguments.
    assert town.run(NINGBO.id, "join", "--wait", 0)["waiting_for"] == "an officer to propose the approval"


def test_joining_goes_on_while_the_registry_is_away_for_a_moment(town: Town) -> None:
    fingerprint = town.init(NINGBO)
    assert not town.join(NINGBO.id)["member"]
    waiting = town.start(NINGBO.id, "join")
    wait_until(lambda: "waiting for" in waiting.stderr, "join waits")
    town.kill("registry")
    time.sleep(1.5)  # it asks every second, and must have found nobody at least once
    assert waiting.running, waiting.stderr
    town.serve_registry()
    town.decide("approve", NINGBO.id, "--fingerprint", fingerprint)
    assert done(waiting)["member"]


def test_a_stranger_cannot_join_as_an_existing_member(town: Town) -> None:
    stranger = Town(town.folder / "strangers", town.commands)
    stranger.registry_port, stranger.root_fingerprint = town.registry_port, town.root_fingerprint
    found = stranger.init(PUDONG)
    listed = next(each for each in town.registry("show")["members"] if each["id"] == PUDONG.id)["fingerprint"]
    error = stranger.refused(
        PUDONG.id, "join", "--registry", town.registry_address, "--root-fingerprint", town.root_fingerprint
    )
    assert error["code"] == "JOIN_ID_TAKEN"
    assert found in error["text"]
    assert listed in error["text"]
    assert stranger.refused(PUDONG.id, "serve")["code"] == "NOT_A_MEMBER"
    assert town.registry("requests")["requests"] == []
    # The member itself notices nothing.
    town.serve(PUDONG.id)
    assert town.status(PUDONG.id)["fingerprint"] == listed


def test_a_rejection_arrives_signed_with_its_reason_and_can_be_cleared_up(town: Town) -> None:
    fingerprint = town.init(NINGBO)
    waiting = town.start(
        NINGBO.id, "join", "--registry", town.registry_address, "--root-fingerprint", town.root_fingerprint
    )
    wait_until(lambda: "waiting for" in waiting.stderr, "join waits")
    town.decide("reject", NINGBO.id, "--reason", "章程未盖章", "--fingerprint", fingerprint)
    error = refusal(waiting)
    assert error["code"] == "JOIN_REJECTED"
    assert "章程未盖章" in error["text"]
    # The reason stands in what the officers signed, not in the words of whoever serves it.
    (signed,) = (town.registry_home / "published" / "requests").rglob("*.json")
    assert "章程未盖章" in json.dumps(json.loads(signed.read_bytes()), ensure_ascii=False)
    assert town.refused(NINGBO.id, "join", "--wait", 0)["code"] == "JOIN_REJECTED"
    # With a new descriptor the officers are asked anew.
    assert town.run(NINGBO.id, "join", "--renew", "--wait", 0)["waiting_for"] == "an officer to propose the approval"
    (request,) = town.registry("requests")["requests"]
    assert request["fingerprint"] != fingerprint
    town.decide("approve", NINGBO.id, "--fingerprint", request["fingerprint"])
    assert town.run(NINGBO.id, "join", "--wait", 0)["member"]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_off_by_an_hour_is_named_when_joining(
    town: Town, commands: Commands, clock_off: Path, hours: int
) -> None:
    town.init(NINGBO)
    given = ("--registry", town.registry_address, "--root-fingerprint", town.root_fingerprint)
    wrong = commands.start_program(
        *("join", *given, "--home", town.home(NINGBO.id), "--json"), environment=shifted(clock_off, hours * 3600)
    )
    error = refusal(wrong)
    assert error["code"] == "CLOCK_SKEW"
    assert "set the clock" in error["next"]


def test_a_member_whose_clock_is_off_by_an_hour_is_told_and_catches_up_once_it_is_right(
    town: Town, clock_off: Path
) -> None:
    town.set(PUDONG.id, listen="", links_further=0)  # it only dials out, so that nobody can wake it
    town.serve(SHANGHAI.id, PUDONG.id)
    town.create("310000/before", "registration.base", PUDONG.id)
    town.wait_for_agreement("310000/before", [PUDONG.id])
    town.stop(PUDONG.id)
    town.serve_program(PUDONG.id, environment=shifted(clock_off, 3600))
    town.create("310000/after", "registration.base", PUDONG.id)
    assert abs(town.status(PUDONG.id)["time_unix_ms"] - town.status(SHANGHAI.id)["time_unix_ms"]) > HOUR_MS - 60_000
    parameters = wait_until(lambda: skew_named_by(town, PUDONG.id), "the member names the clocks", 20)
    assert {parameters["node"], parameters["peer"]} == {PUDONG.id, SHANGHAI.id}
    assert 3500 < abs(int(parameters["skew_s"])) < 3700
    assert town.channel(PUDONG.id, "310000/after") is None
    town.stop(PUDONG.id)
    town.serve(PUDONG.id)
    town.wait_for_agreement("310000/after", [PUDONG.id])
    wait_until(lambda: town.duty(PUDONG.id, "delivery")["state"] == "DUTY_STATE_READY", "the link is sound", 20)


def skew_named_by(town: Town, node: str) -> dict[str, str]:
    reason = town.duty(node, "delivery")["reason"]
    return dict(reason["parameters"]) if reason["code"] == "CLOCK_SKEW" else {}


def test_the_same_home_is_not_made_twice(town: Town) -> None:
    again = replace(NINGBO, id=PUDONG.id)
    error = refusal(town.start(PUDONG.id, "init", *town.init_arguments(again)))
    assert error["code"] == "HOME_EXISTS"
    assert PUDONG.id in error["text"]
