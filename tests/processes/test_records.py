"""Acts on records between processes: a clerk's order at the origin is seen at every reader, also after kill -9."""

from pathlib import Path

from tests.processes.commands import wait_until
from tests.processes.files import penalties, registrations
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town, outcomes

CHANNEL = "310000/base"
READERS = (PUDONG.id, HANGZHOU.id)
ALL = (SHANGHAI.id, *READERS)


def begun(town: Town, tmp_path: Path, rows: int = 4) -> None:
    town.serve(*ALL)
    town.create(CHANNEL, "registration.base", "everyone", "A")
    town.publish(CHANNEL, registrations(tmp_path / "rows.csv", range(1, rows + 1)))
    town.wait_for_agreement(CHANNEL, READERS)


def order(act: str, position: int, decision: str = "沪修〔2026〕1号", reason: str = "依法处理") -> tuple[str, ...]:
    return ("record", act, CHANNEL, f"0/1/{position}", "--decision", decision, "--reason", reason)


def states(town: Town, node: str) -> list[str]:
    return [each["state"] for each in town.records(node, "--channel", CHANNEL, "--all")]


def test_an_order_at_the_origin_is_seen_at_every_reader(town: Town, tmp_path: Path) -> None:
    begun(town, tmp_path)
    for position, act in enumerate(("repair", "withdraw", "suspend")):
        done = town.run(SHANGHAI.id, *order(act, position))
        assert done["is_written"], done
    town.wait_for_agreement(CHANNEL, READERS)
    for node in ALL:
        (only,) = town.records(node, "--channel", CHANNEL)
        assert (only["ref"]["position"], only["state"], only["acts"]) == (3, "in force", [])
        everything = town.records(node, "--channel", CHANNEL, "--all")
        assert [each["state"] for each in everything] == ["repaired", "withdrawn", "suspended", "in force"]
        assert [each["values"] != {} for each in everything] == [False, False, False, True]
        (act,) = everything[0]["acts"]
        assert (act["kind"], act["decision"], act["reason"]) == ("STATUS_KIND_REPAIR", "沪修〔2026〕1号", "依法处理")
        assert town.channel(node, CHANNEL)["records"] == 1  # type: ignore[index]
    again = town.run(SHANGHAI.id, *order("repair", 0))
    assert (again["is_written"], again["head"]["size"]) == (False, 5)
    assert town.refused(SHANGHAI.id, *order("resume", 0))["code"] == "RECORD_STATE"
    assert town.refused(PUDONG.id, *order("repair", 3))["code"] == "RECORD_NOT_OURS"
    assert town.refused(SHANGHAI.id, *order("repair", 9))["code"] == "RECORD_UNKNOWN"
    assert town.refused(SHANGHAI.id, *order("repair", 3, decision=" "))["code"] == "ARGUMENT_INVALID"
    assert town.run(SHANGHAI.id, *order("resume", 2, "沪恢〔2026〕1号"))["is_written"]
    town.wait_for_agreement(CHANNEL, READERS)
    assert [states(town, node) for node in ALL] == [["repaired", "withdrawn", "in force", "in force"]] * 3


def test_a_correction_goes_through_the_door_of_every_file_and_reaches_every_reader(town: Town, tmp_path: Path) -> None:
    town.serve(*ALL)
    town.create("310000/penalties", "penalty.2018", "everyone")
    file = tmp_path / "penalties.csv"
    penalties(file, 20, SHANGHAI.authority)
    town.publish("310000/penalties", file)
    wrong = town.records(SHANGHAI.id, "--channel", "310000/penalties")
    for number, each in enumerate(wrong):
        ref = "310000/penalties 0/1/{position}".format(**{"position": 0} | each["ref"])
        given = ("--set", "CF_SY=更正后的事由", "--decision", f"沪更〔2026〕{number}号", "--reason", "数据有误")
        done = town.run(SHANGHAI.id, "record", "correct", ref, *given)
        assert (done["is_written"], done["replacement"]["index"]) == (True, 2 + 2 * number)
    town.wait_for_agreement("310000/penalties", READERS)
    for node in ALL:
        right = town.records(node, "--channel", "310000/penalties", "--all")
        assert {each["state"] for each in right} == {"in force"}
        assert [each["values"] for each in right] == [each["values"] | {"CF_SY": "更正后的事由"} for each in wrong]
        assert {each["acts"][0]["kind"] for each in right} == {"STATUS_KIND_CORRECT"}
    place = ("record", "correct", "310000/penalties", "0/2/0", "--decision", "沪更〔2026〕99号", "--reason", "数据有误")
    unknown = town.refused(SHANGHAI.id, *place, "--set", "NONE=1")
    assert (unknown["code"], unknown["parameters"]["detail"]) == (  # type: ignore[index]
        "ARGUMENT_INVALID",
        "NONE is no column of penalty.2018",
    )
    assert town.refused(SHANGHAI.id, *place, "--set", "CF_SY=")["code"] == "FIELD_MISSING"
    assert town.refused(SHANGHAI.id, *place, "--set", "CF_SY")["code"] == "ARGUMENT_INVALID"
    # The file still has the wrong values: every row goes back to whoever keeps it.
    assert town.publish("310000/penalties", file) == outcomes(rejected=20)


def test_g2_an_order_that_was_answered_survives_kill_9_before_anybody_else_has_heard_of_it(
    town: Town, tmp_path: Path
) -> None:
    begun(town, tmp_path)
    town.kill(*READERS)
    town.run(SHANGHAI.id, *order("repair", 0))
    town.kill(SHANGHAI.id)
    town.serve(*READERS)
    assert states(town, PUDONG.id) == ["in force"] * 4
    town.serve(SHANGHAI.id)
    wait_until(lambda: states(town, PUDONG.id)[0] == "repaired", "the reader has heard of the repair")
    town.wait_for_agreement(CHANNEL, READERS)
    town.kill(*READERS)
    town.serve(*READERS)
    assert [states(town, node) for node in ALL] == [["repaired", *["in force"] * 3]] * 3
    assert not town.run(SHANGHAI.id, *order("repair", 0))["is_written"]
